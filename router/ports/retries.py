"""How much of what comes to a target is sent to it once more."""

from typing import Protocol

from router.decide.retries import RetryCounts
from router.ports.stores import Name


class Retries(Protocol):
    """Requests that came to each target lately, and retries at it. In memory of one router, never between processes:
    what each of them keeps to, all of them keep to together, and no first send waits for a store.

    Atomicity: `take` looks and counts in one step, between threads too. Failure mode: none. Never suspends. Times are
    monotonic.
    """

    def begin(self, target: Name, *, now_s: float) -> None:
        """A request has come to this target."""
        ...

    def take(self, target: Name, share: int, *, now_s: float) -> RetryCounts | None:
        """Count one more retry. Where that would be more than the share allows nothing is counted, and what is known is
        returned; None: it may be sent."""
        ...
