"""docs/language.md says of every key where it may stand, and of every word of later that it is refused there."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from router.policy.forms import Block, blocks
from router.policy.table.root import ROOT

PAGE = (Path(__file__).parent.parent / "docs" / "language.md").read_text(encoding="utf-8")
BLOCKS: Mapping[str, Block] = {block.ref: block for block in blocks(ROOT)}

PLACES = {"key": "apiKey", "each": "eachScope"}
"""Columns of the table of places whose block has another name."""

INSIDES: Mapping[str, Sequence[str]] = {
    "a file": ["document"],
    "`price` of a model or provider": ["price"],
    "`above` in `price`": ["priceTier"],
    "the long form of `discount`": ["discount"],
    "`max_price`": ["maxPrice"],
    "`retry`": ["retry"],
    "`timeout` of a policy": ["timeout"],
    "`breaker` of a provider or model": ["breaker"],
    "`timeout` of a target": ["targetTimeout"],
    "`ceiling`": ["ceiling"],
    "`cache` of a policy": ["cache"],
    "an item of `rules`": ["rule"],
    "`when`": ["when"],
    "`not`": ["not"],
    "`input_tokens`, `output_tokens` in `when`": ["between"],
    "`local_time`": ["localTime"],
    "`budget_used`": ["budgetUsed"],
    "`each` of a tenant": ["each"],
    "`content`": ["content"],
    "`on_store_error`": ["onStoreError"],
    "`limits`": ["limits"],
    "a window's long form, of a budget": ["moneyWindow", "countWindow"],
    "a window's long form, of a limit": ["rateWindow"],
    "`when_spent`": ["whenSpent"],
}
"""Blocks by what the page calls them."""

LATER: Mapping[str, Sequence[str]] = {
    "policy": ["policy"],
    "target": ["target"],
    "`when`": ["when", "not"],
    "provider": ["provider"],
    "key": ["apiKey"],
    "tenant": ["tenant"],
    "settings": ["settings"],
}


def test_what_is_numbered_is_numbered_in_order() -> None:
    """References from elsewhere, as (9.8), are by number."""
    for section in re.split("^## ", PAGE, flags=re.MULTILINE):
        numbers = [int(each) for each in re.findall(r"^([0-9]+)\. ", section, re.MULTILINE)]
        assert numbers == list(range(1, len(numbers) + 1)), section.partition("\n")[0]


def test_the_store_that_fails_is_where_it_is_said_to_be() -> None:
    (number,) = re.findall(r"when one of them fails \(9\.([0-9])\)", PAGE)
    ninth = PAGE.partition("## 9 ")[2].partition("\n## ")[0]
    assert f"\n{number}. `settings.on_store_error`" in ninth


def rows(mark: str) -> list[list[str]]:
    """The cells of the table below a mark, its heading first."""
    found = re.search(rf"^<!-- {mark}: .*? -->\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert found is not None, f"the page has lost its mark: {mark}"
    lines = [line for line in found[1].splitlines() if not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def words(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell))


def inside() -> Mapping[str, set[str]]:
    """What the page says stands in each block; rows of one block, `limits: tokens`, add up."""
    found: dict[str, set[str]] = {}
    for name, keys in rows("insides")[1:]:
        found.setdefault(name.partition(":")[0], set()).update(words(keys))
    return found


REFERENCES = ("address", "state", "cachePlace")
"""Text, or where the text is: `{env: NAME}`, `{file: PATH}`."""

HEADING, *STANDING = rows("places")


@pytest.mark.parametrize("place", HEADING[1:])
def test_the_table_of_places_is_the_one_of_the_language(place: str) -> None:
    column = HEADING.index(place)
    said = {word for row in STANDING if row[column] == "x" for word in words(row[0])}
    assert said == set(BLOCKS[PLACES.get(place, place)].keys)


def test_a_budget_is_the_windows_of_a_pool_and_a_pool() -> None:
    assert set(BLOCKS["budget"].keys) == {*BLOCKS["pool"].keys, "pool"} - {"was"}
    for ref in REFERENCES:
        assert set(BLOCKS[ref].keys) == {"env", "file"}


@pytest.mark.parametrize("name", INSIDES)
def test_the_insides_of_a_block_are_those_of_the_language(name: str) -> None:
    for ref in INSIDES[name]:
        assert inside()[name] == set(BLOCKS[ref].keys)


def test_every_block_is_on_the_page() -> None:
    places = {PLACES.get(place, place) for place in HEADING[1:]}
    insides = {ref for refs in INSIDES.values() for ref in refs}
    assert places | insides | {"budget", *REFERENCES} == BLOCKS.keys()
    assert inside().keys() == INSIDES.keys()


def test_every_word_of_later_is_on_the_page() -> None:
    said = {name: words(cell) for name, cell in rows("later")[1:]}
    assert said.keys() == LATER.keys()
    for name, refs in LATER.items():
        for ref in refs:
            assert said[name] == set(BLOCKS[ref].later)
    assert {block.ref for block in BLOCKS.values() if block.later} == {
        ref for refs in LATER.values() for ref in refs
    }
