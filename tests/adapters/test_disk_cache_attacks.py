"""What someone can plant in a cache file. Each attack is first seen to work on diskcache as shipped, then not here.

A test whose first half fails says that diskcache changed: then look again, do not delete it.
"""

import os
import pickle
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import diskcache
import pytest

from router.adapters.disk_cache import DiskCache
from router.adapters.disk_store import BytesDisk
from router.errors import StoreError
from tests.adapters.cache_parts import MIB, at_once, entry, get, key, put
from tests.adapters.planted import KEY, laid_out, ours, plant, sql, stock


class Bomb:
    """Makes a folder where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "code-ran"


@pytest.fixture
def bomb(marker: Path) -> bytes:
    return pickle.dumps(Bomb(marker))


def json_disk(folder: Path) -> diskcache.Cache:
    """The guard that its documentation offers. It unpickles first and reads JSON after."""
    return diskcache.Cache(str(folder), disk=diskcache.JSONDisk)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return laid_out(tmp_path / "cache")


def attack(use: Callable[[Any], object], open_cache: Callable[[Path], Any], folder: Path) -> None:
    """Use a cache as an application might; how it answers does not matter, only what it did."""
    with closing(open_cache(folder)) as cache, suppress(Exception):
        use(cache)


# --- unpickling ---------------------------------------------------------------------------------------------------

READ_VALUE: dict[str, Callable[[Any], object]] = {
    "get": lambda cache: cache.get(KEY),
    "get with tag and time": lambda cache: cache.get(KEY, expire_time=True, tag=True),
    "[]": lambda cache: cache[KEY],
    "pop": lambda cache: cache.pop(KEY),
    "peekitem": lambda cache: cache.peekitem(),
}


READ_QUEUE: dict[str, Callable[[Any], object]] = {
    "pull": lambda cache: cache.pull(),
    "peek": lambda cache: cache.peek(),
}
READ_KEY: dict[str, Callable[[Any], object]] = {
    "iter": list,
    "reversed": lambda cache: list(reversed(cache)),
    "iterkeys": lambda cache: list(cache.iterkeys()),
    "peekitem": lambda cache: cache.peekitem(),
}


@pytest.mark.parametrize("shipped", [stock, json_disk])
@pytest.mark.parametrize("use", READ_VALUE)
@pytest.mark.parametrize("in_file", [False, True], ids=["in the row", "in a file"])
def test_a_pickle_in_the_value_never_loads(folder, marker, bomb, shipped, use, in_file):
    def planted(name: object) -> None:
        (folder / "a.val").write_bytes(bomb)
        sql(folder, "DELETE FROM Cache")
        plant(folder, key=name, mode=4, **{"filename": "a.val"} if in_file else {"value": bomb})

    planted(KEY)
    attack(READ_VALUE[use], ours, folder)
    assert not marker.exists()
    planted(KEY if shipped is stock else diskcache.JSONDisk(str(folder)).put(KEY)[0])
    attack(READ_VALUE[use], shipped, folder)
    assert marker.exists()


@pytest.mark.parametrize("use", READ_QUEUE)
def test_a_pickle_in_a_queue_never_loads(folder, marker, bomb, use):
    sql(folder, "DELETE FROM Cache")
    plant(folder, key=500_000_000_000_000, mode=4, value=bomb)
    attack(READ_QUEUE[use], ours, folder)
    assert not marker.exists()
    sql(folder, "DELETE FROM Cache")
    plant(folder, key=500_000_000_000_000, mode=4, value=bomb)
    attack(READ_QUEUE[use], stock, folder)
    assert marker.exists()


@pytest.mark.parametrize("shipped", [stock, json_disk])
@pytest.mark.parametrize("use", READ_KEY)
def test_a_pickle_in_the_key_never_loads(folder, marker, bomb, shipped, use):
    sql(folder, "DELETE FROM Cache")
    plant(folder, key=bomb, raw=0, value=b"x")
    attack(READ_KEY[use], ours, folder)
    assert not marker.exists()
    attack(READ_KEY[use], shipped, folder)
    assert marker.exists()


def test_a_pickle_in_the_tag_column_never_loads_and_is_never_read(folder, marker, bomb):
    """diskcache hands tags out as they are (here: bytes), so nothing fires there either; ours hands out none."""
    plant(folder, tag=bomb, value=b"x")
    sql(folder, "UPDATE Cache SET tag = ?", bomb)
    with closing(stock(folder)) as cache:
        assert cache.get(KEY, tag=True) == (b"x", bomb)
    cache = DiskCache(folder)
    assert get(cache, KEY) is None
    assert get(cache, key("good")) == entry()
    put(cache, key("good"), entry(b"new"))
    at_once(cache.aclose())
    assert sql(folder, "SELECT tag FROM Cache WHERE key = ?", key("good")) == [(None,)]
    assert not marker.exists()


def test_check_reads_no_row(folder, marker, bomb):
    plant(folder, key=bomb, raw=0, mode=4, value=bomb)
    for open_cache in (stock, ours):
        with closing(open_cache(folder)) as cache:
            cache.check(fix=True)
    assert not marker.exists()


@pytest.mark.parametrize("column", ["value", "key", "tag"])
def test_through_the_port_a_planted_pickle_is_an_absent_entry_that_can_be_put_over(
    folder, marker, bomb, column
):
    plant(folder, **{"value": b"x", "mode": 4 if column == "value" else 1, column: bomb})
    cache = DiskCache(folder)
    assert get(cache, KEY) is None
    put(cache, KEY, entry())
    assert get(cache, KEY) == entry()
    at_once(cache.aclose())
    assert not marker.exists()


def test_the_disk_has_no_way_to_make_a_pickle():
    disk = BytesDisk("anywhere", min_file_size=1, pickle_protocol=5)
    for odd in (("tuple",), b"bytes", 7, None, 1.5):
        with pytest.raises(TypeError, match="a cache key is text"):
            disk.put(odd)
    for odd in (("tuple",), "text", 7, None):
        with pytest.raises(TypeError, match="a cache value is bytes"):
            disk.store(odd, False)
    with pytest.raises(TypeError):
        disk.store(b"x", True)
    with pytest.raises(TypeError):
        disk.filename()


# --- files outside ------------------------------------------------------------------------------------------------

FORMS: dict[str, Callable[[Path, Path], str]] = {
    "absolute": lambda folder, victim: str(victim),
    "upwards": lambda folder, victim: f"../{victim.parent.name}/{victim.name}",
    "through a folder link": lambda folder, victim: _linked(folder, victim),
}


def _linked(folder: Path, victim: Path) -> str:
    link = folder / "ab"
    if not link.is_symlink():
        link.symlink_to(victim.parent)
    return f"ab/{victim.name}"


def over_limit(cache: Any) -> None:
    cache.size_limit = 1
    cache.set(key("new"), b"x")


REMOVE: dict[str, Callable[[Any], object]] = {
    "delete": lambda cache: cache.delete(KEY),
    "del": lambda cache: cache.__delitem__(KEY),
    "pop": lambda cache: cache.pop(KEY),
    "set over it": lambda cache: cache.set(KEY, b"x"),
    "add over it": lambda cache: cache.add(KEY, b"x"),
    "set when full": over_limit,
    "set after its expiry": lambda cache: cache.set(key("new"), b"x"),
    "cull": lambda cache: (setattr(cache, "size_limit", 1), cache.cull()),
    "expire": lambda cache: cache.expire(),
    "evict": lambda cache: cache.evict("tagged"),
    "clear": lambda cache: cache.clear(),
}
EXPIRED = {"add over it", "set after its expiry", "expire"}


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    made = tmp_path / "home" / "diary.txt"
    made.parent.mkdir()
    made.write_bytes(b"dear diary")
    return made


@pytest.mark.parametrize("use", REMOVE)
@pytest.mark.parametrize("form", FORMS)
def test_a_file_outside_is_never_deleted(folder, victim, form, use):
    def planted() -> None:
        sql(folder, "DELETE FROM Cache")
        expire_time = 1.0 if use in EXPIRED else None
        name = FORMS[form](folder, victim)
        plant(folder, filename=name, mode=2, size=10, tag="tagged", expire_time=expire_time)

    planted()
    attack(REMOVE[use], ours, folder)
    assert victim.read_bytes() == b"dear diary"
    planted()
    attack(REMOVE[use], stock, folder)
    assert not victim.exists()


@pytest.mark.parametrize("form", FORMS)
def test_a_file_outside_is_never_read(folder, victim, form):
    for mode, wanted in ((2, b"dear diary"), (3, "dear diary")):
        sql(folder, "DELETE FROM Cache")
        plant(folder, filename=FORMS[form](folder, victim), mode=mode, size=10)
        with closing(stock(folder)) as cache:
            assert cache.get(KEY) == wanted
        with closing(ours(folder)) as cache:
            assert cache.get(KEY) is None
            assert cache.get(KEY, read=True) is None
            assert cache.peekitem() == (KEY, None)


def test_a_link_in_the_folder_is_never_followed(folder, victim):
    (folder / "ab.val").symlink_to(victim)
    plant(folder, filename="ab.val", mode=2, size=10)
    with closing(stock(folder)) as cache:
        assert cache.get(KEY) == b"dear diary"
    cache = DiskCache(folder)
    assert get(cache, KEY) is None
    at_once(cache.aclose())


def test_an_empty_folder_outside_stays(folder, tmp_path):
    for open_cache, stays in ((ours, True), (stock, False)):
        (tmp_path / "empty").mkdir(exist_ok=True)
        sql(folder, "DELETE FROM Cache")
        plant(folder, filename="../empty/none", mode=2)
        attack(lambda cache: cache.clear(), open_cache, folder)
        assert (tmp_path / "empty").exists() is stays


@pytest.mark.parametrize("use", ["put over it", "make room", "no time to live", "too large"])
def test_through_the_port_nothing_outside_is_deleted(folder, victim, use):
    expired = 1.0 if use == "make room" else None
    plant(folder, filename=str(victim), mode=2, size=10, expire_time=expired)
    cache = DiskCache(folder, size_limit_bytes=MIB)
    ttl_s = -1.0 if use == "no time to live" else 60.0
    body = b"x" * (MIB if use == "too large" else 10)
    put(cache, key("new") if use == "make room" else KEY, entry(body), ttl_s)
    at_once(cache.aclose())
    assert sql(folder, "SELECT 1 FROM Cache WHERE filename IS NOT NULL") == []
    assert victim.exists()


def test_a_database_that_is_a_link_is_refused(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere.db"
    (folder / "cache.db").rename(elsewhere)
    before = elsewhere.read_bytes()
    (folder / "cache.db").symlink_to(elsewhere)
    with pytest.raises(StoreError, match="is not a regular file"):
        put(DiskCache(folder), KEY, entry())
    assert elsewhere.read_bytes() == before
