"""What people do to the books, as methods of both routers: grants, truths, rows moved out, and the audit of it all.

What changes a balance is done in somebody's name, with a reason, and stays on record. The command line calls the same
functions of `router.books`.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypedDict, Unpack

from router.books.acts import Correction, Grant, acts, assumed, correct, grant
from router.books.archive import Archived, archive
from router.books.audit import Audit, audit
from router.books.owners import Owner
from router.books.since import Since
from router.client.bookkeeping import Books, as_path
from router.client.calls import one_of
from router.client.inline import run_inline
from router.ports import Act, Row


class Owned(TypedDict, total=False):
    """Whose budget: `tenant` (or `team`); with it a `user`, `session` or `child`; `policy`, `provider` or `pool`."""

    tenant: str
    team: str
    user: str
    session: str
    child: str
    policy: str
    provider: str
    pool: str


def _owner(named: Owned) -> Owner:
    """`team` is another name of `tenant`. Raises RequestError."""
    words: dict[str, Any] = {**named}
    tenant = one_of("tenant", words.pop("tenant", None), "team", words.pop("team", None))
    return Owner(tenant=tenant, **words)


class Keeping(Books):
    """The methods of `Router`."""

    def grant(self, *, window: str, amount: str, who: str, why: str, **owner: Unpack[Owned]) -> Grant:
        """Let one budget spend more in its present window, at once and for every process that shares the state.

        >>> mine.grant(tenant="acme", window="per_month", amount="$500", who="ann", why="launch week")

        `window` is the key that the policies write; `amount` is what they could write there, or as much less (`-$50`).
        Another budget of the owner, and the next window, are as they were. Raises RequestError, StoreError.
        """
        with self._gate:
            return run_inline(
                grant(self.plan, self.ports, _owner(owner), window=window, amount=amount, who=who, why=why)
            )

    def settle(
        self,
        id: str,
        *,
        cost: str,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        above_bound: bool = False,
        who: str,
        why: str,
    ) -> Correction:
        """Record what an attempt really cost (`$0.02`) that was charged at its worst case, in the windows in which it
        was reserved. Telling the same again changes nothing. Raises RequestError for an attempt that is under way, or
        whose cost is known, and for more than its worst case unless `above_bound` says that it is meant; StoreError."""
        with self._gate:
            return run_inline(
                correct(
                    self.ports,
                    id,
                    cost=cost,
                    input_tokens=input_tokens,
                    output_tokens=output_tokens,
                    above_bound=above_bound,
                    who=who,
                    why=why,
                )
            )

    def worst_cases(self) -> Sequence[Row]:
        """The attempts that are charged at worst case, oldest first, for `settle`. Raises StoreError."""
        with self._gate:
            return run_inline(assumed(self.ports))

    def acts(self) -> Sequence[Act]:
        """Everything that people did, oldest first: grants, settlements, losses accepted. Raises StoreError."""
        with self._gate:
            return run_inline(acts(self.ports))

    def archive(self, *, before: Since, to: str | PathLike[str], compressed: bool = False) -> Archived:
        """Move the attempts that ended before then (`90d` ago, `2026-08-01`; a day ago or more, where it is text) into
        files in a folder, which is made where there is none. What they cost stays in the balances; attempts under way
        stay. It may run beside calls, and may be killed: the next run makes it good. Raises RequestError, StoreError.
        """
        with self._gate:
            return run_inline(
                archive(self.plan, self.ports, before=before, folder=Path(to), compressed=compressed)
            )

    def audit(self, *, archive: str | PathLike[str] | None = None) -> Audit:
        """Recompute every balance from the rows, and check the laws of the ledger. `archive`: a folder that rows were
        moved to; what they had settled is then recomputed too. Raises RequestError, StoreError."""
        with self._gate:
            return run_inline(audit(self.ports, archive=as_path(archive)))


class AsyncKeeping(Books):
    """The methods of `AsyncRouter`."""

    async def grant(self, *, window: str, amount: str, who: str, why: str, **owner: Unpack[Owned]) -> Grant:
        """As `Router.grant`."""
        with self._gate:
            return await grant(
                self.plan, self.ports, _owner(owner), window=window, amount=amount, who=who, why=why
            )

    async def settle(
        self,
        id: str,
        *,
        cost: str,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        above_bound: bool = False,
        who: str,
        why: str,
    ) -> Correction:
        """As `Router.settle`."""
        with self._gate:
            return await correct(
                self.ports,
                id,
                cost=cost,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                above_bound=above_bound,
                who=who,
                why=why,
            )

    async def worst_cases(self) -> Sequence[Row]:
        """As `Router.worst_cases`."""
        with self._gate:
            return await assumed(self.ports)

    async def acts(self) -> Sequence[Act]:
        """As `Router.acts`."""
        with self._gate:
            return await acts(self.ports)

    async def archive(self, *, before: Since, to: str | PathLike[str], compressed: bool = False) -> Archived:
        """As `Router.archive`."""
        with self._gate:
            return await archive(self.plan, self.ports, before=before, folder=Path(to), compressed=compressed)

    async def audit(self, *, archive: str | PathLike[str] | None = None) -> Audit:
        """As `Router.audit`."""
        with self._gate:
            return await audit(self.ports, archive=as_path(archive))
