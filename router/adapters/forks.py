"""What must not cross a fork: locks held by other threads, and connections."""

import os
from typing import Protocol
from weakref import ref


class ForkAware(Protocol):
    def before_fork(self) -> None: ...

    def after_fork(self) -> None:
        """Called in the parent and in the child."""
        ...


def watch_forks(owner: ForkAware) -> None:
    """Tell `owner` of every fork while it lives. Python can't take a registration back, so what stays of a dead
    owner is a reference to nothing."""
    if not hasattr(os, "register_at_fork"):  # a system without fork
        return
    owners = ref(owner)

    def before() -> None:
        alive = owners()
        if alive is not None:
            alive.before_fork()

    def after() -> None:
        alive = owners()
        if alive is not None:
            alive.after_fork()

    os.register_at_fork(before=before, after_in_parent=after, after_in_child=after)
