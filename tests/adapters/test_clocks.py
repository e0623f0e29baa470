import asyncio
import time

import pytest

from router.adapters.clocks import AsyncClock, AsyncManualClock, ManualClock, SystemClock
from router.adapters.draws import SeededDraw, SystemDraw
from tests.adapters.states import do


def test_the_system_clock_blocks_and_tells_real_time() -> None:
    clock = SystemClock()
    before_s = clock.mono_s()
    do(clock.sleep(0.02))
    assert clock.mono_s() - before_s >= 0.02
    assert abs(clock.now_s() - time.time()) < 1
    do(clock.sleep(-1))
    assert not clock.suspends


def test_the_async_clock_lets_others_run() -> None:
    async def main() -> list[str]:
        seen: list[str] = []
        clock = AsyncClock()

        async def sleeper() -> None:
            await clock.sleep(0.02)
            seen.append("slept")

        async def other() -> None:
            seen.append("ran")

        await asyncio.gather(sleeper(), other())
        return seen

    assert asyncio.run(main()) == ["ran", "slept"]
    assert AsyncClock().suspends


def test_manual_time_moves_when_told_and_when_slept_on() -> None:
    clock = ManualClock(now_s=1000.0)
    assert (clock.now_s(), clock.mono_s()) == (1000.0, 0.0)
    clock.advance(2.5)
    do(clock.sleep(0.5))
    do(clock.sleep(-3))
    assert (clock.now_s(), clock.mono_s()) == (1003.0, 3.0)
    with pytest.raises(ValueError, match="`-1`"):
        clock.advance(-1)


def test_the_wall_may_be_set_without_time_passing() -> None:
    clock = ManualClock(now_s=1000.0)
    clock.advance(5)
    clock.set_now(400.0)
    assert (clock.now_s(), clock.mono_s()) == (400.0, 5.0)
    clock.advance(1)
    assert (clock.now_s(), clock.mono_s()) == (401.0, 6.0)


def test_manual_async_sleepers_wake_in_the_order_they_are_due() -> None:
    async def main() -> list[tuple[str, float]]:
        clock, seen = AsyncManualClock(now_s=0.0), []

        async def sleeper(name: str, *naps_s: float) -> None:
            for nap_s in naps_s:
                await clock.sleep(nap_s)
                seen.append((name, clock.mono_s()))

        await asyncio.gather(sleeper("slow", 5.0), sleeper("twice", 1.0, 3.0), sleeper("fast", 2.0))
        return seen

    assert asyncio.run(main()) == [("twice", 1.0), ("fast", 2.0), ("twice", 4.0), ("slow", 5.0)]


def test_a_cancelled_manual_sleeper_holds_nobody_up() -> None:
    async def main() -> float:
        clock = AsyncManualClock(now_s=0.0)
        early, late = (asyncio.ensure_future(clock.sleep(seconds)) for seconds in (3.0, 9.0))
        await asyncio.sleep(0)
        early.cancel()
        await late
        return clock.mono_s()

    assert asyncio.run(main()) == 9.0


def test_a_seed_repeats_fractions_and_ids() -> None:
    one, other = SeededDraw(7), SeededDraw(7)
    assert [(one.fraction(), one.id()) for _ in range(5)] == [
        (other.fraction(), other.id()) for _ in range(5)
    ]
    assert SeededDraw(8).id() != SeededDraw(7).id()


@pytest.mark.parametrize("draw", [SystemDraw(), SeededDraw(1)], ids=["system", "seeded"])
def test_draws_are_fractions_and_fresh_ids(draw: SystemDraw | SeededDraw) -> None:
    assert all(0 <= draw.fraction() < 1 for _ in range(1000))
    ids = [draw.id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(each.replace("-", "").isalnum() and each.isascii() for each in ids)


def test_real_ids_sort_by_time() -> None:
    first = SystemDraw().id()
    time.sleep(0.003)
    assert first < SystemDraw().id()
