"""A store that kept somebody waiting in vain: nobody waits for it in full again before it has been seen to answer."""

from math import inf

from router.errors import StoreError
from router.ports import Clock

REST_S = 1.0
"""How long calls are refused at once after somebody waited in vain. Then one of them looks, and the others go on being
refused until it knows."""

LOOK_S = 0.5
"""How long whoever looks waits for an answer."""

LONG_S = 0.1
"""What fails sooner costs nobody much: a connection that is refused is asked for anew by every call."""


class Outage:
    """What the callers of one store in this process know of it. Threads may share it: at worst two look at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._error: StoreError | None = None
        self._until_s = self._answered_s = -inf

    @property
    def is_on(self) -> bool:
        return self._error is not None

    def must_look(self, port: str) -> bool:
        """False: all is well. True: the caller is to look whether the store is back, for LOOK_S at most.

        Raises what the store raised last, while it rests and while another one looks.
        """
        error, now_s = self._error, self._clock.mono_s()
        if error is None:
            return False
        if now_s < self._until_s:
            raise StoreError(
                error.message, port=port, help=f"{error.help}; it is asked again within {REST_S:g} s"
            )
        self._until_s = now_s + LOOK_S + REST_S  # whoever looks may never tell: a fork, an interrupt
        return True

    def answered(self) -> None:
        self._error, self._answered_s = None, self._clock.mono_s()

    def failed(self, error: StoreError, began_s: float) -> StoreError:
        """`began_s` is when its caller began to wait. Somebody who was answered since then knows better."""
        now_s = self._clock.mono_s()
        if now_s - began_s < LONG_S:
            self._error = None
        elif self._answered_s < began_s:
            self._error, self._until_s = error, now_s + REST_S
        return error
