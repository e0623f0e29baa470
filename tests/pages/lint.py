"""docs/lint.md: what is written above its mark by hand, and below it every code with its fixtures and its messages."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from router.policy.codes import FILES, FORM, MEANING, NAMES, Code
from router.policy.load import LARGEST_FILE, load, load_text
from router.policy.lock import lock_of, lock_text
from tests.policy.books import Book

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "lint.md"
FIXTURES = CHECKOUT / "tests" / "policy" / "fixtures"
MARK = "<!-- Printed from here on, from the codes and their fixtures: python -m tests.pages -->\n"
GROUPS: Mapping[str, Mapping[str, Code]] = {
    "Files and YAML": FILES,
    "Form": FORM,
    "Names": NAMES,
    "Meaning": MEANING,
}


def lint_page() -> str:
    by_hand, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    assert mark, f"{PAGE} has lost its mark: {MARK}"
    return "\n".join([by_hand + mark, *_table(), *_sections()])


def _table() -> Iterator[str]:
    yield "| code | severity | what it finds |\n|---|---|---|"
    for codes in GROUPS.values():
        for name, code in codes.items():
            yield f"| [`{name}`](#{name}) | {_severity(code)} | {code.what} |"
    yield ""


def _sections() -> Iterator[str]:
    for title, codes in GROUPS.items():
        yield f"## {title}\n"
        for name, code in codes.items():
            yield from _section(name, code)


def _section(name: str, code: Code) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"{_severity(code).capitalize()}: {code.what}. {code.why}\n"
    if name in OF_FILES:
        told, files = OF_FILES[name]
        yield f"{told}:\n"
        yield _fenced("text", _of_files(files))
        return
    yield _fenced("yaml bad", _fixture(f"{name}.bad.yaml"))
    yield _fenced("text", _fixture(f"{name}.bad.txt"))
    yield "Instead:\n"
    yield _fenced("yaml good", _fixture(f"{name}.good.yaml"))


def _severity(code: Code) -> str:
    return " or ".join(code.severities)


def _fixture(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


def _drifted() -> bytes:
    """The lock of LOCKED, from when a model was cheaper."""
    loaded = load_text(LOCKED, Book())
    assert loaded.plan is not None
    text = lock_text(lock_of(loaded.plan, loaded.documents, Book()))
    return text.replace("input_per_million: $1", "input_per_million: $0.9").encode()


LOCKED = "version: 1\nproviders: {openai: {}}\npolicies: {fast: {targets: [openai/small]}}\n"
OF_FILES: Mapping[str, tuple[str, Mapping[str, bytes]]] = {
    "no-policies": ("A folder without YAML files, or no folder at all", {}),
    "unreadable": (
        "A file of more than 4 MB, a pipe, or a file that this user may not read",
        {"everything.yaml": b"#" * (LARGEST_FILE + 1)},
    ),
    "encoding": (
        "A file that an old editor saved as Latin-1",
        {"cafe.yaml": "version: 1 # café\n".encode("latin-1")},
    ),
    "lock-drift": (
        "A `router.lock` from before a model's price went up",
        {"fast.yaml": LOCKED.encode(), "router.lock": _drifted()},
    ),
}
"""Codes about files rather than about what stands in them: the sentence that says when, and files that show it."""


def _of_files(files: Mapping[str, bytes]) -> str:
    """What checking a folder `policies` of these files says."""
    with TemporaryDirectory() as below:
        folder = Path(below) / "policies"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        told = "\n".join(str(found) for found in load(folder, Book()).problems)
    return told.replace(f"{Path(below).as_posix()}/", "")
