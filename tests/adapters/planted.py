"""A cache file with something planted in it, and the caches that open it."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import diskcache

from router.adapters.disk_cache import DiskCache
from router.adapters.disk_store import RowStore
from tests.adapters.cache_parts import MIB, at_once, entry, key, put

KEY = key("planted")
ROW = {
    "key": KEY,
    "raw": 1,
    "store_time": time.time(),
    "expire_time": None,
    "access_time": time.time(),
    "tag": None,
    "size": 0,
    "mode": 1,
    "filename": None,
    "value": None,
}


def stock(folder: Path) -> diskcache.Cache:
    return diskcache.Cache(str(folder))


def ours(folder: Path) -> RowStore:
    return RowStore(folder, size_limit_bytes=MIB)


def laid_out(folder: Path) -> Path:
    """A cache folder as diskcache lays it out, with one good entry of ours in it."""
    cache = DiskCache(folder)
    put(cache, key("good"), entry())
    at_once(cache.aclose())
    return folder


def sql(folder: Path, statement: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(folder / "cache.db", isolation_level=None)) as connection:
        return connection.execute(statement, values).fetchall()


def plant(folder: Path, **columns: object) -> None:
    row = {**ROW, **columns}
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    sql(folder, f"INSERT INTO Cache ({names}) VALUES ({marks})", *row.values())  # noqa: S608 -- names of ROW
