"""The lean wire, made to carry all that it can, whatever the table says; and how much that was."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from router.adapters.lean_exchange import LeanExchange
from router.adapters.lean_transport import AsyncLean
from router.adapters.litellm_transport import AsyncLitellm
from router.ports import Transport, WireCall
from tests.recordings import recordings_folder
from tests.wires.table import Row
from tests.wires.trials import Case, bench

NOT_CARRIED = "not carried"
"""The witness of a kind whose calls go by litellm's own wire whatever is asked: it is equal, and no leaner."""

NOT_TRIED = "not tried yet"
"""The witness of a kind that the lean wire has learnt to carry, and that nobody has looked at since."""

_FEW = 8


class EagerLean(AsyncLean):
    """Adds the id of each call that did not go by litellm's own wire to `carried`."""

    def __init__(
        self,
        carried: list[str],
        *,
        wire: Callable[[], Any] | None = None,
        stand_in_key: str | None = None,
    ) -> None:
        super().__init__(wire=wire, stand_in_key=stand_in_key, serves=lambda call: True)
        self._carried = carried

    def start(self, call: WireCall) -> Any:
        flight = super().start(call)
        if isinstance(flight.traffic, LeanExchange):
            self._carried.append(call.attempt)
        return flight


async def looked_at(kind: str, cases: Iterable[Case]) -> Row:
    """What the table says of a kind, by these cases: equal, and a good part of them carried, or why not."""
    carried: list[str] = []

    def eager(**changes: Any) -> Transport:
        return EagerLean(carried, **changes)

    rest = iter(cases)
    async with bench(AsyncLitellm, eager, recordings=recordings_folder()) as both:
        found = await both.verdict(islice(rest, _FEW))
        if carried and not found.lines:
            found = await both.verdict(rest)
    if found.lines:
        return Row(kind=kind, witness=found.witness, difference=found.lines[0])
    return Row(kind=kind, witness="" if len(carried) > found.tried // 3 else NOT_CARRIED)
