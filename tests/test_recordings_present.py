"""The one visible skip of a clone that has no recordings; every other test of theirs is then left out."""

import csv

import pytest

from tests.recordings import recordings_folder


def test_recordings_are_here_and_whole() -> None:
    folder = recordings_folder()
    if folder is None:
        pytest.skip(
            "no recorded exchanges: set ROUTER_RECORDINGS to their folder, or put them at ../shared/cassettes; "
            "the tests that replay them were left out"
        )
    with (folder / "INDEX.tsv").open(encoding="utf-8", newline="") as lines:
        named = {row["file"] for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)}
    assert named, "the index names no recording"
    assert sorted(file for file in named if not (folder / file).is_file()) == []
