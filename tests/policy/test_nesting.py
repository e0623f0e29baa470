"""How deep policies may be nested: told as a problem, whatever order they stand in."""

from collections.abc import Sequence

import pytest

from router.policy.load import load
from router.policy.names import DEEPEST_NESTING
from tests.policy.books import Book


def nested(levels: Sequence[int]) -> dict[str, object]:
    below = {0: "openai/small"}
    policies = {f"p{level}": {"targets": [below.get(level, {"policy": f"p{level - 1}"})]} for level in levels}
    return {"version": 1, "providers": {"openai": {}}, "policies": policies}


@pytest.mark.parametrize("step", [1, -1], ids=["deepest first", "deepest last"])
@pytest.mark.parametrize(
    ("levels", "codes"),
    [(DEEPEST_NESTING + 1, set()), (DEEPEST_NESTING + 2, {"too-deep"}), (3000, {"too-deep"})],
)
def test_policies_nested_without_end_are_a_problem(levels: int, codes: set[str], step: int) -> None:
    assert {found.code for found in load(nested(range(levels)[::step]), Book()).problems} == codes
