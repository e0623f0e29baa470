"""Rows and files of the disk cache that were cut, changed, deleted, or could not be written."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.adapters import cache_frames
from router.adapters.disk_cache import DiskCache
from router.errors import StoreError
from tests.adapters.cache_parts import at_once, child, database, ended_well, entry, get, key, put, refused


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "cache"


@pytest.fixture
def cache(folder: Path) -> Iterator[DiskCache]:
    made = DiskCache(folder)
    yield made
    at_once(made.aclose())


DAMAGE = {
    "cut": "UPDATE Cache SET value = substr(value, 1, length(value) - 1)",
    "cut to the head": "UPDATE Cache SET value = substr(value, 1, 20)",
    "empty": "UPDATE Cache SET value = x''",
    "absent": "UPDATE Cache SET value = NULL",
    "longer": "UPDATE Cache SET value = CAST(value || x'00' AS BLOB)",
    "text": "UPDATE Cache SET value = 'hello'",
    "number": "UPDATE Cache SET value = 7",
    "another version": "UPDATE Cache SET value = CAST(x'72740002' || substr(value, 5) AS BLOB)",
    "another time": "UPDATE Cache SET value = CAST(substr(value, 1, 4) || zeroblob(8) || substr(value, 13) AS BLOB)",
    "another key": f"UPDATE Cache SET key = '{key('other')}'",  # noqa: S608
    "text that is no text": "UPDATE Cache SET value = CAST(x'ff' AS TEXT), tag = CAST(x'ff' AS TEXT)",
    "another mode": "UPDATE Cache SET mode = 3",
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_entry_is_absent_and_can_be_put_again(folder: Path, cache: DiskCache, how: str):
    put(cache, key(1), entry())
    with database(folder) as connection:
        connection.execute(DAMAGE[how])
    assert get(cache, key(1)) is None
    assert get(cache, key("other")) is None
    put(cache, key(1), entry())
    assert get(cache, key(1)) == entry()


def test_a_record_of_another_version_is_absent(cache: DiskCache, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as later:
        later.setattr(cache_frames, "VERSION", b"rt\x00\x02")
        put(cache, key(1), entry())
        assert get(cache, key(1)) == entry()
    assert get(cache, key(1)) is None


def test_after_a_fault_the_next_use_begins_anew(folder: Path, cache: DiskCache):
    put(cache, key(1), entry())
    with database(folder) as connection:
        connection.execute("DROP TABLE Cache")
    assert "no such table" in refused(cache).message
    put(cache, key(1), entry(b"new"))
    assert get(cache, key(1)) == entry(b"new")


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 2**20), wrong=st.binary(min_size=1, max_size=40), cut=st.booleans())
def test_a_file_damaged_anywhere_gives_the_entry_nothing_or_a_store_error(
    tmp_path: Path, at: int, wrong: bytes, cut: bool
):
    folder = tmp_path / f"{at}-{wrong.hex()}-{cut}"
    cache = DiskCache(folder)
    for number in range(20):
        put(cache, key(number), entry(b"%d " % number * 200))
    at_once(cache.aclose())
    file = folder / "cache.db"
    raw = bytearray(file.read_bytes())
    at %= len(raw)
    raw[at:] = b"" if cut else wrong + raw[at + len(wrong) :]
    file.write_bytes(raw)
    for number in range(20):
        try:
            assert get(cache, key(number)) in (None, entry(b"%d " % number * 200))
        except StoreError:
            continue
    at_once(cache.aclose())


def test_a_file_that_is_no_database_is_a_store_error_until_it_is_gone(folder: Path, cache: DiskCache):
    put(cache, key(1), entry())
    at_once(cache.aclose())
    (folder / "cache.db").write_bytes(b"not a database, but long enough to be looked at " * 100)
    assert "not a database" in refused(cache).message
    (folder / "cache.db").unlink()
    put(cache, key(1), entry(b"new"))
    assert get(cache, key(1)) == entry(b"new")


def test_a_folder_deleted_underneath_fails_no_call_and_is_made_again_when_opened(
    folder: Path, cache: DiskCache
):
    put(cache, key(1), entry())
    shutil.rmtree(folder)
    put(cache, key(2), entry(b"new"))  # the system keeps the deleted file as long as it is open
    assert get(cache, key(2)) == entry(b"new")
    at_once(cache.aclose())
    put(cache, key(3), entry(b"new"))
    assert get(cache, key(3)) == entry(b"new")
    assert get(cache, key(1)) is None
    assert (folder / "cache.db").exists()


def test_a_full_disk_is_a_store_error_and_what_was_kept_stays(folder: Path, cache: DiskCache):
    code = """
import resource
cache = DiskCache(folder)
put(cache, key(1), entry())
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    for number in range(2, 500):
        put(cache, key(number), entry(b"x" * 5_000))
except StoreError as error:
    print(error.port, number)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
assert get(cache, key(1)) == entry()
"""
    said = ended_well(child(code, folder)).split()
    assert said[0] == "cache"
    assert get(cache, key(1)) == entry()
    put(cache, key("later"), entry())
    assert get(cache, key("later")) == entry()
