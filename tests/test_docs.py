"""What README and docs show is run: every policy, every call, every command, every row of a table."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import pytest

from router.adapters.price_file import PriceFile
from router.cli import main
from router.decide.classify import FAILURES, TRANSIENT
from router.policy.load import load

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def numbered(language: str) -> list[object]:
    return [
        pytest.param(block, id=f"{page.name}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page, language), start=1)
    ]


@pytest.fixture
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with README's policy, the cases for it, and a config to import, where answers are made up."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "cheap-fast.yaml").write_text(blocks(ROOT / "README.md", "yaml")[0])
    cases = blocks(ROOT / "docs" / "testing.md", "yaml cases")[0]
    (tmp_path / "policies" / "cheap-fast.cases.yaml").write_text(cases)
    (tmp_path / "config.yaml").write_text(blocks(ROOT / "docs" / "import.md", "yaml config")[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")
    return tmp_path


@pytest.mark.parametrize("block", numbered("yaml"))
def test_every_policy_shown_passes_a_strict_check(block: str, tmp_path: Path) -> None:
    (tmp_path / "shown.yaml").write_text(block)
    loaded = load(tmp_path, PriceFile.load())
    assert loaded.problems == ()


POLICIES = """
version: 1
providers: {openai: {}, anthropic: {}, gemini: {}, groq: {}}
policies:
"""
TENANTS = """
version: 1
providers: {openai: {}, anthropic: {}}
policies:
  cheap-fast:
    targets: [openai/gpt-5-nano, anthropic/claude-haiku-4-5]
    ceiling: {input_tokens: 100k, output_tokens: 400}
tenants:
"""
SETTINGS = """
version: 1
providers: {openai: {}}
policies: {cheap-fast: {targets: [openai/gpt-5-nano]}}
settings:
"""
BEFORE = {"yaml policies": POLICIES, "yaml tenants": TENANTS, "yaml settings": SETTINGS}
"""What stands before a fragment, by the words of its fence: the rest of a file, up to the block it is a part of."""


@pytest.mark.parametrize(
    ("language", "block"),
    [pytest.param(kind, *each.values, id=str(each.id)) for kind in BEFORE for each in numbered(kind)],
)
def test_every_fragment_of_a_policy_file_passes_one_too(language: str, block: str, tmp_path: Path) -> None:
    (tmp_path / "shown.yaml").write_text(f"{BEFORE[language]}{indent(block, '  ')}")
    assert load(tmp_path, PriceFile.load()).problems == ()


@pytest.mark.parametrize("block", numbered("python"))
def test_every_call_shown_works(block: str, in_a_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block, "shown", "exec"), {"__name__": "shown"})  # noqa: S102 - our own page
    assert capsys.readouterr().out.strip()


def commands() -> Iterator[object]:
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in block.splitlines():
                if line.startswith("router ") and "demo" not in line:
                    yield pytest.param(line, id=f"{page.name}: {line[:60]}")


@pytest.mark.parametrize("line", list(commands()))
def test_every_command_shown_works(line: str, in_a_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(shlex.split(line, comments=True)[1:])
    told = capsys.readouterr()
    assert code == 0, told.err
    assert told.out.strip()


def test_the_failure_table_is_the_one_in_the_code() -> None:
    yes = {True: "yes", False: "no"}
    rows = re.findall(
        r"^\| `(\w+)` \|.*?\| (yes|no) \| (yes|no) \| (yes|no) \| (yes|no) \| (yes|no) \| (\w+) \|$",
        _page(),
        re.MULTILINE,
    )
    assert {kind: tuple(said) for kind, *said in rows} == {
        str(kind): (
            yes[rule.retry_here],
            yes[rule.another_key],
            yes[rule.next_target],
            yes[rule.breaker],
            yes[rule.stale],
            str(rule.charge),
        )
        for kind, rule in FAILURES.items()
    }
    listed = re.search(r"The set `transient` in a policy is `([^`]+)`", _page())
    assert listed is not None
    assert set(listed[1].split(", ")) == {str(kind) for kind in TRANSIENT}


def _page() -> str:
    return (ROOT / "docs" / "failures.md").read_text()


def test_every_law_of_the_readme_names_tests_that_exist() -> None:
    laws = re.findall(r"^\| \d .*\| (`tests/[^|]+`) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(laws) == 8  # all but reload's, which is to come
    named = [name for law in laws for name in re.findall(r"`([^`]+)`", law)]
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_readme_leads_to_every_page_once_in_its_list() -> None:
    further = (ROOT / "README.md").read_text().partition("\n## Further\n")[2]
    listed = re.findall(r"\]\((docs/[a-z]+\.md)\)", further)
    assert sorted(listed) == [str(page.relative_to(ROOT)) for page in PAGES[1:]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for name, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)", page.read_text()):
        found = page.parent / name if name else page
        assert found.exists(), name
        if anchor:
            headings = re.findall(r"^#+ (.*)$", found.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{name}#{anchor}"
