"""What both routers tell from the books: `usage`, `forecast`, `advise`, `export`.

The way of all such methods: the work is one async function of `router.books` over a plan and ports, which returns
frozen dataclasses; here it becomes a method of `Router` (run inline) and of `AsyncRouter` (awaited), inside the
router's gate. The command line prints the same values.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from router.books.advise import Advice, advice
from router.books.export import Record, exported
from router.books.forecast import Forecast, forecasts
from router.books.since import Since
from router.books.usage import Report, usage
from router.client.gate import Gate
from router.client.inline import run_inline
from router.engine import Ports
from router.plan import Plan, Window


def as_path(folder: str | PathLike[str] | None) -> Path | None:
    return None if folder is None else Path(folder)


class Books:
    """What a method about the books needs of its router."""

    plan: Plan
    ports: Ports
    _gate: Gate


class Bookkeeping(Books):
    """The methods of `Router`."""

    def usage(
        self,
        *,
        since: Since = "7d",
        by: Sequence[str] = (),
        window: Window | None = None,
        tenant: str | None = None,
    ) -> Report:
        """What was spent since then, and what is left of every budget and limit now.

        `since`: `7d` ago, from the day `2026-11-21` on, Unix seconds, or a datetime. `by`: one table of what shares all
        of these words (`tenant`, `user`, `policy`, `model`, `provider`, `key`, `tag`, `day`, `window`); without any,
        one table each by tenant, policy and model. `window`: how long those of the word `window` are, a day where
        nothing is said. An attempt with several tags counts under each. `tenant`: only spend at or below it, and the
        budgets and limits that hold for it. Answers from the cache cost nothing and are no rows. Raises RequestError,
        StoreError.
        """
        with self._gate:
            return run_inline(usage(self.plan, self.ports, since=since, by=by, window=window, tenant=tenant))

    def forecast(self) -> tuple[Forecast, ...]:
        """What each calendar budget that spent anything will have come to at the end of its window, and when it runs
        out; the first to run out comes first. Raises StoreError."""
        with self._gate:
            return run_inline(forecasts(self.plan, self.ports))

    def advise(self, *, since: Since = "30d") -> tuple[Advice, ...]:
        """What would have saved money on the rows since then, each with the amount and the YAML to write; what saves
        most comes first. Raises RequestError, StoreError."""
        with self._gate:
            return run_inline(advice(self.plan, self.ports, since=since))

    def export(
        self, *, since: Since = "30d", archive: str | PathLike[str] | None = None
    ) -> tuple[Record, ...]:
        """Every attempt since then as a flat record, oldest first, without content. `archive`: a folder that rows were
        moved to; those are then among them. Raises RequestError, StoreError."""
        with self._gate:
            return run_inline(exported(self.plan, self.ports, since=since, archive=as_path(archive)))


class AsyncBookkeeping(Books):
    """The methods of `AsyncRouter`."""

    async def usage(
        self,
        *,
        since: Since = "7d",
        by: Sequence[str] = (),
        window: Window | None = None,
        tenant: str | None = None,
    ) -> Report:
        """As `Router.usage`."""
        with self._gate:
            return await usage(self.plan, self.ports, since=since, by=by, window=window, tenant=tenant)

    async def forecast(self) -> tuple[Forecast, ...]:
        """As `Router.forecast`."""
        with self._gate:
            return await forecasts(self.plan, self.ports)

    async def advise(self, *, since: Since = "30d") -> tuple[Advice, ...]:
        """As `Router.advise`."""
        with self._gate:
            return await advice(self.plan, self.ports, since=since)

    async def export(
        self, *, since: Since = "30d", archive: str | PathLike[str] | None = None
    ) -> tuple[Record, ...]:
        """As `Router.export`."""
        with self._gate:
            return await exported(self.plan, self.ports, since=since, archive=as_path(archive))
