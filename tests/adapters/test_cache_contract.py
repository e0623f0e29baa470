"""What every Cache promises, run against each implementation."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.adapters import disk_cache
from router.adapters.clocks import ManualClock
from router.adapters.disk_cache import DiskCache
from router.adapters.memory_cache import MemoryCache
from router.adapters.redis_cache import RedisCache
from router.ports import Cache, CacheEntry
from tests.adapters.cache_parts import HOUR_S, MIB, at_once, entry, get, key, put
from tests.adapters.states import valkey

MAKERS: dict[str, Callable[[Path], Cache]] = {
    "memory": lambda folder: MemoryCache(max_bytes=MIB),
    "disk": lambda folder: DiskCache(folder / "cache", size_limit_bytes=MIB),
    "redis": lambda folder: RedisCache(valkey().url, ManualClock(), name=folder.name, largest_bytes=MIB // 8),
}


@pytest.fixture(params=list(MAKERS))
def cache(request: pytest.FixtureRequest, tmp_path: Path):
    made = MAKERS[request.param](tmp_path)
    yield made
    at_once(made.aclose())


def test_it_says_that_it_does_not_suspend(cache: Cache):
    assert cache.suspends is False


def test_what_was_never_put_is_absent(cache: Cache):
    assert get(cache, key(1)) is None


def test_what_was_put_comes_back_equal_under_its_key_alone(cache: Cache):
    put(cache, key(1), entry())
    assert get(cache, key(1)) == entry()
    assert get(cache, key(2)) is None


def test_a_later_put_replaces(cache: Cache):
    put(cache, key(1), entry(b"one"))
    put(cache, key(1), entry(b"two", stored_at_s=5.0))
    assert get(cache, key(1)) == entry(b"two", stored_at_s=5.0)


def test_age_by_the_stored_time_is_not_the_store_s_business(cache: Cache):
    put(cache, key(1), entry(stored_at_s=0.0))
    put(cache, key(2), entry(stored_at_s=4e12))
    assert get(cache, key(1)) == entry(stored_at_s=0.0)
    assert get(cache, key(2)) == entry(stored_at_s=4e12)


@pytest.mark.parametrize("ttl_s", [0.0, -1.0, float("nan")])
def test_what_has_no_time_to_live_is_not_kept_and_neither_is_what_it_replaces(cache: Cache, ttl_s: float):
    put(cache, key(1), entry())
    put(cache, key(1), entry(b"new"), ttl_s)
    assert get(cache, key(1)) is None


def test_a_time_to_live_without_end_is_fine(cache: Cache):
    put(cache, key(1), entry(), float("inf"))
    assert get(cache, key(1)) == entry()


def test_an_entry_too_large_for_the_cache_is_not_kept_and_neither_is_what_it_replaces(cache: Cache):
    put(cache, key(1), entry())
    put(cache, key(2), entry())
    put(cache, key(1), entry(b"x" * MIB))
    assert get(cache, key(1)) is None
    assert get(cache, key(2)) == entry()


@pytest.mark.parametrize(
    "cache", ["memory", "disk"], indirect=True
)  # a server is bounded by its own settings
def test_it_is_bounded_and_keeps_the_newest(cache: Cache):
    body = b"x" * 8_192
    for number in range(400):  # more than 3 MiB
        put(cache, key(number), entry(body))
    kept = [number for number in range(400) if get(cache, key(number))]
    assert kept
    assert kept == list(range(kept[0], 400))
    assert len(kept) * len(body) <= MIB


def test_closing_twice_is_fine_and_a_closed_one_works_again(cache: Cache):
    put(cache, key(1), entry())
    at_once(cache.aclose())
    at_once(cache.aclose())
    put(cache, key(2), entry(b"again"))
    assert get(cache, key(2)) == entry(b"again")


def test_it_works_inside_a_running_loop(cache: Cache):
    async def both() -> CacheEntry | None:
        await cache.put(key(1), entry(), ttl_s=HOUR_S)
        return await cache.get(key(1))

    assert asyncio.run(both()) == entry()


def test_threads_share_it(cache: Cache, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(disk_cache, "THREAD_WAIT_S", 30.0)  # a busy machine is no fault of the cache's
    start = threading.Barrier(8)

    def work(worker: int) -> list[tuple[int, CacheEntry | None]]:
        start.wait()
        seen = []
        for step in range(50):
            put(cache, key((worker, step)), entry(b"%d %d" % (worker, step)))
            put(cache, key("shared"), entry(b"shared %d" % worker))
            shared = get(cache, key("shared"))
            assert shared is not None
            assert shared.body.startswith(b"shared ")
            seen.append((step, get(cache, key((worker, step)))))
        return seen

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    for worker, seen in enumerate(results):
        assert seen == [(step, entry(b"%d %d" % (worker, step))) for step in range(50)]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=300), stored_at_s=st.floats(allow_nan=False))
def test_every_body_and_time_survives(cache: Cache, body: bytes, stored_at_s: float):
    put(cache, key(body), entry(body, stored_at_s))
    assert get(cache, key(body)) == entry(body, stored_at_s)


RUNS = count()  # keys of its own for each example
NUMBERS = st.integers(0, 5)
STEPS = st.lists(
    st.tuples(st.just("put"), NUMBERS, st.binary(max_size=9)) | st.tuples(st.just("get"), NUMBERS)
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_while_nothing_must_go_it_is_a_dictionary(cache: Cache, steps: list[tuple[Any, ...]]):
    run = next(RUNS)
    model: dict[int, bytes] = {}
    for action, number, *body in steps:
        if action == "put":
            model[number] = body[0]
            put(cache, key((run, number)), entry(body[0]))
        found = get(cache, key((run, number)))
        assert found == (entry(model[number]) if number in model else None)
