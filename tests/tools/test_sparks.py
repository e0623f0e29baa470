"""Spark lines: heights, and marks that a terminal can write."""

import io

from router.tools.sparks import ASCII, BLOCKS, spark, sparks_for


def test_the_most_is_at_full_height_and_anything_above_nothing_is_seen() -> None:
    assert spark((0, 1, 50, 100)) == "\u00b7\u2581\u2584\u2588"
    assert spark((0, 1, 50, 100), ASCII) == ".:+@"
    assert spark((0, 0)) == "\u00b7\u00b7"
    assert spark(()) == ""
    assert len(BLOCKS) == len(ASCII) == 9


def test_blocks_only_where_they_can_be_written() -> None:
    for encoding, marks in (("utf-8", BLOCKS), ("ascii", ASCII), ("latin-1", ASCII), ("cp1252", ASCII)):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        assert sparks_for(stream, plain=False) == marks
        assert sparks_for(stream, plain=True) == ASCII
