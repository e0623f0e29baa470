"""The parameters a call may carry: OpenAI's names, each with what it must be. Anything else is refused by name."""

from collections.abc import Mapping
from typing import Any

NUMBER = (int, float)

CHAT_PARAMS: Mapping[str, tuple[type, ...]] = {
    "frequency_penalty": NUMBER,
    "logit_bias": (Mapping,),
    "logprobs": (bool,),
    "max_completion_tokens": (int,),
    "max_tokens": (int,),
    "n": (int,),
    "parallel_tool_calls": (bool,),
    "presence_penalty": NUMBER,
    "reasoning_effort": (str,),
    "response_format": (Mapping,),
    "seed": (int,),
    "stop": (str, list, tuple),
    "temperature": NUMBER,
    "tool_choice": (str, Mapping),
    "tools": (list, tuple),
    "top_logprobs": (int,),
    "top_p": NUMBER,
    "verbosity": (str,),
    "web_search_options": (Mapping,),
}
"""Name -> accepted types. `n`, `max_tokens` and `max_completion_tokens` are also bounded by the policy's ceilings."""

ELSEWHERE: Mapping[str, str] = {
    "model": "the policy chooses the model; `only=` and `prefer=` narrow and order its targets",
    "api_key": "keys are named in the files, under `providers:`",
    "api_base": "addresses stand in the files, as `base_url` of a provider",
    "base_url": "addresses stand in the files, as `base_url` of a provider",
    "num_retries": "retries are the policy's: `retry: {attempts: 2}`",
    "max_retries": "retries are the policy's: `retry: {attempts: 2}`",
    "fallbacks": "the policy's targets are its fallbacks",
    "stream": "the caller says whether the answer is read as it comes: `router.stream(...)`",
    "stream_options": "a stream always asks for its usage",
}
"""What callers of other libraries pass, and where it belongs here."""

COUNTS = ("n", "max_tokens", "max_completion_tokens")

NOT_YET: Mapping[str, str] = {
    "modalities": "audio answers",
    "audio": "audio answers",
    "service_tier": "service tiers (they change prices)",
    "prediction": "predicted outputs (they change prices)",
}
"""Known, refused by name: this version does not support what they ask for."""


def param_fault(name: str, value: Any) -> str | None:
    """None where `name=value` may be sent, else one line of why not."""
    if name in NOT_YET:
        return f"`{name}` is not supported by this version: {NOT_YET[name]} come later"
    accepted = CHAT_PARAMS.get(name)
    if accepted is None:
        return f"unknown parameter `{name}`"
    wrong_bool = isinstance(value, bool) and bool not in accepted
    if wrong_bool or not isinstance(value, accepted):
        wanted = " or ".join(
            dict.fromkeys(_KINDS[kind] for kind in accepted if (kind, accepted) != (int, NUMBER))
        )
        return f"`{name}` must be {wanted}, not {_kind_of(value)}"
    if isinstance(value, int) and name in COUNTS and value < 1:
        return f"`{name}` must be at least 1, not `{value}`"
    return None


_KINDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    tuple: "a list",
    Mapping: "a map",
}


def _kind_of(value: Any) -> str:
    """What a value is, in the words of what it should be; of a type that no parameter has, its name."""
    found = next((words for kind, words in _KINDS.items() if isinstance(value, kind)), None)
    return "nothing" if value is None else found or f"`{type(value).__name__}`"


def output_request(params: Mapping[str, Any]) -> int | None:
    """The output allowance that these parameters ask for: the smaller of both spellings, None where neither is set."""
    asked = [params[name] for name in ("max_tokens", "max_completion_tokens") if params.get(name) is not None]
    return min(asked) if asked else None
