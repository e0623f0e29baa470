"""The text of a response: strict in its encoding, and cut into the lines that its provider ended."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.adapters.litellm_text import StrictResponse


class Pieces(httpx.AsyncByteStream):
    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def lines_of(*pieces: bytes, kind: str = "text/event-stream") -> list[str]:
    """What is read before the end, be it well or not."""

    async def read() -> list[str]:
        plain = httpx.Response(200, headers={"content-type": kind}, stream=Pieces(pieces))
        response = StrictResponse.of(plain)
        response.request = httpx.Request("POST", "http://test.invalid")
        found = []
        try:
            async for line in response.aiter_lines():
                found.append(line)  # noqa: PERF401 - what came before an error counts
        except httpx.DecodingError as error:
            found.append(f"! {error}")
        return found

    return asyncio.run(read())


TEXTS = st.text(st.sampled_from("a\r\n\u0085\u2028\u2029é🙂\x0b "), max_size=12)


@given(TEXTS, st.lists(st.integers(0, 40), max_size=5))
def test_lines_end_where_events_do_however_they_come(text: str, cuts: list[int]) -> None:
    body = text.encode()
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    pieces = [body[start:end] for start, end in pairwise(places)]
    *whole, rest = re.split("\r\n|\r|\n", text)
    assert lines_of(*pieces) == ([*whole, rest] if rest else whole)


@pytest.mark.parametrize("at", range(8))
def test_what_is_no_utf8_is_told_behind_what_can_be_read(at: int) -> None:
    body = b"one\ntwo\nth\xffee\nfour\n"
    assert lines_of(body[: at * 3], body[at * 3 :]) == ["one", "two", "! the answer is not utf-8"]


def test_another_encoding_is_read_where_the_response_names_it() -> None:
    assert lines_of("thrée\n".encode("latin-1"), kind="text/plain; charset=latin-1") == ["thrée"]
