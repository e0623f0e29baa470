"""What the fake provider may do to a call, whole and streamed; both wires must tell it alike."""

from collections.abc import Mapping
from types import MappingProxyType

from router.ports import WireCall
from router.testing import (
    Answer,
    BadRequest,
    ContentFilter,
    ContextTooLong,
    CutStream,
    DropConnection,
    EmptyStream,
    ErrorInStream,
    Malformed,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    ServerError,
    Step,
    ToolCall,
    Unauthorized,
)
from tests.wires.subjects import SUBJECTS

_NOW = {
    "type": "function",
    "function": {
        "name": "now",
        "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]},
    },
}
_EITHER: Mapping[str, Step] = {
    "rate limited": RateLimited(retry_after=2),
    "server error": ServerError(),
    "bad gateway": ServerError(status=502),
    "gateway timeout": ServerError(status=504),
    "overloaded": Overloaded(),
    "unauthorized": Unauthorized(),
    "forbidden": Unauthorized(status=403),
    "quota": QuotaExceeded(),
    "not found": NotFound(),
    "bad request": BadRequest(),
    "unprocessable": BadRequest(status=422),
    "context too long": ContextTooLong(),
    "content filter": ContentFilter(where="prompt"),
    "dropped": DropConnection(),
    "reset": DropConnection(reset=True),
    "json": Malformed(body="json"),
    "html": Malformed(body="html"),
    "empty": Malformed(body="empty"),
    "filtered answer": ContentFilter(where="answer"),
    "tool call": Answer(tool_calls=(ToolCall(name="now", arguments={"zone": "UTC"}),)),
    "cut by a limit": Answer("Salt", finish_reason="length"),
    "refusal": Answer(refusal="I would rather not."),
    "every count": Answer(
        "Salt",
        input_tokens=900,
        output_tokens=80,
        cached_tokens=300,
        cache_write_tokens=200,
        reasoning_tokens=50,
    ),
}
_STREAMS: Mapping[str, Step] = {
    "cut": CutStream(after_chunks=2),
    "cut cleanly": CutStream(after_chunks=2, clean=True),
    "error inside": ErrorInStream(after_chunks=2),
    "empty stream": EmptyStream(),
    "empty stream without an end": EmptyStream(end_mark=False),
}
FAULTS: Mapping[str, tuple[Step, bool]] = MappingProxyType({
    **{f"whole {name}": (step, False) for name, step in _EITHER.items()},
    **{f"streamed {name}": (step, True) for name, step in (*_EITHER.items(), *_STREAMS.items())},
})  # fmt: skip
"""Name -> what it does, and whether a stream is asked for."""


def faulty_call(kind: str, base_url: str, *, stream: bool) -> WireCall:
    subject = SUBJECTS[kind]
    return WireCall(
        attempt="fault",
        target=f"{kind}/{subject.models[0]}",
        kind=kind,
        model=subject.models[0],
        messages=({"role": "user", "content": "Why is the unmistakable aardvark salty?"},),
        params={"tools": [_NOW]},
        timeout_s=20.0,
        stream=stream,
        base_url=base_url,
        api_key=subject.key,
        wire=subject.wire,
    )
