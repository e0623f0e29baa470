"""What both routers tell of the health of targets, and do about it by hand."""

from router.books.breakers import BreakerNow, breakers, reset_breaker
from router.client.bookkeeping import Books
from router.client.inline import run_inline


class Healing(Books):
    """The methods of `Router`."""

    def breakers(self) -> tuple[BreakerNow, ...]:
        """The breaker of every target that has one, as it stands now. Raises StoreError."""
        with self._gate:
            return run_inline(breakers(self.plan, self.ports))

    def reset_breaker(self, target: str) -> BreakerNow:
        """Close the breaker of a target, at once and for every process that shares the state. Raises RequestError for a
        target that has none, StoreError."""
        with self._gate:
            return run_inline(reset_breaker(self.plan, self.ports, target))


class AsyncHealing(Books):
    """The methods of `AsyncRouter`."""

    async def breakers(self) -> tuple[BreakerNow, ...]:
        """As `Router.breakers`."""
        with self._gate:
            return await breakers(self.plan, self.ports)

    async def reset_breaker(self, target: str) -> BreakerNow:
        """As `Router.reset_breaker`."""
        with self._gate:
            return await reset_breaker(self.plan, self.ports, target)
