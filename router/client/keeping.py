"""What people do to the books, as methods of both routers: `grant`, `settle`, `worst_cases`, `acts`.

Each is done in somebody's name, with a reason, and stays on record. The command line calls the same functions of
`router.books`.
"""

from collections.abc import Sequence
from typing import TypedDict, Unpack

from router.books.acts import Correction, Grant, acts, assumed, correct, grant
from router.books.owners import Owner
from router.client.bookkeeping import Books
from router.client.inline import run_inline
from router.ports import Act, Row


class Owned(TypedDict, total=False):
    """Whose budget: `tenant`; `tenant` with a `user`, `session` or `child` of it; `policy`, `provider` or `pool`."""

    tenant: str
    user: str
    session: str
    child: str
    policy: str
    provider: str
    pool: str


class Keeping(Books):
    """The methods of `Router`."""

    def grant(self, *, window: str, amount: str, who: str, why: str, **owner: Unpack[Owned]) -> Grant:
        """Let one budget spend more in its present window, at once and for every process that shares the state.

        >>> router.grant(tenant="acme", window="per_month", amount="$500", who="ann", why="launch week")

        `window` is the key that the policies write; `amount` is what they could write there, or as much less (`-$50`).
        Another budget of the owner, and the next window, are as they were. Raises RequestError, StoreError.
        """
        with self._gate:
            return run_inline(
                grant(self.plan, self.ports, Owner(**owner), window=window, amount=amount, who=who, why=why)
            )

    def settle(
        self,
        id: str,
        *,
        cost: str,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        who: str,
        why: str,
    ) -> Correction:
        """Record what an attempt really cost (`$0.02`) that was charged at its worst case, in the windows in which it
        was reserved. Telling the same again changes nothing. Raises RequestError for an attempt that is under way, or
        whose cost is known; StoreError."""
        with self._gate:
            return run_inline(
                correct(
                    self.ports,
                    id,
                    cost=cost,
                    input_tokens=input_tokens,
                    output_tokens=output_tokens,
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


class AsyncKeeping(Books):
    """The methods of `AsyncRouter`."""

    async def grant(self, *, window: str, amount: str, who: str, why: str, **owner: Unpack[Owned]) -> Grant:
        """As `Router.grant`."""
        with self._gate:
            return await grant(
                self.plan, self.ports, Owner(**owner), window=window, amount=amount, who=who, why=why
            )

    async def settle(
        self,
        id: str,
        *,
        cost: str,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
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
