"""Words that the tests of the caches share."""

import sqlite3
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from router.adapters.disk_cache import DiskCache
from router.errors import StoreError
from router.ports import Cache, CacheEntry

HOUR_S = 3600.0
MIB = 2**20
CHECKOUT = Path(__file__).resolve().parents[2]

IN_CHILD = """
import os, sys, threading, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from router.adapters.disk_cache import DiskCache
from router.errors import StoreError
from tests.adapters.cache_parts import at_once, entry, get, key, put
folder = Path(sys.argv[2])
"""


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Drive a coroutine that must not suspend, as the sync router does."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it suspended")


def key(number: object) -> str:
    return sha256(str(number).encode()).hexdigest()


def entry(body: bytes = b'{"text":"hello"}', stored_at_s: float = 1_763_700_000.25) -> CacheEntry:
    return CacheEntry(body=body, stored_at_s=stored_at_s)


def get(cache: Cache, name: str) -> CacheEntry | None:
    return at_once(cache.get(name))


def put(cache: Cache, name: str, what: CacheEntry, ttl_s: float = HOUR_S) -> None:
    at_once(cache.put(name, what, ttl_s=ttl_s))


def child(code: str, folder: Path, *more: str) -> subprocess.Popen[str]:
    """Another process of the same program; `folder` and the words above are defined in it."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", IN_CHILD + code, str(CHECKOUT), str(folder), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended_well(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return said


@contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(folder / "cache.db", isolation_level=None)) as connection:
        yield connection


def refused(cache: DiskCache) -> StoreError:
    import pytest  # not in the processes that are started with this file

    with pytest.raises(StoreError) as failed:
        get(cache, key(1))
    assert failed.value.port == "cache"
    assert failed.value.help
    return failed.value
