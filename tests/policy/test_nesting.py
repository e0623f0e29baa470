"""How deep policies may be nested: told as a problem, whatever order they stand in."""

from collections.abc import Sequence

import pytest

from router.policy.extends import LONGEST_LINE
from router.policy.load import load
from router.policy.names import DEEPEST_NESTING
from tests.policy.books import Book
from tests.world import World


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


def layered(layers: int, *, budgets: bool) -> dict[str, object]:
    """Both policies of a layer nest both of the next one: 2 ** `layers` ways to the last. With budgets of their own no
    two ways add up to the same."""
    policies: dict[str, dict[str, object]] = {
        f"p{layer}x{each}": {"targets": [{"policy": f"p{layer + 1}x{below}"} for below in range(2)]}
        for layer in range(layers)
        for each in range(2)
    }
    for name in policies if budgets else ():
        policies[name]["budget"] = {"per_day": "$1"}
    policies |= {f"p{layers}x{each}": {"targets": ["openai/small"]} for each in range(2)}
    for policy in policies.values():
        policy["ceiling"] = {"output_tokens": 10}
    return {"version": 1, "providers": {"openai": {}}, "policies": policies}


@pytest.mark.parametrize(
    ("layers", "budgets", "codes"),
    [(10, True, []), (30, False, []), (11, True, ["too-deep"] * 2), (30, True, ["too-deep"] * 2)],
)
def test_ways_that_multiply_are_a_problem_before_a_call_has_to_go_them(
    layers: int, budgets: bool, codes: list[str]
) -> None:
    loaded = load(layered(layers, budgets=budgets), Book())
    assert [found.code for found in loaded.errors] == codes
    assert all(f"`p{layers - 11}x" in found.message for found in loaded.errors)


def test_a_call_goes_a_way_once() -> None:
    plan = load(layered(30, budgets=False), Book()).plan
    assert plan is not None
    assert World(plan).call(policy="p0x0").target == "openai/small"


@pytest.mark.parametrize(
    ("parents", "codes"), [(LONGEST_LINE, set()), (LONGEST_LINE + 1, {"too-deep"}), (3000, {"too-deep"})]
)
@pytest.mark.parametrize("step", [1, -1], ids=["last first", "last last"])
def test_parents_without_end_are_a_problem(parents: int, codes: set[str], step: int) -> None:
    first = {"p0": {"targets": ["openai/small"]}}
    line = {f"p{each}": {"extends": f"p{each - 1}"} for each in range(1, parents + 1)}
    policies = dict(list({**first, **line}.items())[::step])
    files = {"version": 1, "providers": {"openai": {}}, "policies": policies}
    loaded = load(files, Book())
    assert {found.code for found in loaded.errors} == codes
    assert len(loaded.errors) == max(0, parents - LONGEST_LINE)


def test_a_long_circle_of_parents_is_refused() -> None:
    policies = {f"p{each}": {"extends": f"p{(each + 1) % 3000}"} for each in range(3000)}
    files = {"version": 1, "providers": {"openai": {}}, "policies": policies}
    assert {found.code for found in load(files, Book()).errors} == {"too-deep"}
