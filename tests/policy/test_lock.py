"""The lock file: what it states, what drifts from it, and that damage has a place."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.adapters.price_file import PriceFile
from router.errors import Problem
from router.plan import ModelFacts, TokenClass
from router.policy.drift import drift
from router.policy.load import Loaded, load, load_text
from router.policy.lock import LOCK_FILE, Lock, lock_of, lock_text
from router.policy.schema import check_form
from router.policy.source import read_text
from router.policy.table.lock import LOCK
from router.resources import resource
from tests.policy.books import Book, price_table

TEXT = """\
version: 1
providers: {openai: {}, anthropic: {}, vllm: {kind: hosted_vllm, base_url: "http://x", models: {odd: {context: 8k}}}}
policies:
  fast: {targets: [openai/small, anthropic/haiku, vllm/odd], ceiling: {output_tokens: 400}}
"""


class Changed(Book):
    """The book after an upgrade: another digest, and other facts of `small`."""

    digest = "1" * 64

    def __init__(self, **changes: Any) -> None:
        self.changes = changes

    def facts(self, kind: str, model: str) -> ModelFacts | None:
        found = super().facts(kind, model)
        return replace(found, **self.changes) if found and model == "small" else found


def lock(text: str = TEXT, book: Book | None = None) -> Lock:
    loaded = load_text(text, book or Book())
    assert loaded.plan is not None, [str(each) for each in loaded.problems]
    return lock_of(loaded.plan, loaded.documents, book or Book())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`policies/` with TEXT and its lock."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "a.yaml").write_text(TEXT, encoding="utf-8")
    (folder / LOCK_FILE).write_text(lock_text(lock()), encoding="utf-8")
    return folder


def told(loaded: Loaded) -> list[str]:
    return [f"{each.place.line} {each.severity}: {each.message}" for each in loaded.problems]


def test_it_states_a_fact_a_line() -> None:
    lines = lock_text(lock()).splitlines()
    assert lines[2:5] == ["version: 1", f'policies: "{lock().policies}"', f'prices: "{"0" * 64}"']
    at = lines.index("  openai/small:")
    assert lines[at : at + 11] == [
        "  openai/small:",
        "    input_per_million: $1",
        "    output_per_million: $2",
        "    cached_per_million: $0.1",
        "    context: 200000",
        "    max_output: 64000",
        "    supports: files json tools vision",
        "    tokens: margin",
        "    encoding: o200k_base",
        "    margin: 20%",
        "    overhead_tokens: 0",
    ]
    assert lines[lines.index("  vllm/odd:") + 1] == "    price_file: does not know it"


def test_nothing_drifts_from_what_was_just_locked(folder: Path) -> None:
    assert load(folder, Book(), frozen=True).problems == ()
    assert load(folder, Book(), frozen=True).plan is not None


def test_shipped_policies_and_the_real_book_are_locked_and_hold() -> None:
    prices = PriceFile.load()
    loaded = load(resource("policies"), prices)
    assert loaded.plan is not None
    found = lock_of(loaded.plan, loaded.documents, prices)
    document = read_text(lock_text(found), LOCK_FILE).document
    assert document is not None
    assert check_form(document, LOCK) == ()
    assert list(drift(document.root, found, frozen=True)) == []
    assert {"input_per_million", "context", "supports", "tokens"} <= found.targets["openai/gpt-5-nano"].keys()


def test_files_in_another_order_make_the_same_bytes() -> None:
    lines = TEXT.splitlines(keepends=True)
    assert lock_text(lock("".join((lines[0], *lines[2:], lines[1])))) == lock_text(lock())


FACTS: dict[str, tuple[dict[str, Any], str]] = {
    "a price": (
        {"prices": price_table(2 * 10**12, 2 * 10**12)},
        "input_per_million was `$1` when locked, and is `$2` now",
    ),
    "an unknown price": ({"prices": None}, "price was not stated when locked, and is `unknown` now"),
    "a context": ({"context_tokens": 100_000}, "context was `200000` when locked, and is `100000` now"),
    "an output": ({"max_output_tokens": None}, "max_output was `64000` when locked, and is not stated now"),
    "a capability": (
        {"supports": frozenset({"tools"})},
        "supports was `files json tools vision` when locked, and is `tools` now",
    ),
    "a margin": (
        {"tokens": TokenClass(method="margin", margin_percent=45)},
        "margin was `20%` when locked, and is `45%` now",
    ),
    "a token class": (
        {"tokens": TokenClass(method="exact")},
        "tokens was `margin` when locked, and is `exact` now",
    ),
    "a date": (
        {"deprecated_on": date(2027, 2, 1)},
        "deprecated_on was not stated when locked, and is `2027-02-01` now",
    ),
    "a fee": (
        {"prices": replace(price_table(10**12, 2 * 10**12), per_request_nusd=5_000_000)},
        "per_request was not stated when locked, and is `$0.005` now",
    ),
    "a tier": (
        {
            "prices": replace(
                price_table(10**12, 2 * 10**12),
                tiers=(
                    *price_table(10**12, 2 * 10**12).tiers,
                    replace(price_table(3 * 10**12, 2 * 10**12).tiers[0], above_tokens=128_000),
                ),
            )
        },
        "input_per_million_above_128000 was not stated when locked, and is `$3` now",
    ),
}


@pytest.mark.parametrize("what", FACTS)
def test_each_fact_drifts_by_its_name_with_old_and_new(folder: Path, what: str) -> None:
    changes, message = FACTS[what]
    loaded = load(folder, Changed(**changes))
    drifted = [each for each in loaded.problems if message in each.message]
    (found,) = drifted
    assert found.message == f"`openai/small`: {message}"
    assert (found.code, found.severity, found.place.file) == (
        "lock-drift",
        "warning",
        str(folder / LOCK_FILE),
    )
    line = (folder / LOCK_FILE).read_text(encoding="utf-8").splitlines()[found.place.line - 1]
    assert line.strip().split(":")[0] in (message.split()[0], "openai/small")
    assert {each.severity for each in loaded.problems} == {"warning"}
    assert loaded.plan is not None
    frozen = load(folder, Changed(**changes), frozen=True)
    assert frozen.plan is None
    assert {each.severity for each in frozen.problems} == {"error"}
    assert found.message in [each.message for each in frozen.errors]


def test_a_book_that_says_the_same_is_a_note_and_refused_when_frozen(folder: Path) -> None:
    message = "the price book is another one, and says the same of every target in use"
    shown = f"{message}: `{'0' * 12}` then, `{'1' * 12}` now"
    assert told(load(folder, Changed())) == [f"5 note: {shown}"]
    assert told(load(folder, Changed(), frozen=True)) == [f"5 error: {shown}"]


def test_edited_policies_are_a_note_and_refused_with_each_target_when_frozen(folder: Path) -> None:
    then = lock().policies[:12]
    edited = TEXT.replace("openai/small, ", "openai/large, ")
    (folder / "a.yaml").write_text(edited, encoding="utf-8")
    shown = f"the policies are not those that were locked: `{then}` then, `{lock(edited).policies[:12]}` now"
    assert told(load(folder, Book())) == [f"4 note: {shown}"]
    frozen = told(load(folder, Book(), frozen=True))
    assert frozen[0] == f"4 error: {shown}"
    assert "error: `openai/large` is in use, and was not when this was locked" in frozen[1]
    assert "error: `openai/small` was in use when this was locked, and is not now" in frozen[2]
    assert len(frozen) == 3


def test_facts_are_still_compared_beside_edited_policies(folder: Path) -> None:
    (folder / "a.yaml").write_text(TEXT.replace("400", "500"), encoding="utf-8")
    messages = "\n".join(told(load(folder, Changed(context_tokens=1_000))))
    assert "warning: `openai/small`: context was `200000` when locked, and is `1000` now" in messages


def test_a_price_that_the_policies_say_themselves_is_in_their_digest(folder: Path) -> None:
    own = TEXT.replace("openai: {}", "openai: {price: {input_per_million: $7, output_per_million: $9}}")
    (folder / "a.yaml").write_text(own, encoding="utf-8")
    (only,) = told(load(folder, Book()))
    assert "the policies are not those that were locked" in only


def test_a_target_that_was_taken_out_of_the_file_is_missed(folder: Path) -> None:
    text = lock_text(lock())
    (folder / LOCK_FILE).write_text(text[: text.index("  vllm/odd:")], encoding="utf-8")
    (only,) = load(folder, Book()).problems
    assert (only.severity, only.message) == (
        "warning",
        "`vllm/odd` is in use, and was not when this was locked",
    )


DAMAGED: dict[str, tuple[Callable[[str], str | bytes], str, int]] = {
    "cut in a digest": (lambda text: text[:220], "yaml", 4),
    "cut after a line": (lambda text: "\n".join(text.splitlines()[:4]) + "\n", "missing-key", 3),
    "an unknown key": (lambda text: text + "extra: 1\n", "unknown-key", 0),
    "another version": (lambda text: text.replace("version: 1", "version: 2"), "version", 3),
    "a short digest": (lambda text: text.replace("0" * 64, "0" * 63), "wrong-form", 5),
    "a fact that is a list": (
        lambda text: text.replace("context: 200000", "context: [200000]"),
        "wrong-form",
        0,
    ),
    "a fact without a value": (lambda text: text.replace("context: 200000", "context:"), "empty-value", 0),
    "a target twice": (lambda text: text + text[text.index("  vllm/odd:") :], "duplicate-key", 0),
    "a conflict of a merge": (lambda text: "<<<<<<< ours\n" + text, "yaml", 0),
    "empty": (lambda _: "", "missing-key", 0),
    "bytes": (lambda _: b"\xff\xfe\x00", "encoding", 0),
    "a list": (lambda _: "[]\n", "wrong-form", 1),
}


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_file_is_an_error_with_a_place_and_a_way_out(folder: Path, how: str, frozen: bool) -> None:
    damage, code, line = DAMAGED[how]
    damaged = damage((folder / LOCK_FILE).read_text(encoding="utf-8"))
    (folder / LOCK_FILE).write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    loaded = load(folder, Book(), frozen=frozen)
    assert loaded.plan is None
    assert code in {each.code for each in loaded.errors}
    for found in loaded.problems:
        assert found.place.file == str(folder / LOCK_FILE)
        assert found.help == "`router lock` writes the file anew"
        assert not line or found.place.line == line


def test_a_folder_in_its_place_is_told(folder: Path) -> None:
    (folder / LOCK_FILE).unlink()
    (folder / LOCK_FILE).mkdir()
    assert [found.code for found in load(folder, Book()).problems] == ["unreadable"]


def test_without_a_file_only_a_frozen_router_misses_it(folder: Path) -> None:
    (folder / LOCK_FILE).unlink()
    assert load(folder, Book()).problems == ()
    (found,) = load(folder, Book(), frozen=True).problems
    assert (found.severity, found.message) == ("error", "there is no lock file to hold on to")
    assert found.place.file == str(folder / LOCK_FILE)


def test_one_file_or_a_mapping_has_no_lock(folder: Path) -> None:
    assert load(folder / "a.yaml", Book()).problems == ()
    for source in (folder / "a.yaml", {"version": 1, "providers": {}, "policies": {}}):
        assert "lock-drift" in {found.code for found in load(source, Book(), frozen=True).errors}


def test_policies_with_mistakes_tell_those_and_no_drift(folder: Path) -> None:
    (folder / "a.yaml").write_text(TEXT.replace("openai/small", "openai/smal"), encoding="utf-8")
    assert {found.code for found in load(folder, Changed(context_tokens=1)).problems} == {"unknown-model"}


names = st.text(st.characters(exclude_categories=("Cs", "Zs", "Zl", "Zp")), min_size=1).filter(
    lambda text: not any(each.isspace() for each in text)
)


@settings(max_examples=200)
@given(
    st.dictionaries(
        names, st.one_of(st.text(min_size=1).filter(str.strip), st.integers(0, 10**12)), min_size=1
    )
)
def test_whatever_names_and_facts_hold_is_read_back(facts: dict[str, Any]) -> None:
    encodable = {name: value for name, value in facts.items() if not _has_surrogate(f"{name}{value}")}
    targets = {f"openai/{name}": {"fact": value} for name, value in encodable.items()}
    found = Lock(policies="a" * 64, prices="b" * 64, targets=targets)
    read = read_text(lock_text(found), LOCK_FILE)
    assert read.problems == ()
    assert read.document is not None
    assert list(drift(read.document.root, found, frozen=True)) == []


def _has_surrogate(text: str) -> bool:
    return any(0xD800 <= ord(each) <= 0xDFFF for each in text)


@settings(max_examples=150)
@given(data=st.data())
def test_any_edit_of_the_file_is_told_inside_it(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Bytes changed, taken out or put in: never a crash, and never silence about a fact."""
    text = lock_text(lock()).encode()
    at = data.draw(st.integers(text.index(b"version"), len(text) - 2))
    size = data.draw(st.integers(0, 3))
    edited = text[:at] + data.draw(st.binary(max_size=3)) + text[at + size :]
    folder = tmp_path_factory.mktemp("policies")
    (folder / "a.yaml").write_text(TEXT, encoding="utf-8")
    (folder / LOCK_FILE).write_bytes(edited)
    problems = load(folder, Book(), frozen=True).problems
    assert all(_is_inside(found, folder / LOCK_FILE, edited) for found in problems)
    if not problems:
        document = read_text(edited.decode(), LOCK_FILE).document
        assert document is not None
        assert document.value == read_text(text.decode(), LOCK_FILE).document.value  # type: ignore[union-attr]


def _is_inside(found: Problem, file: Path, content: bytes) -> bool:
    return (
        found.place.file == str(file) and found.place.line <= content.count(b"\n") + content.count(b"\r") + 1
    )


def test_a_cache_of_an_hour_is_a_fact_where_its_rate_is_stated() -> None:
    whole = price_table(10**12, 2 * 10**12)
    hour = replace(whole, tiers=(replace(whole.tiers[0], cache_write_1h_ausd=2 * 10**12),))
    same = replace(whole, tiers=(replace(whole.tiers[0], cache_write_1h_ausd=10**12),))
    assert lock(book=Changed(prices=hour)).targets["openai/small"]["cache_write_1h_per_million"] == "$2"
    for book in (Changed(prices=same), Changed(prices=whole)):
        assert "cache_write_1h_per_million" not in lock(book=book).targets["openai/small"]
    assert "cache_write_1h_per_million: $2" in lock_text(lock(book=Changed(prices=hour)))


def test_prices_that_policies_write_are_in_their_digest_and_not_in_the_facts() -> None:
    dated = TEXT.replace("openai: {}", 'openai: {discount: {off: 20%, valid_from: "2026-12-01"}}')
    assert lock(dated).targets == lock().targets
    assert lock(dated).prices == lock().prices
    assert lock(dated).policies != lock().policies
