"""litellm is imported beside the calls that wait for it: seconds, which neither a deadline nor the end of the process
should have to wait for."""

import asyncio
import sys
import threading
from concurrent import futures
from importlib import import_module
from types import ModuleType

from router.adapters.forks import watch_forks

ENV = "router.adapters.litellm_env"
FORK_WAIT_S = 20.0


def loaded() -> ModuleType | None:
    """`litellm_env`, where it is imported to its end."""
    found = sys.modules.get(ENV)
    whole = found is not None and hasattr(found, "INTERNAL_CALL")  # the last name it binds
    return found if whole else None


class Loading:
    """One import, from construction on, in a daemon thread. A fork waits until it is over: a child would find the
    module half made and locked by a thread that only its parent has."""

    def __init__(self) -> None:
        self._future: futures.Future[ModuleType] = futures.Future()
        self._future.set_running_or_notify_cancel()  # who gives up waiting does not end it
        self._thread = threading.Thread(target=self._run, name="router-load", daemon=True)
        watch_forks(self)
        self._thread.start()

    @property
    def failed(self) -> bool:
        return self._future.done() and self._future.exception() is not None

    async def wait(self) -> ModuleType:
        """Raises what the import raised."""
        return await asyncio.wrap_future(self._future)

    def before_fork(self) -> None:
        if threading.current_thread() is not self._thread:
            futures.wait([self._future], FORK_WAIT_S)

    def after_fork(self) -> None:
        """What was waited for is there."""

    def _run(self) -> None:
        try:
            self._future.set_result(_load())
        except BaseException as error:  # noqa: BLE001 - for whoever waits; a thread has nobody to raise it to
            self._future.set_exception(error)


def _load() -> ModuleType:
    env = import_module(ENV)
    from router.adapters.litellm_rehearsal import rehearse

    rehearse()
    return env
