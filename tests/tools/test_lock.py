"""Writing a lock file: whole or not at all, and only where there is something to write."""

import os
import stat

import pytest

from router.errors import PolicyError, RequestError
from router.policy.load import load
from router.policy.lock import LOCK_FILE
from router.tools.lock import locking, write_lock
from tests.policy.books import Book
from tests.policy.test_lock import TEXT, Changed


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.yaml").write_text(TEXT, encoding="utf-8")
    return tmp_path / "policies"


def test_what_is_written_holds(folder):
    found = locking(folder, Book())
    assert found.is_new
    assert write_lock(found)
    assert (folder / LOCK_FILE).read_text(encoding="utf-8") == found.text
    again = locking(folder, Book())
    assert (again.problems, again.is_new) == ((), False)
    assert load(folder, Book(), frozen=True).problems == ()


def test_what_holds_is_not_written_again(folder):
    write_lock(locking(folder, Book()))
    os.utime(folder / LOCK_FILE, (1, 1))
    assert not write_lock(locking(folder, Book()))
    assert (folder / LOCK_FILE).stat().st_mtime == 1


def test_drift_is_known_before_it_is_written_over(folder):
    write_lock(locking(folder, Book()))
    found = locking(folder, Changed(context_tokens=1_000))
    assert [problem.severity for problem in found.problems] == ["error", "error"]
    assert "context was `200000` when locked, and is `1000` now" in found.problems[1].message
    assert write_lock(found)
    assert locking(folder, Changed(context_tokens=1_000)).problems == ()


def test_a_damaged_file_is_written_over(folder):
    (folder / LOCK_FILE).write_bytes(b"\xff")
    found = locking(folder, Book())
    assert [problem.code for problem in found.problems] == ["encoding"]
    assert write_lock(found)
    assert locking(folder, Book()).problems == ()


def test_a_file_that_cannot_take_its_place_leaves_nothing_behind(folder):
    (folder / LOCK_FILE).mkdir()
    with pytest.raises(OSError, match="directory"):
        write_lock(locking(folder, Book()))
    assert sorted(path.name for path in folder.iterdir()) == ["a.yaml", LOCK_FILE]


def test_it_is_an_ordinary_file(folder):
    """It holds no secret: whoever may read the policies may read it."""
    before = os.umask(0o022)
    try:
        write_lock(locking(folder, Book()))
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / LOCK_FILE).stat().st_mode) == 0o644


def test_policies_with_mistakes_are_not_locked(folder):
    (folder / "a.yaml").write_text("version: 1\nnope: 1\n")
    with pytest.raises(PolicyError):
        locking(folder, Book())
    with pytest.raises(RequestError, match="one file"):
        locking(folder / "a.yaml", Book())
