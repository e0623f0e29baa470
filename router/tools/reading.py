"""A router that is only asked: policies checked and compiled, the state of others read, and no file made."""

from pathlib import Path

from router.client import Router
from router.client.assembly import MEMORY, build_ports, state_place
from router.errors import PolicyError
from router.policy.load import Loaded


def loaded_policies(policies: Path) -> Loaded:
    """The plan with the documents it came from. Raises PolicyError with every problem where there is no plan."""
    from router.adapters.price_file import PriceFile
    from router.policy.load import load

    loaded = load(policies, PriceFile.load())
    if loaded.plan is None:
        raise PolicyError(loaded.problems)
    return loaded


def reading_router(loaded: Loaded) -> Router:
    """Where no state was ever kept there is nothing to read, and nothing is made."""
    assert loaded.plan is not None  # noqa: S101 - loaded_policies saw to it
    place = state_place(loaded.plan, None)
    kept = place != MEMORY and Path(place).exists()
    ports = build_ports(
        loaded.plan,
        suspends=False,
        state=None if kept else MEMORY,
        cache=MEMORY,
        transport=None,
        clock=None,
        sinks=(),
    )
    return Router(loaded.plan, loaded.warnings, ports)
