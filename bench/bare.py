"""An upstream that does almost nothing: `python -m bench.bare [CHUNKS]` answers every POST with the same bytes.

It looks for the length of the body and for `"stream"`, and parses nothing. Prints its base URL by kind in one line of
JSON, and ends when its input does.
"""

import asyncio
import json
import re
import sys
from typing import Any, cast

ANSWER = "Due on the third of December; finance approves."
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
STREAMS = re.compile(rb'"stream": ?true')

_USAGE = {"prompt_tokens": 120, "completion_tokens": 12, "total_tokens": 132}
_HEAD = {
    "id": "chatcmpl-bench",
    "created": 1_760_000_000,
    "model": "gpt-4o-mini",
    "system_fingerprint": "fp_bench",
}


def whole() -> bytes:
    """The whole response to a request that does not stream."""
    message = {"role": "assistant", "content": ANSWER, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    body = json.dumps({**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def streamed(chunks: int) -> bytes:
    """The whole response to a request that streams: so many chunks of text, then the usage and the end mark."""
    # No two alike: litellm takes a hundred equal ones for a model that has lost itself.
    pieces = [
        {"role": "assistant", "content": ""},
        *({"content": f" word {place}"} for place in range(chunks)),
    ]
    events = [_event([{"index": 0, "delta": piece, "finish_reason": None}]) for piece in pieces]
    events += [
        _event([{"index": 0, "delta": {}, "finish_reason": "stop"}]),
        _event([], usage=_USAGE),
        "[DONE]",
    ]
    parts = [f"data: {event}\n\n".encode() for event in events]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def _event(choices: list[dict[str, Any]], **more: Any) -> str:
    return json.dumps({**_HEAD, "object": "chat.completion.chunk", "choices": choices, **more})


class Answering(asyncio.Protocol):
    """One connection, kept alive."""

    def __init__(self, answers: tuple[bytes, bytes]) -> None:
        self._answers = answers
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, mark, body = self._read.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not mark or length is None or len(body) < int(length[1]):
            return
        self._read = body[int(length[1]) :]
        self._transport.write(self._answers[STREAMS.search(body) is not None])


async def serve(chunks: int) -> None:
    loop = asyncio.get_running_loop()
    answers = whole(), streamed(chunks)
    server = await loop.create_server(lambda: Answering(answers), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    print(json.dumps(dict.fromkeys(("openai", "anthropic", "gemini", "groq"), url)), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
