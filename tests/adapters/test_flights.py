"""The contract of Flight: one leads, the others hear of it, and whoever leaves is no hindrance."""

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.adapters.flights import LoopFlight, ThreadFlight
from router.client.routers import run_inline
from router.values import Reply, Usage

REPLY = Reply(
    request_id="r1",
    policy="main",
    target="openai/a",
    model="a",
    message={"content": "hi"},
    choices=({"index": 0, "message": {"content": "hi"}},),
    finish_reason="stop",
    usage=Usage(),
    cost_nusd=1,
    cached=False,
    created_s=0,
)


def test_threads_that_wait_hear_of_the_answer() -> None:
    flight, heard = ThreadFlight(), list[Reply | None]()
    leader = flight.join("k", since=0)
    assert run_inline(leader.landed(0.0)) is None
    seats = [flight.join("k", since=0) for _ in range(8)]
    threads = [
        threading.Thread(target=lambda seat=seat: heard.append(run_inline(seat.landed(10.0))))
        for seat in seats
    ]
    for thread in threads:
        thread.start()
    leader.land(REPLY)
    for thread in threads:
        thread.join(10.0)
    assert heard == [REPLY] * 8
    assert run_inline(flight.join("k", since=flight.landings).landed(0.0)) is None


def test_tasks_that_wait_hear_of_the_answer() -> None:
    async def main() -> None:
        flight = LoopFlight()
        leader = flight.join("k", since=0)
        waits = [asyncio.create_task(flight.join("k", since=0).landed(10.0)) for _ in range(8)]
        await asyncio.sleep(0)
        leader.land(REPLY)
        assert await asyncio.gather(*waits) == [REPLY] * 8

    asyncio.run(main())


@pytest.mark.parametrize("make", [ThreadFlight, LoopFlight])
def test_who_waits_in_vain_is_told(make: Callable[[], Any]) -> None:
    flight = make()
    flight.join("k", since=0)
    seat = flight.join("k", since=0)
    with pytest.raises(TimeoutError):
        asyncio.run(seat.landed(0.01))


def test_one_that_only_follows_never_begins_a_flight() -> None:
    flight = ThreadFlight()
    assert flight.follow("k") is None
    leader = flight.join("k", since=0)
    follower = flight.follow("k")
    leader.land(REPLY)
    assert follower is not None
    assert run_inline(follower.landed(0.0)) == REPLY


def test_who_begins_a_flight_after_a_landing_is_told_that_it_came_late() -> None:
    flight = ThreadFlight()
    before = flight.landings
    flight.join("k", since=before).land(REPLY)
    assert flight.join("k", since=before).came_late
    assert not flight.join("other", since=before).came_late


def test_a_task_that_is_cancelled_while_it_waits_leaves_the_flight_to_the_next() -> None:
    async def main() -> None:
        flight = LoopFlight()
        leader, first, second = (flight.join("k", since=0) for _ in range(3))

        async def wait(seat: Any) -> Any:
            try:
                return await seat.landed(10.0)
            finally:
                seat.leave()

        one, two = asyncio.create_task(wait(first)), asyncio.create_task(second.landed(10.0))
        await asyncio.sleep(0)
        one.cancel()
        leader.leave()
        assert await two is None
        assert second.leads

    asyncio.run(main())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_waits_for_nobody_of_its_parent() -> None:
    flight = ThreadFlight()
    flight.join("k", since=0)
    child = os.fork()
    if child == 0:
        os._exit(0 if flight.join("k", since=0).leads else 1)
    assert os.waitpid(child, 0)[1] == 0


@given(st.lists(st.tuples(st.sampled_from(["join", "leave", "land"]), st.integers(0, 6)), max_size=40))
def test_exactly_one_leads_while_anybody_is_under_way(steps: list[tuple[str, int]]) -> None:
    flight, seats = ThreadFlight(), list[Any]()
    for step, which in steps:
        if step == "join":
            seats.append(flight.join("k", since=flight.landings))
        elif seats:
            seat = seats[which % len(seats)]
            if step == "leave":
                seats.remove(seat)
                seat.leave()
            elif seat.leads:
                seat.land(REPLY)
                assert all(each.word.done() for each in seats)
                seats.clear()
        assert sum(seat.leads for seat in seats) == (1 if seats else 0)
        assert all(seat.word.done() == seat.leads for seat in seats)
