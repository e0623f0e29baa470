"""One line of the shipped `policies/cheap-fast.yaml` is edited: the next router and the next command do as it says."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from router import Reply, Router
from router.cli.app import app
from router.resources import resource
from router.testing import FAKE_KEY, Answer, FakeProvider

NANO, MINI, HAIKU = "openai/gpt-5-nano", "openai/gpt-5-mini", "anthropic/claude-haiku-4-5"
KINDS = ("openai", "anthropic", "gemini", "groq")

pytestmark = pytest.mark.usefixtures("warm")


@pytest.fixture
def shipped(tmp_path: Path, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shipped policies, at addresses of the fake provider, which says who it was asked as."""
    policies = tmp_path / "policies"
    shutil.copytree(resource("policies"), policies, copy_function=shutil.copyfile)
    lines = [f'  {kind}: {{base_url: "{provider.base_url(kind)}"}}' for kind in KINDS]
    (policies / "providers.yaml").write_text(
        "\n".join(["version: 1", "providers:", *lines, ""]), encoding="utf-8"
    )
    for kind in KINDS:
        monkeypatch.setenv(f"{kind.upper()}_API_KEY", FAKE_KEY)
    for target in (NANO, MINI, HAIKU):
        provider.script(target, Answer(f"I am {target}"))
    return policies


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"`{old}` does not stand once in {file.name}"
    file.write_text(text.replace(old, new), encoding="utf-8")


def ask(policies: Path) -> Reply:
    """One call of a router that is opened for it."""
    with Router.open(policies) as router:
        return router.complete("Hello", policy="cheap-fast", tenant="acme/search")


def command(policies: Path) -> tuple[str, str]:
    """What `router complete` says on standard output, and beside it."""
    arguments = ["complete", "cheap-fast", "Hello", "--tenant", "acme/search", "--policies", str(policies)]
    result = CliRunner().invoke(app, arguments, prog_name="router")
    assert result.exit_code == 0, result.output
    return result.stdout.strip(), result.stderr


def test_another_target_answers_the_next_router_and_the_next_command(shipped: Path):
    assert (ask(shipped).text, ask(shipped).cached) == (f"I am {NANO}", True)
    assert command(shipped)[0] == f"I am {NANO}"
    edit(shipped / "cheap-fast.yaml", f"- model: {NANO}", f"- model: {MINI}")
    said, beside = command(shipped)
    assert said == f"I am {MINI}"
    assert "cache" not in beside
    reply = ask(shipped)
    assert (reply.text, reply.target, reply.cached) == (f"I am {MINI}", MINI, True)
    edit(shipped / "cheap-fast.yaml", f"- model: {MINI}", f"- model: {NANO}")
    assert (ask(shipped).target, command(shipped)[0]) == (NANO, f"I am {NANO}")


@pytest.mark.parametrize(
    ("old", "new", "target"),
    [
        (f"- model: {NANO}", f"- model: {MINI}", MINI),
        (f"      - {HAIKU}\n", "", NANO),
        ("{reasoning_effort: minimal}", "{reasoning_effort: low}", NANO),
        ("output_tokens: 1k", "output_tokens: 900", NANO),
        ("ttl: 1h", "ttl: 1ms", NANO),
        ("    cache: {ttl: 1h, scope: tenant, sampled: true}\n", "", NANO),
        ("tenant, sampled: true", "tenant, sampled: false", NANO),
    ],
    ids=["target", "fallback", "parameter", "ceiling", "ttl", "no cache", "sampled"],
)
def test_no_edit_is_answered_from_what_was_kept_before_it(
    shipped: Path, provider: FakeProvider, old: str, new: str, target: str
):
    assert [ask(shipped).cached for _ in range(2)] == [False, True]
    edit(shipped / "cheap-fast.yaml", old, new)
    reply = ask(shipped)
    assert (reply.cached, reply.target, reply.text) == (False, target, f"I am {target}")
    assert provider.request_count == 2


def test_an_edit_of_what_is_no_part_of_an_answer_keeps_what_was_kept(shipped: Path):
    ask(shipped)
    edit(shipped / "cheap-fast.yaml", "description: Short answers", "description: Very short answers")
    edit(shipped / "cheap-fast.yaml", "per_day: $25", "per_day: $20")
    assert ask(shipped).cached


def test_a_bad_edit_is_told_and_nothing_is_sent(shipped: Path, provider: FakeProvider):
    file = shipped / "cheap-fast.yaml"
    edit(file, f"- model: {NANO}", "- model: openai/gpt-5-nanno")
    line = file.read_text(encoding="utf-8").partition("gpt-5-nanno")[0].count("\n") + 1
    arguments = ["complete", "cheap-fast", "Hello", "--tenant", "acme/search", "--policies", str(shipped)]
    result = CliRunner().invoke(app, arguments, prog_name="router")
    assert result.exit_code == 1
    assert f"cheap-fast.yaml:{line}:" in result.stderr
    assert f"did you mean `{NANO}`" in result.stderr or "did you mean `gpt-5-nano`" in result.stderr
    assert provider.requests == ()
