"""The disk cache as a neighbour: private, shared, quick to give up, whole or absent. Attacks have their own file."""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from router.adapters.disk_cache import DiskCache
from router.errors import StoreError
from tests.adapters.cache_parts import (
    MIB,
    at_once,
    child,
    database,
    ended_well,
    entry,
    get,
    key,
    put,
    refused,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "cache"


@pytest.fixture
def cache(folder: Path) -> Iterator[DiskCache]:
    made = DiskCache(folder)
    yield made
    at_once(made.aclose())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


# --- opening ------------------------------------------------------------------------------------------------------


def test_it_opens_on_first_use(folder: Path):
    code = """
cache = DiskCache(folder)
print("diskcache" in sys.modules, folder.exists())
get(cache, key(1))
print("diskcache" in sys.modules, folder.exists())
at_once(cache.aclose())
"""
    assert ended_well(child(code, folder)).split() == ["False", "False", "True", "True"]


def test_entries_outlive_the_object(folder: Path, cache: DiskCache):
    put(cache, key(1), entry())
    at_once(cache.aclose())
    again = DiskCache(folder)
    assert get(again, key(1)) == entry()
    at_once(again.aclose())


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_folder_and_files_are_private_whatever_the_umask(folder: Path, cache: DiskCache, umask: int):
    before = os.umask(umask)
    try:
        put(cache, key(1), entry())
    finally:
        os.umask(before)
    assert {path.name for path in folder.iterdir()} == {"cache.db", "cache.db-wal", "cache.db-shm"}
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert mode(folder) == mode(folder.parent) == 0o700


def test_a_cache_folder_that_others_may_enter_is_closed_to_them(folder: Path, cache: DiskCache):
    put(cache, key(1), entry())
    at_once(cache.aclose())
    folder.chmod(0o755)
    (folder / "cache.db").chmod(0o666)
    assert get(cache, key(1)) == entry()
    assert mode(folder) == 0o700
    assert mode(folder / "cache.db") == 0o600


def test_an_open_folder_that_holds_something_else_is_left_alone(folder: Path, cache: DiskCache):
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    (folder / "thesis.txt").write_text("years")
    assert "holds other files: give the cache a folder of its own" in refused(cache).message
    assert mode(folder) == 0o755
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("place", ["/dev/null/cache", "/proc/cache"])
def test_a_folder_that_can_not_be_made_is_a_store_error(place: str):
    assert place in refused(DiskCache(place)).message


def test_a_folder_named_like_a_variable_is_refused_and_not_replaced(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("ELSEWHERE", str(tmp_path / "elsewhere"))
    cache = DiskCache(tmp_path / "$ELSEWHERE")
    assert "holds the name of a variable" in refused(cache).message
    assert not list(tmp_path.iterdir())


def test_a_size_limit_too_small_to_work_is_refused_at_once():
    with pytest.raises(ValueError, match="at least 1048576 bytes, not `5`"):
        DiskCache("anywhere", size_limit_bytes=5)


@pytest.mark.parametrize(
    "odd", ["", "abc", "../../etc/passwd", "ABCDEF0123", "g" * 64, "a" * 65, "a" * 63 + "\n"]
)
def test_a_key_is_hex_and_nothing_else(cache: DiskCache, odd: str):
    with pytest.raises(ValueError, match="hex"):
        get(cache, odd)
    with pytest.raises(ValueError, match="hex"):
        put(cache, odd, entry())


def test_no_content_is_in_its_repr(folder: Path, cache: DiskCache):
    put(cache, key(1), entry(b"secret"))
    assert repr(cache) == f"DiskCache({str(folder)!r}, size_limit_bytes=268435456)"


# --- neighbours ---------------------------------------------------------------------------------------------------


@contextmanager
def stopped_neighbour(folder: Path, begin: str) -> Iterator[None]:
    """Another connection that holds the write lock and does not go on."""
    with database(folder) as connection:
        connection.execute(begin)
        yield
        connection.execute("ROLLBACK")


def test_a_stopped_neighbour_costs_a_write_milliseconds_and_a_read_nothing(folder: Path, cache: DiskCache):
    put(cache, key(1), entry())
    with stopped_neighbour(folder, "BEGIN IMMEDIATE"):
        began = time.perf_counter()
        with pytest.raises(StoreError, match="locked"):
            put(cache, key(1), entry(b"new"))
        assert time.perf_counter() - began < 0.25  # diskcache waits 60 s; this one 5 ms
        assert get(cache, key(1)) == entry()
    put(cache, key(1), entry(b"new"))
    assert get(cache, key(1)) == entry(b"new")


TRIGGERS = ("count_insert", "count_delete", "size_insert", "size_update", "size_delete")


@pytest.mark.parametrize("triggers", [True, False])  # without, diskcache's own opening is the first to write
def test_opening_beside_a_stopped_neighbour_is_as_quick_to_give_up(
    folder: Path, cache: DiskCache, triggers: bool
):
    put(cache, key(1), entry())
    at_once(cache.aclose())
    with database(folder) as connection:
        for name in () if triggers else TRIGGERS:
            connection.execute(f"DROP TRIGGER Settings_{name}")
    with stopped_neighbour(folder, "BEGIN EXCLUSIVE"):
        began = time.perf_counter()
        refused(cache)
        assert time.perf_counter() - began < 0.25
    assert get(cache, key(1)) == entry()


def test_another_thread_that_keeps_it_busy_is_not_waited_for_long(cache: DiskCache):
    with cache._lock:
        began = time.perf_counter()
        assert "busy" in refused(cache).message
        assert time.perf_counter() - began < 0.5
    assert get(cache, key(1)) is None


def test_processes_share_it(folder: Path, cache: DiskCache):
    put(cache, key("mine"), entry(b"mine"))
    code = """
cache = DiskCache(folder)
assert get(cache, key("mine")) == entry(b"mine")
put(cache, key("theirs"), entry(b"theirs"))
at_once(cache.aclose())
"""
    ended_well(child(code, folder))
    assert get(cache, key("theirs")) == entry(b"theirs")


def test_processes_that_open_and_write_at_once_leave_whole_entries(folder: Path, cache: DiskCache):
    code = """
sys.stdin.readline()  # all at once
cache, me, failed = DiskCache(folder), sys.argv[3].encode(), 0
for number in range(150):
    for name in (number, sys.argv[3]):
        try:
            put(cache, key(name), entry(me * 500))
            found = get(cache, key(number))
            assert found is None or found.body == found.body[:1] * 500, found
        except StoreError as error:  # in time, as the contract says
            assert "locked" in error.message, error
            failed += 1
for _ in range(1000):
    try:
        put(cache, key(sys.argv[3]), entry(me * 500))
        break
    except StoreError:
        time.sleep(0.002)
at_once(cache.aclose())
"""
    workers = [child(code, folder, name) for name in "abc"]
    for worker in workers:
        worker.stdin.write("go\n")  # type: ignore[union-attr]
        worker.stdin.flush()  # type: ignore[union-attr]
    for worker in workers:
        ended_well(worker)
    for name in "abc":
        assert get(cache, key(name)) == entry(name.encode() * 500)
    found = [get(cache, key(number)) for number in range(150)]
    assert sum(each is not None for each in found) > 100
    assert all(each is None or each.body in (b"a" * 500, b"b" * 500, b"c" * 500) for each in found)


def test_a_killed_writer_leaves_whole_entries(folder: Path, cache: DiskCache):
    code = """
cache = DiskCache(folder)
for number in range(10**9):
    put(cache, key(number % 50), entry(b"%d " % number * 1000))
    if number == 60:
        print("running", flush=True)
"""
    writer = child(code, folder)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "running\n"
    writer.kill()
    writer.communicate()
    for number in range(50):
        found = get(cache, key(number))
        assert found is not None
        assert len(found.body.split()) == 1000
        assert len(set(found.body.split())) == 1
    put(cache, key(1), entry())
    assert get(cache, key(1)) == entry()


def test_both_sides_of_a_fork_keep_their_entries_and_the_file_whole(folder: Path, cache: DiskCache):
    """A connection carried over, and merely left alone in the child, lost 200 rows here and damaged the file."""
    code = """
cache = DiskCache(folder)
for number in range(50):
    put(cache, key(number), entry(b"%d" % number))
from_child, to_parent = os.pipe()
from_parent, to_child = os.pipe()
if (pid := os.fork()) == 0:
    for number in range(100, 300):
        put(cache, key(number), entry(b"%d" % number))
    os.write(to_parent, b"x")
    os.read(from_parent, 1)  # meanwhile the parent closes, which ends the write-ahead log of the last one out
    for number in range(300, 500):
        put(cache, key(number), entry(b"%d" % number))
    os._exit(any(get(cache, key(number)) != entry(b"%d" % number) for number in range(100, 500)))
os.read(from_child, 1)
at_once(cache.aclose())
for number in range(50, 100):
    put(cache, key(number), entry(b"%d" % number))
os.write(to_child, b"x")
status = os.waitpid(pid, 0)[1]
at_once(cache.aclose())
sys.exit(status != 0)
"""
    ended_well(child(code, folder))
    missing = [number for number in range(500) if get(cache, key(number)) != entry(b"%d" % number)]
    assert missing == []
    with database(folder) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_fork_in_the_midst_of_other_threads_hangs_neither_side(folder: Path, cache: DiskCache):
    code = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of what is done here on purpose
cache, done = DiskCache(folder), threading.Event()
def work(worker):
    number = 0
    while not done.is_set():
        try:
            put(cache, key((worker, number)), entry())
        except StoreError as error:  # the children write too
            assert "locked" in error.message
        number += 1
threads = [threading.Thread(target=work, args=(worker,)) for worker in range(3)]
for thread in threads:
    thread.start()
pids = []
for turn in range(10):
    if (pid := os.fork()) == 0:
        try:
            put(cache, key(("child", turn)), entry(b"child"))
            os._exit(get(cache, key(("child", turn))) != entry(b"child"))
        except StoreError as error:
            print(error.message, repr(error.__cause__), flush=True)
            os._exit("locked" not in error.message)
        finally:
            os._exit(2)
    pids.append(pid)
failed = [pid for pid in pids if os.waitpid(pid, 0)[1]]
done.set()
for thread in threads:
    thread.join()
at_once(cache.aclose())
sys.exit(bool(failed))
"""
    ended_well(child(code, folder))
    with database(folder) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


IN_C = "os.register_at_fork = lambda **hooks: None  # as where a server forks in C"


def test_a_fork_that_python_was_not_told_of_is_found_by_the_process_id(folder: Path):
    code = f"""
{IN_C}
cache = DiskCache(folder)
put(cache, key(1), entry())
if (pid := os.fork()) == 0:
    carried = cache._store
    put(cache, key(2), entry(b"mine"))
    os._exit(cache._store is carried or get(cache, key(1)) != entry())
status = os.waitpid(pid, 0)[1]
at_once(cache.aclose())
sys.exit(bool(status) or get(cache, key(2)) != entry(b"mine"))
"""
    ended_well(child(code, folder))


def test_where_such_a_fork_met_a_thread_at_work_the_child_refuses_and_does_not_hang(folder: Path):
    code = f"""
{IN_C}
cache = DiskCache(folder)
put(cache, key(1), entry())
cache._lock.acquire()  # as another thread may
if (pid := os.fork()) == 0:
    try:
        get(cache, key(1))
    except StoreError as error:
        os._exit("was forked while another thread used it" not in error.message)
    os._exit(2)
cache._lock.release()
sys.exit(bool(os.waitpid(pid, 0)[1]) or get(cache, key(1)) != entry())
"""
    ended_well(child(code, folder))


# --- bounds -------------------------------------------------------------------------------------------------------


def test_the_file_stays_near_its_limit_while_large_entries_replace_small_ones(folder: Path):
    cache = DiskCache(folder, size_limit_bytes=2 * MIB)
    for number in range(3_000):
        put(cache, key(number), entry(b"x" * 500))
    for number in range(60):
        put(cache, key(("large", number)), entry(b"x" * 200_000))
    assert get(cache, key(("large", 59)))
    at_once(cache.aclose())  # which moves the log into the file
    assert (folder / "cache.db").stat().st_size < 3 * MIB


def test_expired_entries_make_room_without_being_asked_for(folder: Path, cache: DiskCache):
    for number in range(5):
        put(cache, key(number), entry(), ttl_s=0.001)
    time.sleep(0.005)
    put(cache, key("new"), entry())
    with database(folder) as connection:
        assert connection.execute("SELECT key FROM Cache").fetchall() == [(key("new"),)]


def test_only_the_row_and_its_record_are_on_disk(folder: Path, cache: DiskCache):
    put(cache, key(1), entry(b"x" * 100_000))  # stock diskcache puts this size into a file
    assert {path.name for path in folder.iterdir()} <= {"cache.db", "cache.db-wal", "cache.db-shm"}
    with database(folder) as connection:
        (row,) = connection.execute(
            "SELECT key, raw, tag, mode, filename, typeof(value) FROM Cache"
        ).fetchall()
    assert row == (key(1), 1, None, 1, None, "blob")
