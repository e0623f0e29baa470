"""Fuzzing of the reader, the schema and the passes: bytes in, promises kept.

By hand, with coverage as a guide (`pip install atheris`), new inputs kept in a folder of one's own:

    python -m tests.fuzz.fuzz_reader CORPUS_FOLDER -max_total_time=600 -max_len=4096

What it finds it leaves in a file and says so; `python -m tests.fuzz.fuzz_reader FILE` runs that one again.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

from router.policy.accept import acceptor
from router.policy.json_schema import inlined, json_schema
from router.policy.load import load_reads, read_bytes
from router.policy.schema import strict_validator
from router.policy.table.root import ROOT
from tests.policy.books import Book
from tests.policy.promises import check_load
from tests.policy.second_reader import compare

FIXTURES = Path(__file__).parent.parent / "policy" / "fixtures"
ACCEPTS = acceptor(inlined(json_schema(ROOT)))
VALID = strict_validator(ROOT).is_valid
BOOK = Book()


def one_input(body: bytes) -> None:
    """Raises where a promise is broken."""
    read = read_bytes(body, "a.yaml")
    loaded = load_reads([read], BOOK)
    check_load(loaded, body.decode("utf-8", errors="replace"), read.document)
    assert load_reads([read_bytes(body, "a.yaml")], BOOK).problems == loaded.problems
    if read.document is not None:
        assert ACCEPTS(read.document.value) is VALID(read.document.value)
        if not read.problems:
            compare(body.decode("utf-8"))


def seeds() -> Iterator[bytes]:
    """Every good and every bad document of the tests."""
    for path in sorted(FIXTURES.glob("*.yaml")):
        yield path.read_bytes()


def words() -> Iterator[str]:
    """What is worth putting together: the words of the language, and what YAML makes something of."""
    known = {step for seed in seeds() for step in seed.decode().replace("{", " ").replace(":", " ").split()}
    yield from sorted(known)
    yield from (
        "&a",
        "*a",
        "!!str",
        "<<: ",
        "? ",
        "- ",
        "\t",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        ">-\n",
        "|\n",
        "~",
        "0x1",
    )


def main() -> None:
    """Hands everything to atheris."""
    import atheris

    folder = Path(sys.argv[1])
    if folder.is_dir():
        for number, seed in enumerate(seeds()):
            (folder / f"seed-{number:03}").write_bytes(seed)
        dictionary = folder.with_suffix(".dict")
        dictionary.write_text("\n".join(map(_entry, words())), encoding="utf-8")
        sys.argv.append(f"-dict={dictionary}")
    for function in _ours():
        atheris.instrument_func(function)
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


def _entry(word: str) -> str:
    """A line of libFuzzer's dictionary."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"'


def _ours() -> Iterator[FunctionType]:
    """Every function of the router that is loaded: what coverage is counted of."""
    for name, module in list(sys.modules.items()):
        if name.startswith("router."):
            for each in vars(module).values():
                inside = vars(each).values() if isinstance(each, type) else [each]
                yield from (
                    found for found in inside if isinstance(found, FunctionType) and found.__module__ == name
                )


if __name__ == "__main__":
    main()
