"""A conversation as its next provider takes it: what others have said in it, in words that this one accepts.

Messages are OpenAI's. An answer of one provider may stand in them with an id that another refuses, with fields that
only its own provider knows, or with thoughts that only its own provider can verify. Of what the answer says to people
nothing is left out: ids, signatures and thoughts are all that changes.
"""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from router.values import Message

_OWN_WORDS = frozenset(
    {
        "annotations",
        "channel",
        "images",
        "provider_specific_fields",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "thinking_blocks",
    }
)
"""Fields of an answer that are no part of a question, but for those whose provider wants them back."""

_OF_A_CALL = ("id", "type", "function", "custom", "cache_control")

_SIGNATURE = "__thought__"
"""Stands in the id of a call that Gemini asked for, before the signature of the thought that led to it."""

_WANT_THOUGHTS = ("deepseek", "moonshot", "zai")
"""Kinds that refuse a call of theirs without the thoughts before it, or think again."""

_PRINTABLE = re.compile(r"\S.*", re.DOTALL)
_IDS: Mapping[str, re.Pattern[str]] = {
    "claude": re.compile(r"[a-zA-Z0-9_-]+"),
    "bedrock": re.compile(r"[a-zA-Z0-9_-]{1,64}"),
    "mistral": re.compile(r"[a-zA-Z0-9]{9}"),
    "openai": re.compile(r"\S.{0,39}"),
    "azure": re.compile(r"\S.{0,39}"),
}
"""What the id of a call may be, where a provider says so; everywhere else it is any text."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def signs_thoughts(kind: str, model: str) -> bool:
    """Whether a model says what it thinks with a signature, and takes it back: Claude, wherever it runs."""
    return kind == "anthropic" or "claude" in model.lower()


def transcript(messages: Sequence[Message], *, kind: str, model: str) -> Sequence[Message]:
    """`messages` for that model. The same object where there is nothing to change.

    Every tool call comes out with an id of its own that its provider accepts, and every tool result with the id of its
    call. What a message becomes depends on it and those before it alone, so that a longer conversation has the same
    beginning, as providers' caches need it.
    """
    if all(message.get("role") not in ("assistant", "tool") for message in messages):
        return messages
    ids = _Ids(_family(kind, model), keeps_signatures=_is_gemini(kind, model))
    spoken = [_message(message, kind, model, ids) for message in messages]
    if _is_gemini(kind, model):
        spoken = _by_place(spoken)
    return messages if spoken == list(messages) else tuple(spoken)


def params_for(
    params: Mapping[str, Any], messages: Sequence[Message], *, kind: str, model: str
) -> Mapping[str, Any]:
    """`params` for that conversation: a Claude that is to go on from a call it did not think about can't be told to
    think before the next answer, it would refuse the whole request."""
    if "reasoning_effort" not in params or not signs_thoughts(kind, model):
        return params
    last = next((each for each in reversed(messages) if each.get("role") == "assistant"), {})
    if not last.get("tool_calls") or _signed(last.get("thinking_blocks")):
        return params
    return {name: value for name, value in params.items() if name != "reasoning_effort"}


# --- Messages ---------------------------------------------------------------------------------------------------------


def _message(message: Message, kind: str, model: str, ids: "_Ids") -> Message:
    if message.get("role") == "tool":
        return {**message, "tool_call_id": ids.of_result(message.get("tool_call_id"))}
    if message.get("role") != "assistant":
        return message
    said = {name: value for name, value in message.items() if name not in _OWN_WORDS}
    said |= _wanted_back(message, kind, model)
    refusal = message.get("refusal")
    if kind not in ("openai", "azure"):
        said.pop("refusal", None)
        said |= {"content": refusal} if refusal and not message.get("content") else {}
    calls = message.get("tool_calls")
    if calls:
        ids.begin_turn()
        said["tool_calls"] = [_call(call, ids, keeps=_is_gemini(kind, model)) for call in calls]
        said |= {"content": None} if _is_blank(message.get("content")) else {}
    else:
        said.pop("tool_calls", None)
    return said


def _wanted_back(message: Message, kind: str, model: str) -> dict[str, Any]:
    """Of an answer's own words those that this provider is to see again."""
    wanted = {}
    if signs_thoughts(kind, model) and (signed := _signed(message.get("thinking_blocks"))):
        wanted["thinking_blocks"] = signed
    if kind in _WANT_THOUGHTS and message.get("reasoning_content"):
        wanted["reasoning_content"] = message["reasoning_content"]
    if _is_gemini(kind, model) and message.get("provider_specific_fields"):
        wanted["provider_specific_fields"] = message["provider_specific_fields"]
    return wanted


def _signed(blocks: Any) -> list[Any]:
    """A thought without its signature is refused, as is one that somebody else signed."""
    return [each for each in blocks or () if each.get("signature") or each.get("type") == "redacted_thinking"]


def _call(call: Mapping[str, Any], ids: "_Ids", *, keeps: bool) -> dict[str, Any]:
    named = (*_OF_A_CALL, "provider_specific_fields") if keeps else _OF_A_CALL
    found = {name: call[name] for name in named if name in call}
    function = found.get("function")
    if isinstance(function, Mapping) and _is_blank(function.get("arguments")):
        found["function"] = {
            **function,
            "arguments": "{}",
        }  # of a tool without parameters; no JSON everywhere else
    return {"type": "function", **found, "id": ids.of_call(call.get("id"))}


def _is_blank(said: Any) -> bool:
    """Whether nothing is said, in the form of a text or of parts: some providers refuse an empty text."""
    if isinstance(said, list | tuple):
        return all(
            isinstance(part, Mapping) and part.get("text") in ("", None) and part.get("type") == "text"
            for part in said
        )
    return said is None or (isinstance(said, str) and not said.strip())


# --- Gemini -----------------------------------------------------------------------------------------------------------


def _by_place(messages: Sequence[Message]) -> list[Message]:
    """Gemini knows which result is of which call by their order alone, and litellm tells it two equal calls as one:
    results in the order of their calls, and those of equal calls as one."""
    told: list[Message] = []
    at = 0
    while at < len(messages):
        calls = messages[at].get("tool_calls") or ()
        end = at + 1
        while calls and end < len(messages) and messages[end].get("role") == "tool":
            end += 1
        told += _turn(messages[at], messages[at + 1 : end]) if end > at + 1 else [messages[at]]
        at = end
    return told


def _turn(asked: Message, results: Sequence[Message]) -> list[Message]:
    first: dict[tuple[Any, Any], str] = {}
    named = {
        call["id"]: first.setdefault(
            (call["function"].get("name"), call["function"].get("arguments")), call["id"]
        )
        for call in asked["tool_calls"]
        if call.get("function")
    }
    places = list(dict.fromkeys(named.values()))
    found: dict[str, Message] = {}
    others = []
    for result in results:
        name = named.get(result["tool_call_id"])
        if name is None:
            others.append(result)
        elif name in found:
            content = _joined(found[name].get("content"), result.get("content"))
            found[name] = {**found[name], "content": content}
        else:
            found[name] = {**result, "tool_call_id": name}
    calls = [call for call in asked["tool_calls"] if named.get(call["id"], call["id"]) == call["id"]]
    return [{**asked, "tool_calls": calls}, *(found[name] for name in places if name in found), *others]


def _joined(one: Any, other: Any) -> Any:
    if isinstance(one, str) and isinstance(other, str):
        return f"{one}\n{other}"
    return [*_parts(one), *_parts(other)]


def _parts(content: Any) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())


# --- Ids --------------------------------------------------------------------------------------------------------------


def _is_gemini(kind: str, model: str) -> bool:
    return kind == "gemini" or (kind == "vertex_ai" and "gemini" in model.lower())


def _family(kind: str, model: str) -> re.Pattern[str]:
    """What an id of a call is made of there."""
    if kind in ("azure_ai", "vertex_ai") and "stral" in model.lower():
        kind = "mistral"
    if kind not in _IDS and signs_thoughts(kind, model):
        kind = "claude"
    return _IDS.get("claude" if kind == "anthropic" else kind, _PRINTABLE)


class _Ids:
    """The ids of one conversation's calls, as they were given and as they are told."""

    def __init__(self, allowed: re.Pattern[str], *, keeps_signatures: bool) -> None:
        self._allowed = allowed
        self._keeps_signatures = keeps_signatures
        self._taken: set[str] = set()
        self._turn: dict[str, list[str]] = {}  # of the calls of the last turn: those of no result yet
        self._known: dict[str, str] = {}

    def begin_turn(self) -> None:
        self._turn = {}

    def of_call(self, given: Any) -> str:
        """An id that nothing in the conversation has yet: `given`, where it is one."""
        name = self._without_signature(given)
        told, tries = name, 0
        while told in self._taken or not self._allowed.fullmatch(told):
            told, tries = _made_of(f"{tries} {len(self._taken)} {name}"), tries + 1
        self._taken.add(told)
        self._turn.setdefault(name, []).append(told)
        self._known[name] = told
        return told

    def of_result(self, given: Any) -> str:
        """That of its call: the first of the last turn that has no result yet, else one of that id anywhere before."""
        name = self._without_signature(given)
        waiting = self._turn.get(name)
        return waiting.pop(0) if waiting else self._known.get(name, name)

    def _without_signature(self, given: Any) -> str:
        text = given if isinstance(given, str) else ""
        return text if self._keeps_signatures else text.partition(_SIGNATURE)[0]


def _made_of(text: str) -> str:
    """Nine letters and digits, which every provider accepts, and the same for the same text."""
    number = int.from_bytes(sha256(text.encode("utf-8", "surrogatepass")).digest()[:8])
    digits = ""
    while len(digits) < 9:
        number, digit = divmod(number, len(_DIGITS))
        digits += _DIGITS[digit]
    return digits
