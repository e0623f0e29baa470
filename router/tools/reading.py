"""A router that is only asked: policies checked and compiled, the state of others read, and no file made."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from router.client import Router
from router.client.assembly import (
    MEMORY,
    build_ports,
    file_of,
    is_server,
    state_place,
    warn_of_unused_state,
)
from router.client.calls import build_request
from router.errors import PolicyError, RequestError
from router.policy.load import Loaded
from router.values import Message, Request


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
    warn_of_unused_state(loaded.plan)
    place = state_place(loaded.plan, None)
    kept = place != MEMORY and (is_server(place) or file_of(place).exists())
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


def writing_router(loaded: Loaded) -> Router:
    """One that changes the state that calls use, and makes it where none was kept yet. Raises RequestError where there
    is none beyond a process."""
    assert loaded.plan is not None  # noqa: S101 - loaded_policies saw to it
    warn_of_unused_state(loaded.plan)
    if state_place(loaded.plan, None) == MEMORY:
        raise RequestError(
            "this state is kept in memory: another process can't reach it",
            help="name the state of the routers that are meant in ROUTER_STATE, or call the method of the router",
        )
    ports = build_ports(
        loaded.plan, suspends=False, state=None, cache=MEMORY, transport=None, clock=None, sinks=()
    )
    return Router(loaded.plan, loaded.warnings, ports)


def asked(router: Router, messages: Sequence[Message], *, policy: str, **arguments: Any) -> Request:
    """The request of a call, or without messages of one that has not been written yet. Raises RequestError."""
    placeholder: Sequence[Message] = ({"role": "user", "content": ""},)
    request = build_request(
        router.plan, router.ports.draw.id(), messages or placeholder, policy=policy, **arguments
    )
    return request if messages else replace(request, messages=())
