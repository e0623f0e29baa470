"""What someone can plant around the rows of a cache file: settings, pragmas, triggers, another shape."""

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from router.adapters.disk_cache import DiskCache
from router.adapters.disk_store import SETTINGS
from router.errors import StoreError
from tests.adapters.cache_parts import MIB, at_once, entry, get, key, put
from tests.adapters.planted import KEY, laid_out, ours, plant, sql, stock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return laid_out(tmp_path / "cache")


@pytest.fixture
def works(folder: Path) -> Callable[[], None]:
    def check() -> None:
        cache = DiskCache(folder)
        assert get(cache, key("good")) == entry()
        put(cache, KEY, entry(b"new"))
        assert get(cache, KEY) == entry(b"new")
        at_once(cache.aclose())

    return check


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("disk", b"\x80\x04."),
        ("disk_unknown", 1),  # a keyword argument of the Disk
        ("disk_pickle_protocol", b"\x80\x04."),
        ("_disk", "x"),
        ("get", "x"),
        ("set", "x"),
        ("_local", 5),
        (b"\xff", 1),
        (7, 1),
        ("eviction_policy", "least-recently-used"),
        ("eviction_policy", "no such policy"),
        ("statistics", 1),
        ("size_limit", 0),
        ("size_limit", "x"),
        ("cull_limit", 10**9),
        ("size", "x"),
        ("count", b"\xff"),
        ("sqlite_journal_mode", "off"),
        ("sqlite_mmap_size", 2**40),
        ("sqlite_query_only", 1),
        ("sqlite_locking_mode", "exclusive"),
        ("sqlite_max_page_count", 1),
        ("sqlite_user_version = 7; --", 1),
    ],
)
def test_planted_settings_change_nothing(folder, works, name, value):
    sql(folder, "INSERT OR REPLACE INTO Settings VALUES (?, ?)", name, value)
    works()
    with closing(ours(folder)) as store:
        for each, wanted in SETTINGS.items():
            assert getattr(store, each) == wanted
        assert store.size_limit == MIB
        assert store._sql("PRAGMA query_only").fetchall() == [(0,)]
        assert store._sql("PRAGMA mmap_size").fetchall() == [(0,)]
        assert store._sql("PRAGMA locking_mode").fetchall() == [("normal",)]
        assert store._sql("PRAGMA user_version").fetchall() == [(0,)]


def test_a_planted_pragma_runs_in_diskcache_as_shipped(folder):
    sql(folder, "INSERT INTO Settings VALUES ('sqlite_user_version', 7)")
    ours(folder).close()
    assert sql(folder, "PRAGMA user_version") == [(0,)]
    sql(folder, "INSERT INTO Settings VALUES ('sqlite_user_version', 7)")
    stock(folder).close()
    assert sql(folder, "PRAGMA user_version") == [(7,)]


def test_a_planted_setting_breaks_diskcache_as_shipped(folder):
    sql(folder, "INSERT INTO Settings VALUES ('get', 'x')")
    with closing(stock(folder)) as cache, pytest.raises(TypeError):
        cache.get(KEY)


def test_planted_triggers_and_views_are_dropped(folder, works):
    forever = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    sql(folder, f'CREATE TRIGGER "a ""b" AFTER INSERT ON Cache BEGIN {forever}; END')
    sql(folder, "DROP TRIGGER Settings_count_insert")
    sql(folder, f"CREATE TRIGGER Settings_count_insert AFTER INSERT ON Cache BEGIN {forever}; END")
    sql(folder, "CREATE VIEW odd AS SELECT load_extension('x')")
    works()
    left = sql(folder, "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')")
    assert {name for _, name in left} == {
        f"Settings_{what}"
        for what in ("count_insert", "count_delete", "size_insert", "size_update", "size_delete")
    }


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE TABLE Settings (other)",
        "CREATE TABLE Cache (other)",
        "CREATE VIEW Cache AS SELECT 1 AS key",
        "CREATE TABLE Settings (key, value); INSERT INTO Settings VALUES (NULL, 1)",
        "CREATE TABLE Cache (key, raw, expire_time, tag, mode, filename, value, store_time, access_time, rowid_)",
    ],
)
def test_a_database_of_another_shape_works_or_is_a_store_error(tmp_path, schema):
    folder = tmp_path / "odd"
    folder.mkdir(mode=0o700)
    with closing(sqlite3.connect(folder / "cache.db", isolation_level=None)) as connection:
        connection.executescript(schema)
    cache = DiskCache(folder)
    with suppress(StoreError):
        put(cache, KEY, entry())
        assert get(cache, KEY) == entry()
    at_once(cache.aclose())


def test_a_key_in_two_rows_is_a_store_error(folder):
    cache = DiskCache(folder)
    assert get(cache, key("good")) == entry()
    sql(folder, "DROP INDEX Cache_key_raw")
    plant(folder, key=key("good"), value=b"x")
    with pytest.raises(StoreError):
        get(cache, key("good"))
    at_once(cache.aclose())


def test_a_row_larger_than_any_of_ours_is_not_taken_into_memory(folder):
    plant(folder, value=b"x" * (2 * MIB))
    cache = DiskCache(folder, size_limit_bytes=MIB)
    with pytest.raises(StoreError, match="too big"):
        get(cache, KEY)
    assert get(cache, key("good")) == entry()
    at_once(cache.aclose())
