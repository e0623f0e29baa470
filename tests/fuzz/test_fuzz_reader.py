"""The fuzzer's own function over a fixed corpus: what it once found stays found, and it can't rot."""

from random import Random

import pytest

from tests.fuzz.fuzz_reader import one_input, seeds, words

FOUND: list[bytes] = []
"""Inputs that once broke a promise."""


def test_every_seed_and_what_lies_between_them() -> None:
    draw, known, vocabulary = Random(7), list(seeds()), [word.encode() for word in words()]
    for seed in (*known, *FOUND):
        one_input(seed)
    for _ in range(100):
        one, other = draw.choice(known), draw.choice(known)
        at, until = draw.randrange(len(one)), draw.randrange(len(other))
        put = draw.choice([draw.randbytes(2), draw.choice(vocabulary), other[until : until + 30]])
        one_input(one[:at] + put + one[at + draw.randrange(20) :])


def test_a_broken_promise_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.fuzz_reader.ACCEPTS", lambda value: True)
    with pytest.raises(AssertionError):
        one_input(b"version: 1\npolices: {}\n")
