"""Each kind of change, as its reviewer reads it: `pairs/NAME` holds both files and what is told."""

from dataclasses import replace
from pathlib import Path

import pytest

from router.tools.diff import compare
from router.tools.diff.told.text import as_text
from tests.tools.diff.parts import PAIRS, pair

NAMES = sorted(folder.name for folder in PAIRS.iterdir())


def as_told(name: str) -> str:
    """What `check` finds is left to the pair of that name: the others need not change with every new lint."""
    found = compare(*pair(name))
    shown = found if name == "findings" else replace(found, new_findings=(), gone_findings=())
    return f"{as_text(shown)}\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_change_is_told(name: str) -> None:
    expected: Path = PAIRS / name / "told.txt"
    assert as_told(name) == expected.read_text()


def test_there_is_a_pair_for_every_kind_of_change() -> None:
    seen = set()
    for name in NAMES:
        found = compare(*pair(name))
        seen |= {each.area for each in found.changes} | {each.effect for each in found.changes}
        seen |= {
            part for part in ("routes", "bounds", "new_findings", "gone_findings") if getattr(found, part)
        }
    assert seen == {
        *("policies", "callers", "ceilings", "budgets", "settings", "catalog"),
        *("loosens", "both", "tightens", "neither"),
        *("routes", "bounds", "new_findings", "gone_findings"),
    }
