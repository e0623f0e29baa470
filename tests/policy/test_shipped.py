"""The policies that ship with the package: without a single problem against the real price file."""

from datetime import date
from pathlib import Path

import pytest

from router.adapters.price_file import PriceFile
from router.decide.bounds import policy_bounds
from router.policy.load import Loaded, load
from router.resources import resource

RELEASED = date(2026, 11, 21)


@pytest.fixture(scope="module")
def shipped() -> Loaded:
    return load(resource("policies"), PriceFile.load(), today=RELEASED)


def test_they_have_no_problem_at_all(shipped: Loaded) -> None:
    assert [str(problem) for problem in shipped.problems] == []
    assert shipped.plan is not None


def test_what_the_demo_and_the_readme_call_is_there(shipped: Loaded) -> None:
    assert shipped.plan is not None
    assert {"cheap-fast", "smart", "last-resort"} <= shipped.plan.policies.keys()
    assert {"acme", "acme/search", "acme/legal", "acme/intern"} <= shipped.plan.tenants.keys()


def test_every_price_and_context_is_known(shipped: Loaded) -> None:
    assert shipped.plan is not None
    for target in shipped.plan.targets.values():
        assert target.prices is not None
        assert target.context_tokens is not None
        assert target.max_output_tokens is not None


def test_no_call_of_them_is_unbounded(shipped: Loaded) -> None:
    assert shipped.plan is not None
    for policy in shipped.plan.policies.values():
        assert all(bound.cost_nusd is not None for bound in policy_bounds(shipped.plan, policy))


@pytest.mark.parametrize("path", sorted(resource("policies").glob("*.yaml")), ids=lambda path: path.name)
def test_editors_find_the_schema(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    _, _, schema = first.partition("$schema=")
    assert first.startswith("# yaml-language-server: ")
    kind = "cases" if path.name.endswith(".cases.yaml") else "router"
    assert (path.parent / schema).resolve() == resource(f"schemas/{kind}.schema.json").resolve()
