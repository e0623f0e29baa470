"""litellm's ModelResponse and stream chunks -> WireReply and WireChunk: plain JSON values, OpenAI's words, and only the
usage that the provider reported."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from router.ports import WireChunk, WireReply
from router.values import Usage

_FINISH: Mapping[str, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "function_call",
    "content_filter": "content_filter",
    # what litellm lets through as it came
    "complete": "stop",
    "end_turn": "stop",
    "eos": "stop",
    "finish": "stop",
    "finish_reason_unspecified": "stop",
    "guardrail_intervened": "content_filter",
    "max_tokens": "length",
    "model_length": "length",
    "refusal": "content_filter",
    "safety": "content_filter",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
}

_NOT_OPENAI = (
    "channel",
    "provider_specific_fields",
    "reasoning",
    "reasoning_details",
    "stream_options",
    "thinking_blocks_index",
)
"""What some providers and litellm say beside OpenAI's words. `reasoning` is also there as `reasoning_content`."""

_OF_A_CALL = ("index", "id", "type", "function", "custom")
"""Where a call has a signature (Gemini's have), litellm puts it into the id as well."""

SERVER_SIDE = "srvtoolu_"
"""Anthropic's mark of a tool that it ran itself: the caller has nothing to answer."""

_MOST_TOKENS = 10**9
"""No answer has more: such a count, like a negative one, is no report, and the answer is counted here instead."""

_CACHE_COUNTS = ("cache_read_input_tokens", "cache_creation_input_tokens")

_FOR_AN_HOUR = "ephemeral_1h_input_tokens"
"""Of what was written to a cache, the part that is kept for an hour: Anthropic's own word."""

_HEADERS = frozenset({"retry-after", "retry-after-ms", "x-should-retry", "date"})
_HEADER_STARTS = ("x-ratelimit-", "anthropic-ratelimit-")
_REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "x-ms-request-id")


def finish_reason(reason: str | None) -> str:
    """OpenAI's word for why the answer ended; a word that nobody knows is passed on in lower case."""
    word = (reason or "stop").lower()
    return _FINISH.get(word, word)


def useful_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a response that say something about limits or retries."""
    lowered = {name.lower(): value for name, value in headers.items()}
    return {n: v for n, v in lowered.items() if n in _HEADERS or n.startswith(_HEADER_STARTS)}


def request_id(headers: Mapping[str, str]) -> str | None:
    """The provider's own id of the request, for its support."""
    lowered = {name.lower(): value for name, value in headers.items()}
    return next((lowered[name] for name in _REQUEST_IDS if lowered.get(name)), None)


def reply_of(response: Any, headers: Mapping[str, str], *, signed: bool) -> WireReply:
    """A whole answer. `signed`: of a model that signs its thoughts, and wants them back.

    Raises what a response of another shape raises, one without any choice included.
    """
    choices = tuple(_choice(choice, signed=signed) for choice in response.choices)
    if not choices:
        raise ValueError("an answer without choices")
    return WireReply(
        choices=choices,
        usage=merged_usage([getattr(response, "usage", None)]),
        model=response.model or "",
        finish_reason=choices[0]["finish_reason"],
        headers=useful_headers(headers),
        provider_request_id=request_id(headers),
    )


def _choice(choice: Any, *, signed: bool) -> dict[str, Any]:
    message = plain(choice.message, signed=signed)
    message.setdefault("content", None)
    calls = [call for call in message.pop("tool_calls", ()) if not _is_server_side(call)]
    for call in calls:
        call.pop("index", None)
    if calls:
        message["tool_calls"] = calls
    reason = finish_reason(choice.finish_reason)
    if reason == "tool_calls" and not calls:  # only tools of the provider's own
        reason = "stop"
    whole = {"index": choice.index, "message": message, "finish_reason": reason}
    logprobs = logprobs_of(getattr(choice, "logprobs", None))
    return {**whole, "logprobs": logprobs} if logprobs else whole


def plain(part: Any, *, signed: bool) -> dict[str, Any]:
    """A pydantic part of a response as JSON values, without what is None, an empty list, or in no words of OpenAI's but
    those for thoughts."""
    dumped: dict[str, Any] = part.model_dump(mode="json", exclude_none=True)
    thought = dumped.get("reasoning")
    if isinstance(thought, str) and thought:
        dumped.setdefault("reasoning_content", thought)
    said = {name: value for name, value in dumped.items() if name not in _NOT_OPENAI and value != []}
    if not signed:
        said.pop("thinking_blocks", None)
    if "tool_calls" in said:
        said["tool_calls"] = [
            {name: call[name] for name in _OF_A_CALL if name in call} for call in said["tool_calls"]
        ]
    return said


def logprobs_of(logprobs: Any) -> dict[str, Any] | None:
    """Of a whole choice, or of a piece; None where there are none."""
    if logprobs is None:
        return None
    told = (
        dict(logprobs) if isinstance(logprobs, dict) else logprobs.model_dump(mode="json", exclude_none=True)
    )
    return {name: value for name, value in told.items() if value} or None


def _is_server_side(call: Mapping[str, Any]) -> bool:
    return str(call.get("id") or "").startswith(SERVER_SIDE)


# --- Usage ----------------------------------------------------------------------------------------------------------


def merged_usage(parts: Iterable[Any]) -> Usage | None:
    """The usage that one answer reported, perhaps in parts: of each count the last that is not zero; None: none."""
    counts: dict[str, Any] = {}
    for part in parts:
        counts.update({name: count for name, count in _counts(part).items() if count})
    return Usage(**counts) if counts else None


def _counts(usage: Any) -> dict[str, int]:
    read, wrote = (getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens"))
    if not _can_be(read or 0) or not _can_be(wrote or 0):
        return {}
    prompt, completion = (
        _details(usage, "prompt_tokens_details"),
        _details(usage, "completion_tokens_details"),
    )
    read, wrote = read or 0, wrote or 0
    reasoning = _part(completion, "reasoning_tokens")
    if reasoning and getattr(usage, "total_tokens", None) == read + wrote + reasoning:
        wrote += reasoning  # xAI counts it beside the completion
    beside = {name: getattr(usage, name, None) for name in _CACHE_COUNTS}
    return {
        "input_tokens": read,
        "output_tokens": wrote,
        "cached_input_tokens": _part(prompt, "cached_tokens") or _part(beside, _CACHE_COUNTS[0]),
        "cache_write_tokens": _part(prompt, "cache_creation_tokens") or _part(beside, _CACHE_COUNTS[1]),
        "cache_write_1h_tokens": _part(_inside(prompt, "cache_creation_token_details"), _FOR_AN_HOUR),
        "audio_input_tokens": _part(prompt, "audio_tokens"),
        "image_input_tokens": _part(prompt, "image_tokens"),
        "reasoning_tokens": reasoning,
        "audio_output_tokens": _part(completion, "audio_tokens"),
    }


def _details(usage: Any, name: str) -> Mapping[str, Any]:
    details = getattr(usage, name, None)
    if details is None:
        return {}
    return details if isinstance(details, dict) else details.model_dump(exclude_none=True)


def _inside(counts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    below = counts.get(name)
    return below if isinstance(below, Mapping) else {}


def _part(counts: Mapping[str, Any], name: str) -> int:
    count = counts.get(name) or 0
    return count if _can_be(count) else 0


def _can_be(count: object) -> bool:
    return isinstance(count, int) and 0 <= count <= _MOST_TOKENS


# --- Streams --------------------------------------------------------------------------------------------------------


class ChunkReader:
    """Turns the chunks of one stream into WireChunks. Holds which tool calls are the provider's own."""

    __slots__ = ("_called", "_numbers", "_server_side", "signed")

    def __init__(self, *, signed: bool) -> None:
        self.signed = signed
        self._server_side: set[int] = set()
        self._called = False
        self._numbers: dict[int, _Numbers] = {}

    def read(self, chunk: Any) -> Sequence[WireChunk]:
        """What `chunk` says, one WireChunk per choice; empty deltas without a finish say nothing."""
        pieces = (self._piece(choice) for choice in chunk.choices)
        return [piece for piece in pieces if piece.delta or piece.finish_reason or piece.logprobs]

    def _piece(self, choice: Any) -> WireChunk:
        logprobs = logprobs_of(getattr(choice, "logprobs", None))
        said = plain(choice.delta, signed=self.signed)
        return self.piece(said, index=choice.index, reason=choice.finish_reason, logprobs=logprobs)

    def piece(
        self,
        said: Mapping[str, Any],
        *,
        index: int,
        reason: str | None,
        logprobs: Mapping[str, Any] | None = None,
    ) -> WireChunk:
        """What one choice of a chunk says. `said`: its delta in plain values."""
        delta = {name: value for name, value in said.items() if value != ""}
        # litellm keeps some: all come from the provider's own chunks (litellm_stream)
        delta.pop("refusal", None)
        calls = [call for call in delta.pop("tool_calls", ()) if not self._hidden(call)]
        if calls:
            self._called = True
            numbers = self._numbers.setdefault(index, _Numbers())
            delta["tool_calls"] = [numbers.told(call) for call in calls]
        if delta.keys() == {"role"}:
            delta = {}
        word = finish_reason(reason) if reason else None
        if word == "tool_calls" and not self._called and self._server_side:
            word = "stop"
        return WireChunk(delta=delta, index=index, finish_reason=word, logprobs=logprobs)

    def _hidden(self, call: Mapping[str, Any]) -> bool:
        index = int(call.get("index") or 0)
        if _is_server_side(call):
            self._server_side.add(index)
        elif call.get("id"):
            self._server_side.discard(index)
        return index in self._server_side


class _Numbers:
    """The numbers of one choice's calls: some services give every call the same, and only its id tells it apart."""

    __slots__ = ("_open", "_taken")

    def __init__(self) -> None:
        self._open: dict[
            int, tuple[str, int]
        ] = {}  # given -> the id of the last call under it, and its own number
        self._taken: set[int] = set()

    def told(self, piece: Mapping[str, Any]) -> Mapping[str, Any]:
        """A piece of a call, with a number that no other call has."""
        given = piece.get("index")
        if given is None:
            return piece
        name = piece.get("id") or ""
        known, number = self._open.get(given) or ("", self._free(given))
        if known and name not in ("", known) and (piece.get("function") or {}).get("name"):
            number = self._free(given)
        self._open[given] = (name or known, number)
        self._taken.add(number)
        return piece if number == given else {**piece, "index": number}

    def _free(self, given: int) -> int:
        return given if given not in self._taken else max(self._taken) + 1
