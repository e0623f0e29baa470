"""What both routers tell of the health of targets, and do about it by hand."""

from router.books.breakers import BreakerNow, breakers, reset_breakers
from router.client.bookkeeping import Books
from router.client.inline import run_inline


class Healing(Books):
    """The methods of `Router`."""

    def breakers(self) -> tuple[BreakerNow, ...]:
        """The breaker of every target that has one, as it stands now. Raises StoreError."""
        with self._gate:
            return run_inline(breakers(self.plan, self.ports))

    def reset_breakers(self, *targets: str) -> tuple[BreakerNow, ...]:
        """Close the breakers of these targets, at once and for every process that shares the state. Raises RequestError
        where one of them has none, and closes none then; StoreError."""
        with self._gate:
            return run_inline(reset_breakers(self.plan, self.ports, targets))


class AsyncHealing(Books):
    """The methods of `AsyncRouter`."""

    async def breakers(self) -> tuple[BreakerNow, ...]:
        """As `Router.breakers`."""
        with self._gate:
            return await breakers(self.plan, self.ports)

    async def reset_breakers(self, *targets: str) -> tuple[BreakerNow, ...]:
        """As `Router.reset_breakers`."""
        with self._gate:
            return await reset_breakers(self.plan, self.ports, targets)
