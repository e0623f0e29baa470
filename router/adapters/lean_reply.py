"""A whole answer as bytes -> WireReply. OpenAI's plain shape is read as it is; whatever is out of the ordinary is read
by litellm's class for the provider, so that both wires say the same of it."""

import json
from collections.abc import Mapping
from typing import Any

from router.adapters.lean_pool import LeanAnswer
from router.adapters.lean_requests import Draft
from router.adapters.litellm_reply import (
    SERVER_SIDE,
    merged_usage,
    reply_of,
    request_id,
    useful_headers,
)
from router.decide.transcript import signs_thoughts
from router.ports import WireReply
from router.values import Usage

_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter"})
_MESSAGE_KEYS = frozenset({"role", "content", "reasoning", "reasoning_content", "tool_calls"})
_CALL_KEYS = frozenset({"id", "type", "function", "index"})
_FUNCTION_KEYS = frozenset({"name", "arguments"})
_PARALLEL = "multi_tool_use.parallel"
_THOUGHT = ("<think", "<budget:")


class NotPlain(Exception):
    """Something that litellm makes more of than it says."""


class Refused(Exception):
    """The provider answered with an error status."""


def read_reply(draft: Draft, answer: LeanAnswer, body: bytes) -> WireReply:
    """Raises Refused, and whatever litellm raises of an answer that it can't read."""
    headers, route = answer.headers, draft.route
    if answer.status >= 400:
        raise Refused
    if route.reading.whole and not draft.json_mode:
        try:
            whole = json.loads(body)
            if route.quirks.plain_with is not None:
                _look_twice(whole, route.quirks.plain_with)
            return plain_reply(whole, headers, prefix=route.reading.prefix)
        except (NotPlain, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            pass  # litellm's word decides
    response = route.reading.by_litellm(
        body,
        headers,
        url=draft.url,
        api_key=route.api_key,
        request_data=draft.data,
        messages=draft.messages,
        optional_params=draft.params,
        litellm_params=draft.litellm_params,
        json_mode=draft.json_mode,
    )
    return reply_of(response, headers, signed=signs_thoughts(draft.call.kind, draft.call.model))


def _look_twice(whole: Mapping[str, Any], needed: str) -> None:
    """Raise NotPlain for what litellm's class for OpenAI's likes does not read, or makes a nought of."""
    usage = whole.get("usage") or {}
    if needed not in whole or any(usage[name] is None for name in usage if name.endswith("_tokens")):
        raise NotPlain


# --- OpenAI's shape ---------------------------------------------------------------------------------------------------


def plain_reply(answer: Mapping[str, Any], headers: Mapping[str, str], *, prefix: str = "") -> WireReply:
    """Raises NotPlain, and what Python raises of another shape."""
    if answer.get("error") is not None or not answer["choices"]:
        raise NotPlain
    choices = tuple(_choice(index, choice) for index, choice in enumerate(answer["choices"]))
    return WireReply(
        choices=choices,
        usage=plain_usage(answer.get("usage")),
        model=prefix + _text(answer.get("model")),
        finish_reason=choices[0]["finish_reason"],
        headers=useful_headers(headers),
        provider_request_id=request_id(headers),
    )


def _choice(index: int, choice: Mapping[str, Any]) -> dict[str, Any]:
    reason = choice["finish_reason"]
    if reason not in _REASONS or choice.get("logprobs") is not None or choice.get("enhancements") is not None:
        raise NotPlain
    message = _message(choice["message"])
    called = "tool_calls" in message
    if (called and reason == "stop") or choice.get("index", index) != index:
        raise NotPlain
    if reason == "tool_calls" and not called:
        reason = "stop"
    return {"index": index, "message": message, "finish_reason": reason}


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    if message["role"] != "assistant" or any(
        message[name] is not None for name in message.keys() - _MESSAGE_KEYS
    ):
        raise NotPlain
    content = message.get("content")
    if content == "":  # to some that is none
        raise NotPlain
    said: dict[str, Any] = {"role": "assistant", "content": content}
    if content is not None and not isinstance(content, str):
        raise NotPlain
    thought = thought_of(message)
    if thought is not None:
        said["reasoning_content"] = thought
    elif content and content.startswith(_THOUGHT):
        raise NotPlain
    if message.get("tool_calls"):
        said["tool_calls"] = [_tool_call(call) for call in message["tool_calls"]]
    return said


def thought_of(said: Mapping[str, Any]) -> str | None:
    """What a message or delta says in a field for thoughts. Raises NotPlain where there are two, or none but an empty
    one."""
    told = [said[name] for name in ("reasoning", "reasoning_content") if name in said]
    if len(told) > 1 or "" in told:
        raise NotPlain
    return _text(told[0]) if told and told[0] is not None else None


def _tool_call(call: Mapping[str, Any]) -> Mapping[str, Any]:
    function = call["function"]
    if not call.keys() <= _CALL_KEYS or not function.keys() <= _FUNCTION_KEYS:
        raise NotPlain
    if call["type"] != "function" or function["name"] == _PARALLEL:
        raise NotPlain
    if _text(call["id"]).startswith(SERVER_SIDE) or not _text(function["name"]):
        raise NotPlain
    _text(function["arguments"])
    return {name: call[name] for name in ("id", "type", "function")}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise NotPlain
    return value


# --- Usage ------------------------------------------------------------------------------------------------------------


class PlainUsage:
    """Usage in OpenAI's words, with what others write beside them put where OpenAI has it, as litellm does."""

    __slots__ = (
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "completion_tokens",
        "completion_tokens_details",
        "prompt_tokens",
        "prompt_tokens_details",
        "total_tokens",
    )

    def __init__(self, usage: Mapping[str, Any]) -> None:
        self.prompt_tokens = _count(usage, "prompt_tokens")
        self.completion_tokens = _count(usage, "completion_tokens")
        self.total_tokens = _count(usage, "total_tokens")
        self.cache_read_input_tokens = usage.get("cache_read_input_tokens")
        self.cache_creation_input_tokens = usage.get("cache_creation_input_tokens")
        self.prompt_tokens_details = _prompt_details(usage)
        self.completion_tokens_details = _completion_details(usage)


def plain_usage(usage: Mapping[str, Any] | None) -> Usage | None:
    """Raises NotPlain."""
    return None if usage is None else merged_usage([PlainUsage(usage)])


def _prompt_details(usage: Mapping[str, Any]) -> dict[str, Any]:
    details = _details(usage, "prompt_tokens_details")
    if "cache_creation_token_details" in details:
        raise NotPlain
    for name in ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens"):
        if details.get(name) is not None:
            details["cache_creation_tokens"] = details[name]
            break
    for name in ("prompt_cache_hit_tokens", "cache_read_input_tokens"):
        if isinstance(usage.get(name), int):
            details["cached_tokens"] = usage[name]
    if isinstance(usage.get("cache_creation_input_tokens"), int):
        details["cache_creation_tokens"] = usage["cache_creation_input_tokens"]
    return details


def _completion_details(usage: Mapping[str, Any]) -> dict[str, Any]:
    details = _details(usage, "completion_tokens_details")
    if usage.get("reasoning_tokens") and details.get("reasoning_tokens") is None:
        details["reasoning_tokens"] = _count(usage, "reasoning_tokens")
    return details


def _details(usage: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Raises NotPlain where a count is no whole number: litellm's models would make one of it, or refuse it."""
    details = usage.get(name)
    if not details:
        return {}
    if any(type(count) is not int for count in details.values() if count is not None):
        raise NotPlain
    return dict(details)


def _count(usage: Mapping[str, Any], name: str) -> int:
    count = usage.get(name)
    if count is None:
        return 0
    if type(count) is not int:
        raise NotPlain
    return count
