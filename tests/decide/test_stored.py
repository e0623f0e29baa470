"""Stored answers: what is not one is absent, whatever it is."""

import pytest

from router.decide import stored


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[1]",
        b"\xff",
        b"{}",
        b'{"format":1}',
        b"[" * 100_000,
        b'{"format":1,"choices":[]}',
        b"9" * 5000,
    ],
    ids=["empty", "null", "list", "bytes", "map", "bare", "nested", "choiceless", "digits"],
)
def test_bytes_that_are_no_answer_are_absent(body: bytes) -> None:
    assert stored.from_bytes(body, request_id="r", policy="p") is None
