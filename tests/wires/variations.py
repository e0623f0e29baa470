"""Answers that are a little out of the ordinary: what a provider leaves out, adds, or writes in another way."""

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from random import Random
from typing import Any

Json = dict[str, Any]

_CITED = {
    "type": "url_citation",
    "url_citation": {"url": "https://x", "title": "X", "start_index": 0, "end_index": 4},
}
_MESSAGE: Mapping[str, Sequence[Any]] = {
    "content": (None, "", " ", "<think>hm</think>Salt.", [{"type": "text", "text": "Salt."}], "<budget:x>"),
    "role": (None, "user", "model"),
    "refusal": (None, "", "I would rather not."),
    "reasoning_content": (None, "", "Let me think."),
    "reasoning": (None, "Let me think."),
    "reasoning_details": ([], [{"type": "reasoning.text", "text": "Let me think.", "index": 0}]),
    "annotations": (None, [], [_CITED]),
    "tool_calls": (None, []),
    "function_call": (None, {"name": "now", "arguments": "{}"}),
    "audio": (None,),
    "images": ([],),
    "provider_specific_fields": (None, {"a": 1}),
}
_DELTA: Mapping[str, Sequence[Any]] = {
    "content": (None, "", " "),
    "role": (None, "assistant"),
    "refusal": (None, "", "I would rather not."),
    "reasoning_content": (None, "", "Let me think."),
    "reasoning": (None, "Let me think."),
    "tool_calls": (None, []),
    "function_call": (None,),
    "audio": (None,),
}
_CALL: Mapping[str, Sequence[Any]] = {
    "id": (None, "", "srvtoolu_1", "call_9"),
    "type": (None, "function", "custom"),
    "index": (0, 3),
    "function": (
        {"name": "now", "arguments": ""},
        {"name": "now", "arguments": {}},
        {"name": "now", "arguments": None},
        {"name": "", "arguments": "{}"},
        {"name": "now"},
        {"name": "multi_tool_use.parallel", "arguments": "{}"},
        {"name": "now", "arguments": "{not json"},
    ),
}
_CHOICE: Mapping[str, Sequence[Any]] = {
    "finish_reason": (None, "stop", "length", "tool_calls", "function_call", "eos", "STOP", "content_filter"),
    "logprobs": (None, {"content": [{"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": []}]}),
    "stop_reason": (None, 7),
    "content_filter_results": ({},),
}
_USAGE: Mapping[str, Sequence[Any]] = {
    "prompt_tokens": (None, 0, 12),
    "completion_tokens": (None, 0, 12),
    "total_tokens": (None, 0, 37, 99),
    "prompt_tokens_details": (None, {}, {"cached_tokens": 5}, {"cached_tokens": None, "audio_tokens": 2}),
    "completion_tokens_details": (
        None,
        {},
        {"reasoning_tokens": 3},
        {"reasoning_tokens": None, "text_tokens": 4},
    ),
    "reasoning_tokens": (0, 4),
    "prompt_cache_hit_tokens": (0, 6),
    "cache_read_input_tokens": (None, 6),
    "cache_creation_input_tokens": (None, 4),
    "cost": (None, 0.001, {"total": 1}),
    "num_cached_tokens": (2,),
}
_TOP: Mapping[str, Sequence[Any]] = {
    "id": (None, ""),
    "object": (None, "chat.completion", "odd"),
    "created": (None, 1, 0),
    "model": (None, "", "another/model"),
    "usage": (None, {}),
    "choices": ([],),
    "error": (
        None,
        {"message": "no", "code": 500},
        {"message": "slow down", "type": "rate_limit_exceeded"},
        "no",
    ),
    "service_tier": (None, "default", "on_demand"),
    "system_fingerprint": (None,),
    "citations": (None, ["https://x"]),
    "x_groq": ({"id": "req_1"},),
    "provider": ("Fake",),
}

_NEEDED = ("id", "choices")
"""What no provider leaves out."""


def varied(draw: Random, answer: bytes, *, openai: bool) -> bytes:
    """The answer as it is, in half of all cases; else with one to three things about it changed."""
    if draw.random() < 0.5:
        return answer
    changes = draw.choice((1, 1, 2, 3))
    if answer.lstrip()[:1] in (b"{", b"["):
        return _dump(_changed(draw, json.loads(answer), changes, openai=openai))
    return _stream(draw, answer, changes, openai=openai)


def _stream(draw: Random, answer: bytes, changes: int, *, openai: bool) -> bytes:
    """One event of it is changed, missing or doubled."""
    events = answer.split(b"\n\n")
    at = draw.randrange(len(events))
    data = events[at].rpartition(b"data: ")[2]
    if not data.startswith(b"{"):
        return answer
    match draw.randrange(6):
        case 0:
            del events[at]
        case 1:
            events.insert(at // 2, b": a comment")
        case _:
            made = _dump(_changed(draw, json.loads(data), changes, openai=openai))
            events[at] = events[at][: -len(data)] + made
    return b"\n\n".join(events)


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _changed(draw: Random, answer: Json, changes: int, *, openai: bool) -> Json:
    made = deepcopy(answer)
    for _ in range(changes):
        if openai:
            _change(draw, *draw.choice(list(_places(made))))
    return made


def _places(answer: Json) -> Iterator[tuple[Json, Mapping[str, Sequence[Any]]]]:
    """The parts of an answer in OpenAI's shape, each with what may stand in it, the more of it the more often."""
    yield answer, _TOP
    usage, choices = answer.get("usage"), answer.get("choices")
    if isinstance(usage, dict):
        yield from [(usage, _USAGE)] * 2
    for choice in choices or ():
        yield choice, _CHOICE
        if isinstance(choice.get("delta"), dict):
            yield from [(choice["delta"], _DELTA)] * 3
        elif isinstance(choice.get("message"), dict):
            yield from [(choice["message"], _MESSAGE)] * 3
            yield from ((call, _CALL) for call in choice["message"].get("tool_calls") or ())


def _change(draw: Random, part: Json, known: Mapping[str, Sequence[Any]]) -> None:
    name = draw.choice(list(known))
    if name in part and draw.random() < 0.3 and name not in _NEEDED:
        del part[name]
    else:
        part[name] = deepcopy(draw.choice(known[name]))
