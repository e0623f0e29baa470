"""One recorded stream of each wire format, cut at every byte, through a whole router. It is whole, and only after the
provider has said why it ended; or it is broken, with exactly what came; or, before its first content, another target
answers."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from router import AsyncRouter, StreamBroken
from router.adapters.cassette_transport import STAND_IN_KEY
from router.adapters.lean_transport import AsyncLean
from router.adapters.litellm_transport import AsyncLitellm
from tests.recorded_cuts import (
    FORMATS,
    CutWire,
    Recorded,
    policies,
    recorded,
    verdict,
)

pytestmark = [
    pytest.mark.recordings,
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),  # litellm's own models
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),  # the same
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning"),  # litellm's own models
]


async def outcome(router: AsyncRouter, whole: Recorded, cut: int) -> str:
    try:
        async with router.stream("hi", policy="main", tenant="acme") as stream:
            return verdict(whole, cut, await stream.reply())
    except StreamBroken as broken:
        return verdict(whole, cut, broken)


async def cut_everywhere(whole: Recorded, make: type, *, breaks: bool) -> Counter[str]:
    wire, found = CutWire(whole), Counter[str]()
    transport = make(wire=lambda: wire, stand_in_key=STAND_IN_KEY)
    before = asyncio.all_tasks()
    async with AsyncRouter.open(
        policies(whole), transport=transport, state="memory", cache="memory"
    ) as router:
        wire.breaks = breaks
        for wire.cut in whole.cuts(every=not breaks):
            found[await outcome(router, whole, wire.cut)] += 1
        rows = await router.ports.ledger.rows()
        balances = await router.ports.ledger.all_balances()
        (limit,) = router.plan.tenants["acme"].limits
        used = await router.ports.limiter.used((limit,), now_s=router.ports.clock.now_s())
    assert {row.state for row in rows} == {"settled"}
    assert {balance.reserved for balance in balances.values()} == {0}
    assert used == {limit: 0}
    assert all(stream.closed for stream in wire.streams)
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before
    return found


@pytest.mark.parametrize("breaks", [False, True], ids=["ends", "breaks"])
@pytest.mark.parametrize(
    ("name", "make"),
    [*((name, AsyncLitellm) for name in FORMATS), ("openai", AsyncLean), ("mistral", AsyncLean)],
)
def test_cut_at_every_byte(recordings: Path, name: str, make: type, breaks: bool) -> None:
    whole = recorded(recordings, name)
    assert whole.whole.ended
    found = asyncio.run(cut_everywhere(whole, make, breaks=breaks))
    assert found.total() == len(list(whole.cuts(every=not breaks)))
    assert found["elsewhere"] > 0
    assert breaks or found["whole"] > 0
