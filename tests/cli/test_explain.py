"""`router explain`: what it prints. That it is true is tested in tests/tools/test_explain.py."""

import pytest

HELLO = ("--prompt", "What is the capital of France?")
SEARCH = ("--tenant", "acme/search", "--user", "ann")


def section(told: str, title: str) -> list[str]:
    """The lines below a heading, up to the next one."""
    lines = told.splitlines()
    start = lines.index(title) + 1
    end = next((at for at in range(start, len(lines)) if not lines[at]), len(lines))
    return [line.strip() for line in lines[start:end]]


def test_every_value_has_its_line(run):
    told = run("explain", "fast").stdout
    values = {line.split()[0]: line.split() for line in section(told, "policy fast") if line.split()}
    assert values["description"][-1] == "policies/main.yaml:7"
    assert values["attempt"] == ["attempt", "8s", "policies/main.yaml:10"]
    assert values["output_tokens"] == ["output_tokens", "400", "policies/main.yaml:11"]
    assert values["per_day"] == ["per_day", "$25", "policies/main.yaml:12"]
    assert values["backoff"][-2:] == ["built", "in"]


def test_without_a_prompt_it_tells_of_the_policy_wherever_it_runs(run):
    told = run("explain", "fast").stdout
    caller = section(told, "for any caller")
    assert "a call must name its tenant; these may call it: acme, acme/intern, acme/search" in caller
    assert "`OPENAI_API_KEY` is not set here (asked for at policies/main.yaml:3:3)" in caller
    order = section(told, "tried in this order")
    assert order[0].split() == ["target", "sends", "input", "output", "cost", "counted", "wire"]
    assert order[1].split() == ["1", "openai/gpt-5-nano", "2", "10k", "400", "$0.00066", "exact", "lean"]
    assert section(told, "never more than")[1].split()[:4] == ["any", "call,", "targets", "$0.04532"]


def test_the_worst_case_names_the_sends_that_come_to_it(run):
    bounds = section(run("explain", "fast").stdout, "never more than")
    assert bounds[0].split() == ["cost", "answered", "or", "failed", "within"]
    assert bounds[1].endswith("30.05s  in 4 sends")
    assert bounds[-3:] == [
        "the time holds 50ms of grace, to notice a deadline and close up",
        "a stream has come to its first content by then, and ends within 10m after that",
        (
            "a failed attempt costs its worst case after timeout or connection (unless it never left), what its "
            "provider reports after server_error, content_filter, invalid_output, truncated, else nothing"
        ),
    ]
    assert [line.split() for line in bounds[2:4]] == [
        ["openai/gpt-5-nano", "2", "x", "$0.00066"],
        ["anthropic/claude-haiku-4-5", "2", "x", "$0.022"],
    ]


def test_targets_that_retries_starve_are_noted(run, folder):
    file = folder / "policies" / "main.yaml"
    file.write_text(file.read_text().replace("total: 30s", "total: 18s"))
    assert section(run("explain", "fast").stdout, "for any caller")[2] == (
        "`anthropic/claude-haiku-4-5` is not tried when those before it use up their sends and each takes its time: "
        "that is 18s, and it has 18s"
    )


def test_with_a_prompt_it_tells_of_that_call(run, with_keys):
    told = run("explain", "fast", *SEARCH, *HELLO).stdout
    assert "for tenant acme/search, user ann" in told
    first, bound = section(told, "tried in this order")[1:3]
    assert first.split()[:3] == ["1", "openai/gpt-5-nano", "2"]
    assert first.split()[-2].startswith("~$0.000")
    assert bound.startswith("at most, exact")
    assert section(told, "never more than")[1].startswith("this call")
    owners = [line.split()[0] for line in section(told, "budgets")[1:]]
    assert owners == [
        "tenant:acme",
        "tenant:acme/search",
        "user:acme/search:ann",
        "policy:fast",
        "policy:fast",
    ]
    assert [line.split()[1] for line in section(told, "limits")[1:]] == [
        "requests_per_minute:",
        "tokens_per_minute:",
    ]


def test_every_dropped_candidate_has_its_reason(run):
    told = run("explain", "fast", *SEARCH, *HELLO, code=1).stdout
    assert "refused: policy `fast` has no target left for this request" in told
    assert section(told, "left out") == [
        "openai/gpt-5-nano           variable `OPENAI_API_KEY` is not set (asked for at policies/main.yaml:3:3)",
        "anthropic/claude-haiku-4-5  variable `ANTHROPIC_API_KEY` is not set (asked for at policies/main.yaml:4:3)",
    ]
    assert "left out" not in run("explain", "fast", *SEARCH, *HELLO, "--assume-keys").stdout


def test_only_and_prefer_are_those_of_the_call(run, with_keys):
    claude = "anthropic/claude-haiku-4-5"
    told = run("explain", "fast", *SEARCH, *HELLO, "--prefer", claude).stdout
    assert section(told, "tried in this order")[1].startswith(f"1  {claude}")
    told = run("explain", "fast", *SEARCH, *HELLO, "--only", claude).stdout
    assert "openai/gpt-5-nano" not in "".join(section(told, "tried in this order"))


def test_an_only_that_names_nothing_says_what_there_is(run, with_keys):
    told = run("explain", "fast", *SEARCH, *HELLO, "--only", "gpt-5-nano", code=1).stdout
    assert "`gpt-5-nano` is no target of these policies (did you mean `openai/gpt-5-nano`?)" in told
    told = run("explain", "night", "--tenant", "acme", *HELLO, "--only", "openai/gpt-5-nano", code=1).stdout
    assert (
        "help: `only` names no target that this call comes to; those are anthropic/claude-haiku-4-5" in told
    )


def test_rules_say_how_they_came_out(run, with_keys):
    plain = run("explain", "night", "--tenant", "acme", *HELLO).stdout
    assert "rule tagged unknown (the call names no tag)" in plain
    assert "rule long does not hold" in plain
    tagged = run("explain", "night", "--tenant", "acme", "--tag", "slow", *HELLO).stdout
    assert "rule tagged holds" in tagged
    assert "rule long not read" in tagged
    assert "openai/gpt-5-nano" in tagged


@pytest.mark.parametrize(
    "call",
    [
        ("--tenant", "nobody"),
        ("--tenant", "acme/search", "--user", "ann"),
        ("--tenant", "acme", "--only", "openai/nothing"),
    ],
    ids=["unknown tenant", "not granted", "only of nothing"],
)
def test_rules_of_a_call_that_is_refused_before_are_not_read(run, with_keys, call):
    told = run("explain", "night", *call, *HELLO, code=1).stdout
    assert "rule tagged not read" in told
    assert "rule long not read" in told


def test_an_abstract_policy_is_not_unknown(run, folder):
    file = folder / "policies" / "main.yaml"
    file.write_text(file.read_text().replace("  night:", "  base: {abstract: true, retry: off}\n  night:"))
    for command in (("explain", "base"), ("complete", "base", "Hi", "--tenant", "acme", "--fake")):
        told = run(*command, code=2).stderr
        assert "error: policy `base` is abstract: it is only there to be extended" in told
        assert "help: policies that can be called: fast, night" in told


def test_what_the_tenants_side_asks_has_its_lines(run, with_keys, folder):
    file = folder / "policies" / "main.yaml"
    asks = "max_price: {output_per_million: $50}, ceiling: {output_tokens: 300}, content: {log: never}"
    each = "each: {user: {require: [eu]}, child: {ceiling: {attempts: 3}}}"
    text = file.read_text().replace("acme: {policies: all,", f"acme: {{policies: all, {asks}, {each},")
    file.write_text(text.replace(": {}", ": {labels: [eu]}"))
    lines = section(run("explain", "fast", *SEARCH, *HELLO).stdout, "for tenant acme/search, user ann")
    assert [line.split() for line in lines[:7]] == [
        ["tenant", "acme"],
        ["ceiling", "{output_tokens:", "300}", "policies/main.yaml:20"],
        ["max_price", "{output_per_million:", "$50}", "policies/main.yaml:20"],
        ["content", "{log:", "never}", "policies/main.yaml:20"],
        ["each", "user", "of", "acme"],
        ["require", "[eu]", "policies/main.yaml:20"],
        ["each", "child", "of", "acme"],
    ]
    told = run("explain", "fast", "--tenant", "acme", "--user", "ann").stdout
    assert "each child of acme" not in told  # it is not below itself


def test_explain_does_not_send_to_itself(run, with_keys, folder):
    file = folder / "policies" / "main.yaml"
    file.write_text(file.read_text().replace("acme: {policies: all,", "acme: {policies: all, require: [eu],"))
    text = file.read_text().replace(
        "openai: {}", "openai: {models: {gpt-5-nano: {labels: [eu], enabled: false}}}"
    )
    file.write_text(text)
    told = run("explain", "fast", *SEARCH, *HELLO, code=1).stdout
    assert "refused: policy `fast` has no target left for this request" in told
    assert "help:" not in told


def test_a_reject_says_why(run, with_keys):
    told = run("explain", "night", "--tenant", "acme", "--prompt", "word " * 6_000, code=1).stdout
    assert "refused: policy `night` rejects this request: too long for us" in told


def test_a_budget_that_cant_pay_says_what_to_change(run, with_keys):
    told = run("explain", "fast", "--tenant", "acme/intern", *HELLO, code=1).stdout
    assert section(told, "without room now")[0].startswith(
        "over budget: `tenant:acme/intern` has $0.0001 left of"
    )
    (change,) = section(told, "what to change")
    assert change.startswith("`tenant:acme/intern` `per_day: $0.0001`: write `ceiling: {output_tokens: ")
    assert "raise it to $0.0001" in change
    assert "(policies/main.yaml:26:" in change


def test_what_to_change_works(run, with_keys, folder):
    told = run("explain", "fast", "--tenant", "acme/intern", *HELLO, code=1).stdout
    (change,) = section(told, "what to change")
    output = change.partition("output_tokens: ")[2].partition("}")[0]
    file = folder / "policies" / "main.yaml"
    written = file.read_text()
    file.write_text(written.replace("output_tokens: 400", f"output_tokens: {output}"))
    run("explain", "fast", "--tenant", "acme/intern", *HELLO)
    file.write_text(written.replace("output_tokens: 400", f"output_tokens: {int(output) + 1}"))
    run("explain", "fast", "--tenant", "acme/intern", *HELLO, code=1)
    enough = change.partition("raise it to ")[2].partition(" ")[0]
    file.write_text(written.replace("per_day: $0.0001", f"per_day: {enough}"))
    run("explain", "fast", "--tenant", "acme/intern", *HELLO)


@pytest.mark.parametrize(
    ("who", "message", "advice"),
    [
        (
            ("--tenant", "acme/serch"),
            "unknown tenant `acme/serch` (did you mean `acme/search`?)",
            "declare it",
        ),
        (
            ("--tenant", "acme/search"),
            "tenant `acme/search` needs a user on every call",
            "help: pass --user ...;",
        ),
    ],
)
def test_a_caller_that_may_not_call_is_told_and_the_policy_all_the_same(run, who, message, advice):
    told = run("explain", "fast", *who, code=1).stdout
    assert "per_day" in told
    assert f"refused: {message}" in told
    assert advice in told


def test_an_unknown_policy_is_wrong_usage(run):
    told = run("explain", "fsat", code=2).stderr
    assert told == "error: unknown policy `fsat` (did you mean `fast`?)\nhelp: policies here: fast, night\n"


def test_policies_with_problems_are_told_and_not_explained(run, folder):
    (folder / "policies" / "main.yaml").write_text("version: 1\npolices: {}\n")
    told = run("explain", "fast", code=1)
    assert "policies/main.yaml:2:1: error: unknown key `polices`" in told.stderr
    assert told.stdout == ""


def test_the_document_holds_all_of_it(document, with_keys):
    told = document("explain", "fast", *SEARCH, *HELLO)
    assert list(told) == [
        "policy",
        "description",
        "place",
        "tenant",
        "user",
        "session",
        "tags",
        "prompted",
        "passes",
        "refusal",
        "rules",
        "offers",
        "dropped",
        "landing",
        "this_call",
        "branches",
        "budgets",
        "limits",
        "advice",
        "notes",
        "missing_keys",
        "effective",
        "asked",
    ]
    first = told["offers"][0]
    assert first["tokens"]["method"] == "exact"
    assert 0 < first["likely_nusd"] <= first["worst_nusd"]
    assert told["effective"][0] == {
        "name": "description",
        "text": "Short answers.",
        "place": {"file": "policies/main.yaml", "line": 7, "column": 5},
    }


def test_a_prompt_may_come_from_standard_input(run, with_keys):
    spoken = run("explain", "fast", *SEARCH, "--prompt", "-", input="What is the capital of France?\n").stdout
    assert spoken == run("explain", "fast", *SEARCH, *HELLO).stdout


def test_explaining_makes_no_file(run, with_keys, folder):
    run("explain", "fast", *SEARCH, *HELLO)
    assert [each.name for each in folder.iterdir()] == ["policies"]


def test_no_secret_and_no_prompt_is_told(run, with_keys):
    told = run("explain", "fast", *SEARCH, "--prompt", "a very private question", "--json").stdout
    assert "sk-" not in told
    assert "private" not in told


def test_prices_with_days_or_a_discount_are_told_today_and_later(run, folder):
    dated = 'price: {input_per_million: $2, output_per_million: $8, valid_from: "2098-12-01"}'
    text = (folder / "policies" / "main.yaml").read_text()
    text = text.replace("  openai: {}", f"  openai: {{discount: 20%, models: {{gpt-5-nano: {{{dated}}}}}}}")
    (folder / "policies" / "main.yaml").write_text(text)
    nano, later, haiku, note = section(run("explain", "fast").stdout, "prices")
    file_price = "{input_per_million: $0.04, output_per_million: $0.32, cached_per_million: $0.004}"
    assert nano.split(maxsplit=2) == ["openai/gpt-5-nano", "now", f"{file_price}, the price file's, 20% off"]
    assert later == "from 2098-12-01  {input_per_million: $1.60, output_per_million: $6.40}, 20% off"
    assert haiku.split(maxsplit=2)[:2] == ["anthropic/claude-haiku-4-5", "now"]
    assert note == "what is worst, below and above, is so on every one of these days"
    # 10,000 x $1.60 and 400 x $6.40 a million
    assert section(run("explain", "fast").stdout, "tried in this order")[1].split()[5] == "$0.01856"


def test_prices_of_the_file_alone_are_not_listed(run):
    assert "\nprices\n" not in run("explain", "fast").stdout
