"""The bounds of the memory cache; what it shares with the others is in test_cache_contract.py."""

from router.adapters.memory_cache import MemoryCache
from tests.adapters.cache_parts import child, ended_well, entry, get, key, put


def test_the_least_recently_used_goes_first():
    cache = MemoryCache(max_entries=3)
    for number in range(3):
        put(cache, key(number), entry())
    assert get(cache, key(0))
    put(cache, key(3), entry())
    assert [number for number in range(4) if get(cache, key(number))] == [0, 2, 3]


def test_bytes_are_counted_as_entries_come_go_and_are_replaced():
    cache = MemoryCache(max_bytes=10_000)
    for size in (2_000, 100, 2_000, 100):  # a sum that only grows would be over the bound
        put(cache, key("same"), entry(b"x" * size))
    for number in range(4):
        put(cache, key(number), entry(b"x" * 2_000))
    assert all(get(cache, key(name)) for name in ("same", 0, 1, 2, 3))
    put(cache, key(4), entry(b"x" * 2_000))
    assert get(cache, key("same")) is None


def test_an_entry_larger_than_a_quarter_is_not_kept():
    cache = MemoryCache(max_bytes=10_000)
    put(cache, key(1), entry(b"x" * 2_400))
    put(cache, key(2), entry(b"x" * 2_500))
    assert get(cache, key(1))
    assert get(cache, key(2)) is None


def test_no_content_is_in_its_repr():
    cache = MemoryCache()
    put(cache, key(1), entry(b"secret"))
    assert repr(cache) == "MemoryCache(max_entries=10000, max_bytes=67108864)"


def test_a_fork_while_a_thread_holds_the_lock_starts_empty_and_does_not_hang(tmp_path):
    code = """
from router.adapters.memory_cache import MemoryCache
cache = MemoryCache()
put(cache, key(1), entry())
cache._lock.acquire()  # as another thread may, at the moment of the fork
if (pid := os.fork()) == 0:
    fine = get(cache, key(1)) is None
    put(cache, key(2), entry(b"mine"))
    os._exit(0 if fine and get(cache, key(2)) == entry(b"mine") else 1)
cache._lock.release()
sys.exit(bool(os.waitpid(pid, 0)[1]) or get(cache, key(1)) != entry())
"""
    ended_well(child(code, tmp_path))
