"""Every recorded stream that can be read, cut before its end mark: none of them may end as if it were whole."""

import asyncio
import re
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from router.adapters.cassette_tape import Tape, read_tape
from router.adapters.cassette_transport import CassetteTransport
from router.adapters.litellm_transport import AsyncLitellm
from router.errors import ProviderError
from router.policy.lean_kinds import LEAN_KINDS
from router.values import Kind, Wire
from tests.recorded_calls import PASS, Row, call_for, chat_rows, play, read_table
from tests.recorded_reader import Answer, read

pytestmark = [
    pytest.mark.recordings,
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),  # litellm's own models
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning"),  # litellm's own models
]


@pytest.mark.parametrize(("by", "least"), [("litellm", 170), ("lean", 50)])
def test_a_stream_cut_at_a_chunk_ends_in_a_broken_connection(recordings: Path, by: Wire, least: int):
    ends = asyncio.run(_ends(recordings, by))
    assert len(ends) >= least
    assert {name: end for name, end in ends.items() if end != Kind.CONNECTION} == {}


async def _ends(folder: Path, by: Wire) -> dict[str, Any]:
    """File and number -> how the cut stream ended: a kind, or the answer that it must not be."""
    assert await AsyncLitellm().ready(120.0)
    table, ends = read_table(), {}
    for row in chat_rows(folder):
        if (
            table[row.key][-1] != PASS
            or row.status != 200
            or (by == "lean" and row.provider not in LEAN_KINDS)
        ):
            continue
        tape = read_tape(folder / row.file).only(row.interaction)
        if call_for(row, tape.interactions[0]).stream and _cut(row, tape):
            ends["/".join(row.key)] = await _end(row, tape, by)
    return ends


async def _end(row: Row, tape: Tape, by: Wire) -> Any:
    transport = CassetteTransport.play(tape, suspends=True)
    try:
        return await play(transport, call_for(row, tape.interactions[0], by=by))
    except ProviderError as error:
        return error.kind
    finally:
        await transport.aclose()


def _cut(row: Row, tape: Tape) -> bool:
    """Shorten the response to a third of its chunks; False where its end mark is among them already."""
    body = tape.interactions[0].response["body"]
    chunks = _chunks(body["string"])
    body["string"] = b"".join(chunks[: len(chunks) // 3])
    try:
        left = read(row.path, 200, body["string"], {})
    except (ValueError, LookupError):  # not even a beginning
        return False
    return isinstance(left, Answer) and not any(choice.finish for choice in left.choices)


def _chunks(body: bytes) -> list[bytes]:
    """The events of a stream: AWS frames, server-sent events, or lines."""
    if body.startswith(b"\x00"):
        ends = [0]
        while ends[-1] < len(body):
            ends.append(ends[-1] + struct.unpack(">I", body[ends[-1] : ends[-1] + 4])[0])
        return [body[begin:end] for begin, end in pairwise(ends)]
    if body.lstrip().startswith((b"data:", b"event:", b":")):
        return re.findall(rb".+?(?:\r?\n\r?\n|\Z)", body, re.DOTALL)
    return body.splitlines(keepends=True)
