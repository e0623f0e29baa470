"""`router complete`."""

import json

import pytest

from router.adapters.scripted_transport import Fails, Says, ScriptedTransport
from router.client import assembly
from router.values import Kind, Usage

SEARCH = ("--tenant", "acme/search", "--user", "ann")
MADE_UP = "A made-up answer, as if from openai/gpt-5-nano."


@pytest.fixture
def script(monkeypatch):
    """`script(steps)`: what the providers answer in place of the wire."""

    def install(steps):
        def transport(chosen, *, suspends, clock):
            return ScriptedTransport(steps, clock=clock)

        monkeypatch.setattr(assembly, "_transport", transport)

    return install


WARNED = "1 warning in the policies: `router check` tells"
"""The intern's budget is below one attempt, which some tests here need."""


def test_the_answer_is_all_there_is_on_standard_output(run):
    told = run("complete", "fast", "Hello", *SEARCH, "--fake")
    assert told.stdout == f"{MADE_UP}\n"
    assert "openai/gpt-5-nano answered in" in told.stderr


def test_a_streamed_answer_is_printed_as_it_comes(run):
    told = run("complete", "fast", "Hello", *SEARCH, "--fake", "--stream")
    assert told.stdout == f"{MADE_UP}\n"
    assert "openai/gpt-5-nano answered in" in told.stderr
    assert (
        json.loads(run("complete", "fast", "Hello", *SEARCH, "--fake", "--stream", "--json").stdout)["text"]
        == MADE_UP
    )


def test_a_stream_that_breaks_keeps_what_was_printed(run, script):
    script(Fails(Kind.CONNECTION, says=Says("one two three"), chunks=2, message="cut"))
    told = run("complete", "fast", "Hello", *SEARCH, "--stream", code=1)
    assert told.stdout == "one two \n"
    assert "error: the stream of `openai/gpt-5-nano` broke after its first content: cut" in told.stderr


def test_what_failed_before_and_what_it_cost_stand_beside_it(run, script):
    usage = Usage(input_tokens=10, output_tokens=100)
    script(
        {
            "openai/gpt-5-nano": Fails(Kind.QUOTA, status=429, message="no money left"),
            "anthropic/claude-haiku-4-5": Says("Paris.", usage=usage, finish_reason="length"),
        }
    )
    told = run("complete", "fast", "Capital of France?", *SEARCH)
    assert told.stdout == "Paris.\n"
    warned, failed, answered = told.stderr.splitlines()
    assert warned == WARNED
    assert failed.startswith("openai/gpt-5-nano failed after ")
    assert failed.endswith(": quota 429: no money left")
    assert answered.endswith(": 10 tokens in, 100 out, $0.00051 (ended by `length`)")


def test_a_failure_that_may_have_been_billed_says_so(run, script):
    script([Fails(Kind.TIMEOUT, message="no answer"), Says("Paris.")])
    told = run("complete", "fast", "Hello", *SEARCH)
    assert "; charged $0.0001" in told.stderr
    assert "(worst case)" in told.stderr


def test_without_an_answer_every_failure_is_told(run, script):
    script(Fails(Kind.AUTH, status=401, message="wrong key"))
    told = run("complete", "fast", "Hello", *SEARCH, code=1)
    assert told.stdout == ""
    assert told.stderr.splitlines() == [
        WARNED,
        "error: policy `fast` has no target left",
        "  openai/gpt-5-nano (key OPENAI_API_KEY): auth 401: wrong key",
        "  anthropic/claude-haiku-4-5 (key ANTHROPIC_API_KEY): auth 401: wrong key",
        "help: `router explain fast` shows its list, and what its `retry` and `fall_back_on` allow",
    ]


def test_a_missing_key_names_variable_place_and_switch(run):
    told = run("complete", "fast", "Hello", *SEARCH, code=1).stderr
    assert (
        "  openai/gpt-5-nano: variable `OPENAI_API_KEY` is not set (asked for at policies/main.yaml:3:3)"
        in told
    )
    assert "ROUTER_TRANSPORT=fake" in told


def test_a_call_without_a_tenant_says_which_option(run):
    told = run("complete", "fast", "Hello", "--fake", code=1).stderr
    assert "help: pass --tenant ...; declared: acme, acme/intern, acme/search" in told


def test_what_is_made_up_is_in_no_real_ledger(run, document, monkeypatch):
    run("complete", "fast", "Hello", *SEARCH, "--fake")
    assert document("usage")["total"]["attempts"] == 0
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")
    assert document("usage")["total"]["attempts"] == 1


def test_a_prompt_from_standard_input_with_a_system_message_and_parameters(run, monkeypatch):
    seen = []

    def transport(chosen, *, suspends, clock):
        def script(call):
            seen.append(call)
            return Says("ok")

        return ScriptedTransport(script, clock=clock)

    monkeypatch.setattr(assembly, "_transport", transport)
    options = ("--system", "Be brief", "--param", "temperature=0", "--param", "stop=END", "--timeout", "2s")
    run("complete", "fast", "-", *SEARCH, *options, input="Hello\nthere\n")
    (call,) = seen
    assert call.messages == (
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Hello\nthere"},
    )
    assert (call.params["temperature"], call.params["stop"]) == (0, "END")
    assert call.timeout_s <= 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--param", "temperature"], "`temperature` is not NAME=VALUE"),
        (["--param", "tempreature=0"], "did you mean `temperature`"),
        (["--timeout", "2"], "`2` is no duration"),
        (["--fake", "--replay", "x.yaml"], "choose one"),
        (["--replay", "x.yaml"], "there is no cassette at `x.yaml`"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage(run, options, told):
    assert told in run("complete", "fast", "Hello", *SEARCH, *options, code=2).stderr


def test_the_document(run, script):
    script([Fails(Kind.AUTH, status=401), Says("Paris.", usage=Usage(input_tokens=1_000, output_tokens=100))])
    told = json.loads(run("complete", "fast", "Hello", *SEARCH, "--json").stdout)
    assert list(told) == [
        "text",
        "message",
        "policy",
        "target",
        "model",
        "finish_reason",
        "truncated",
        "cached",
        "stale",
        "age_s",
        "usage",
        "cost_usd",
        "cost_nusd",
        "trace",
    ]
    assert (told["text"], told["target"]) == ("Paris.", "anthropic/claude-haiku-4-5")
    assert (told["cost_usd"], told["cost_nusd"]) == ("0.0015", 1_500_000)
    assert [each["event"] for each in told["trace"] if each["event"].startswith("Attempt")] == [
        "AttemptSent",
        "AttemptFailed",
        "AttemptSent",
        "AttemptAnswered",
    ]


def test_tool_calls_are_printed_where_there_is_no_text(run, script):
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    script(Says(tool_calls=(call,)))
    assert json.loads(run("complete", "fast", "Hello", *SEARCH).stdout) == [call]


def test_a_cached_answer_says_so(run, script, folder):
    file = folder / "policies" / "main.yaml"
    cached = "    cache: {ttl: 1h, sampled: true}\n    budget: {per_request"
    file.write_text(file.read_text().replace("    budget: {per_request", cached))
    script(Says("Paris."))
    run("complete", "fast", "Hello", *SEARCH)
    again = run("complete", "fast", "Hello", *SEARCH)
    assert again.stdout == "Paris.\n"
    assert "from the cache: $0" in again.stderr


def test_warnings_are_counted_and_not_logged(run, folder, caplog):
    file = folder / "policies" / "main.yaml"
    file.write_text(file.read_text().replace("ceiling: {input_tokens: 10k, output_tokens: 400}", "", 1))
    told = run("complete", "fast", "Hello", *SEARCH, "--fake")
    assert told.stderr.splitlines()[0] == "1 warning in the policies: `router check` tells"


@pytest.mark.parametrize(
    ("param", "told_"),
    [
        ("policy=x", "`policy` is not a parameter of a chat call"),
        ("messages=x", "`messages` is not a parameter of a chat call"),
        ("timeout=3", "`timeout` is not a parameter of a chat call"),
        ("self=x", "unknown parameter `self`"),
        ("temperature=" + "[" * 100_000, "`temperature` must be a number, not text"),
    ],
    ids=["policy", "messages", "timeout", "self", "nested"],
)
def test_a_parameter_that_is_none_is_refused_by_name(run, param, told_):
    told = run("complete", "fast", "Hello", *SEARCH, "--fake", "--param", param, code=2)
    assert told_ in told.stderr


def test_a_made_up_answer_leaves_the_named_ledger_and_cache_alone(run, folder, monkeypatch):
    """Whatever names them: `--fake` promises it."""
    main = folder / "policies" / "main.yaml"
    text = main.read_text().replace("description: Short answers.", "cache: {ttl: 1h, sampled: true}")
    main.write_text(f"{text}settings: {{state: 'sqlite:///../kept/state.db', cache: ../kept/answers}}\n")
    run("complete", "fast", "Hello", "--tenant", "acme", "--fake")
    assert not (folder / "kept" / "state.db").exists()
    assert [each.name for each in (folder / "kept" / "answers").iterdir()] == ["fake"]
    assert "nothing was spent" in run("usage").stdout
    monkeypatch.setenv("ROUTER_STATE", "sqlite:///other.db")
    told = run("complete", "fast", "Hello", "--tenant", "acme", "--fake").stderr
    assert "ROUTER_STATE names sqlite:///other.db: `settings.state` comes first" in told
    told = run("usage").stderr
    assert told.endswith(
        "kept/state.db (`settings.state` says so; ROUTER_STATE names sqlite:///other.db, which is not used)\n"
    )
    main.write_text(text)
    run("complete", "fast", "Hello", "--tenant", "acme", "--fake")
    assert not (folder / "other.db").exists()
    assert (folder / "fake" / "other.db").exists()
