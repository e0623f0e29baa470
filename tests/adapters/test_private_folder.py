"""Folders of one owner."""

from pathlib import Path

from router.adapters.private_folder import make_private


def test_every_folder_that_was_missing_is_its_owners_alone(tmp_path: Path) -> None:
    make_private(tmp_path / "a" / "b")
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b")] == [0o700, 0o700]
    assert not (tmp_path / "a" / ".gitignore").exists()


def test_git_leaves_a_fresh_state_folder_alone_and_nobody_elses(tmp_path: Path) -> None:
    make_private(tmp_path / ".router" / "fake")
    assert (tmp_path / ".router" / ".gitignore").read_text() == "*\n"
    (tmp_path / ".router" / ".gitignore").unlink()
    make_private(tmp_path / ".router" / "replay")
    assert not (tmp_path / ".router" / ".gitignore").exists()
