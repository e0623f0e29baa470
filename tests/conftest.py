"""What every test stands on: only this machine, no settings or keys of the user, recordings where there are any.

Tests of coroutines call `asyncio.run`; there is no plugin for it.
"""

import os
import socket
import warnings
from collections.abc import Generator, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

from tests.recordings import recordings_folder

# The same examples every time, and no verdict from a busy machine's clock.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.register_profile(
    "mutants", settings.get_profile("repeatable"), phases=(Phase.explicit, Phase.generate)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

BLOCKED = pytest.StashKey[list[str]]()


class NetworkBlocked(RuntimeError):
    """A test reached for another machine."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[BLOCKED] = []
    if os.environ.get("WIRE") == "litellm":  # every test of this process on litellm's own wire
        from router.policy import lean_kinds

        lean_kinds.LEAN_KINDS = frozenset()
    for name in list(os.environ):
        if name != "ROUTER_RECORDINGS" and (name.startswith("ROUTER_") or name.endswith("_API_KEY")):
            del os.environ[name]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """The whole suite runs on every core, file by file; a few named tests run here, where they are looked at."""
    return None if config.args == config.getini("testpaths") else 0


def pytest_unconfigure(config: pytest.Config) -> None:
    """The tests are over: what litellm's own pools say while the interpreter ends is no news of ours."""
    warnings.simplefilter("ignore", ResourceWarning)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without recordings their tests leave; tests/test_recordings_present.py stays and says so with one skip."""
    if recordings_folder() is not None:
        return
    without = [item for item in items if _wants_recordings(item)]
    if without:
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in set(without)]


def _wants_recordings(item: pytest.Item) -> bool:
    return item.get_closest_marker("recordings") is not None or "recordings" in getattr(
        item, "fixturenames", ()
    )


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recorded exchanges. A test that asks for it is left out where there are none."""
    folder = recordings_folder()
    assert folder is not None, "a test that uses recordings was collected although there are none"
    return folder


@pytest.fixture(scope="session", autouse=True)
def _this_machine_only(pytestconfig: pytest.Config) -> Iterator[None]:
    """Connecting, sending and resolving beyond the loopback interface raises, in every thread and event loop."""
    blocked = pytestconfig.stash[BLOCKED]

    def guarded(name: str, owner: Any, address_at: int) -> Any:
        original = getattr(owner, name)

        def guard(*args: Any, **kwargs: Any) -> Any:
            _refuse_elsewhere(args[address_at], blocked)
            return original(*args, **kwargs)

        return guard

    with pytest.MonkeyPatch.context() as patch:
        for name, address_at in {"connect": 1, "connect_ex": 1, "sendto": -1}.items():
            patch.setattr(socket.socket, name, guarded(name, socket.socket, address_at))
        patch.setattr(socket, "getaddrinfo", guarded("getaddrinfo", socket, 0))
        yield


def _refuse_elsewhere(address: Any, blocked: list[str]) -> None:
    host = address[0] if isinstance(address, tuple) else address
    if _on_this_machine(host):
        return
    blocked.append(repr(address))
    raise NetworkBlocked(
        f"a test reached for {address!r}: use the fake provider, a cassette or a scripted transport"
    )


def _on_this_machine(host: Any) -> bool:
    if (
        host is None or isinstance(host, bytes) or host == "" or str(host).startswith("/")
    ):  # a path: a unix socket
        return True
    if host in {"localhost", "0.0.0.0", "::"}:
        return True
    try:
        return ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """A blocked attempt fails its test even where the code under test took the error for a provider's."""
    blocked = item.config.stash[BLOCKED]
    blocked.clear()
    outcome = yield
    if blocked and item.get_closest_marker("reaches_out") is None:
        pytest.fail(f"the test reached for another machine: {', '.join(blocked)}")
    return outcome
