"""`router record`, against the fake provider: real HTTP on this machine."""

import pytest

from router.testing import Answer, FakeProvider, RateLimited, ServerError

POLICIES = """\
version: 1
providers: {openai: {base_url: {env: FAKE_URL}}}
policies:
  fast:
    targets: [openai/gpt-5-nano, openai/gpt-5-mini]
    retry: off
    ceiling: {output_tokens: 100}
"""

SCRIPT = """\
- {policy: fast, prompt: Hello}
- {policy: fast, prompt: Boo, only: [openai/gpt-5-nano], fails: true}
"""


@pytest.fixture
def provider(folder, monkeypatch):
    (folder / "policies" / "main.yaml").write_text(POLICIES)
    (folder / "calls.yaml").write_text(SCRIPT)
    with FakeProvider() as running:
        running.script("gpt-5-nano", [RateLimited(), ServerError()])
        running.script("gpt-5-mini", [Answer("Hello yourself.")])
        monkeypatch.setenv("FAKE_URL", running.base_url("openai"))
        monkeypatch.setenv("OPENAI_API_KEY", "sk-a-real-secret")
        yield running


def test_a_script_is_recorded_and_replayed(run, provider, folder, document):
    told = run("record", "--into", "tapes/a.yaml", "--script", "calls.yaml", "--synthetic")
    assert told.stdout == "wrote tapes/a.yaml: 3 exchanges\n"
    lines = told.stderr.splitlines()
    assert lines[0] == "1/2 fast (calls.yaml:1:3)"
    assert "openai/gpt-5-nano failed after" in lines[1]
    assert lines[3] == "2/2 fast (calls.yaml:2:3)"
    assert lines[4].startswith("  no answer, as meant: ")
    assert provider.request_count == 3
    assert "sk-a-real-secret" not in (folder / "tapes" / "a.yaml").read_text()
    replayed = run("complete", "fast", "Hello", "--replay", "tapes/a.yaml")
    assert replayed.stdout == "Hello yourself.\n"
    assert "gpt-5-nano failed after" in replayed.stderr
    assert provider.request_count == 3
    assert document("usage")["total"]["attempts"] == 0  # synthetic, replayed: neither is spend


def test_one_call_is_recorded_and_charged(run, provider, document):
    told = document("record", "--into", "b.yaml", "fast", "Hello")
    assert told == {
        "cassette": "b.yaml",
        "exchanges": 2,
        "calls": [
            {"place": "the command line", "target": "openai/gpt-5-mini", "error": None, "as_meant": True}
        ],
    }
    assert document("usage")["total"]["attempts"] == 2


def test_an_outcome_that_was_not_meant_is_a_problem_and_kept_all_the_same(run, provider, folder):
    (folder / "calls.yaml").write_text("- {policy: fast, prompt: Hello, fails: true}\n")
    told = run("record", "--into", "c.yaml", "--script", "calls.yaml", "--synthetic", code=1)
    assert "it was meant to end without an answer" in told.stderr
    assert told.stdout == "wrote c.yaml: 2 exchanges\n"


def test_a_call_that_reaches_no_provider_leaves_no_cassette(run, provider, folder):
    told = run("record", "--into", "d.yaml", "fats", "Hello", code=1)
    assert "unknown policy `fats` (did you mean `fast`?)" in told.stderr
    assert not (folder / "d.yaml").exists()


def test_a_cassette_is_not_overwritten_unasked(run, provider, folder):
    (folder / "e.yaml").write_text("precious")
    told = run("record", "--into", "e.yaml", "fast", "Hello", code=2).stderr
    assert told == "error: `e.yaml` is there already\nhelp: --force overwrites it; another name keeps both\n"
    assert (folder / "e.yaml").read_text() == "precious"
    run("record", "--into", "e.yaml", "fast", "Hello", "--synthetic", "--force")
    assert (folder / "e.yaml").read_text() != "precious"


@pytest.mark.parametrize(
    "arguments", [[], ["fast"], ["fast", "Hello", "--script", "calls.yaml"]], ids=" ".join
)
def test_one_call_or_a_script(run, arguments):
    assert "but not both" in run("record", "--into", "f.yaml", *arguments, code=2).stderr


def test_a_faulty_script_is_told_before_anything_is_sent(run, provider, folder):
    (folder / "calls.yaml").write_text("- {policy: fast, promt: Hello}\n")
    told = run("record", "--into", "g.yaml", "--script", "calls.yaml", code=1).stderr
    assert told.startswith("calls.yaml:1:3: error: a call has either")
    assert "unknown key `promt` (did you mean `prompt`?)" in told
    assert provider.request_count == 0
    told = run("record", "--into", "g.yaml", "--script", "nowhere.yaml", code=1).stderr
    assert told == "error: `nowhere.yaml`: no such file or directory\n"


def test_what_may_never_be_logged_is_not_recorded(run, provider, folder):
    tenants = "tenants:\n  acme: {policies: all, content: {log: never}}\n  acme/x: {}\n"
    (folder / "policies" / "tenants.yaml").write_text(f"version: 1\n{tenants}")
    told = run("record", "--into", "c.yaml", "fast", "Hello", "--tenant", "acme/x", code=2)
    assert "the calls of tenant `acme/x` are not recorded" in told.stderr
    assert provider.request_count == 0
    assert not (folder / "c.yaml").exists()
