"""The parameters a call may carry: OpenAI's names, each with what it must be. Anything else is refused by name. What
a target does not take of them is known before it is asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

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

VALUES: Mapping[str, tuple[str, ...]] = {
    "reasoning_effort": ("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    "verbosity": ("low", "medium", "high"),
}
"""What parameters of few words may be. A target may take some of them only."""

TOOL_CHOICES = ("auto", "none", "required")
"""What `tool_choice` may be as text; a map names the tool that must be called."""

KEPT = frozenset({"max_tokens", "n", "response_format", "tool_choice", "tools"})
"""What an answer is made by, and what bounds its cost: never left out for a target that does not take it."""

IDLE: Mapping[str, Any] = {
    "frequency_penalty": 0,
    "logit_bias": {},
    "logprobs": False,
    "n": 1,
    "parallel_tool_calls": True,
    "presence_penalty": 0,
    "response_format": {"type": "text"},
    "tool_choice": "auto",
}
"""What holds where a parameter is not sent at all."""

_BY_EFFORT = frozenset({"temperature", "top_p", "logprobs", "top_logprobs"})
"""Parameters that some models take only while they don't reason."""

ELSEWHERE: Mapping[str, str] = {
    "model": "the policy chooses the model; `only=` and `prefer=` narrow and order its targets",
    "api_key": "keys are named in the files, under `providers:`",
    "api_base": "addresses stand in the files, as `base_url` of a provider",
    "base_url": "addresses stand in the files, as `base_url` of a provider",
    "extra_body": "only parameters that are known here are sent, so that none is ignored",
    "drop_params": "the policy says it: `params_unsupported: drop`",
    "allowed_openai_params": "what a target takes is known here; a policy says `params_unsupported: drop` or `error`",
    "metadata": "a call has `tags=`, which rules read",
    "store": "nothing of a call is kept at a provider",
    "thinking": "how much a model reasons is `reasoning_effort`",
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
    if name in VALUES and value not in VALUES[name]:
        return f"`{name}` must be one of {', '.join(VALUES[name])}, not {_quoted(value)}"
    if name == "tool_choice" and isinstance(value, str) and value not in TOOL_CHOICES:
        return f"`{name}` must be one of {', '.join(TOOL_CHOICES)}, or a map, not {_quoted(value)}"
    return None


def _quoted(value: object) -> str:
    shown = ascii(value)[1:-1]
    return f"`{shown if len(shown) <= 40 else shown[:40] + '...'}`"


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


Effort = Literal["by default", "without reasoning", "with reasoning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Untaken:
    """Parameters that a target does not take as they are, each with how that is told. `idle` ones say what holds
    anyway, so nothing is lost without them; of the others those of `kept` can't be left out."""

    idle: frozenset[str]
    left_out: Mapping[str, str]
    kept: Mapping[str, str]


def untaken(params: Mapping[str, Any], refuses: frozenset[str]) -> Untaken | None:
    """What of `params` a target does not take that `refuses` these words; None: it takes all."""
    effort = effort_of(params)
    found = {
        name: told
        for name, value in params.items()
        if (told := _refused(name, value, effort, refuses)) is not None
    }
    if "reasoning_effort" not in found and (told := _too_short(params, refuses)) is not None:
        found["reasoning_effort"] = told
    if not found:
        return None
    idle = frozenset(name for name in found if name in IDLE and params[name] == IDLE[name])
    return Untaken(
        idle=idle,
        left_out={name: told for name, told in found.items() if name not in KEPT | idle},
        kept={name: told for name, told in found.items() if name in KEPT - idle},
    )


def effort_of(params: Mapping[str, Any]) -> Effort:
    match params.get("reasoning_effort"):
        case None:
            return "by default"
        case "none":
            return "without reasoning"
        case _:
            return "with reasoning"


def words_of(name: str, value: Any, effort: Effort) -> Iterator[tuple[str, str]]:
    """Every word that a target may refuse `name=value` by, the widest first, each with how it is told."""
    forms = [(name, f"`{name}`")]
    if (chosen := _chosen(name, value)) is not None:
        forms.append((f"{name}={chosen}", f"`{name}: {chosen}`"))
    if name == "temperature" and value != 1:
        forms.append(("temperature!=1", "`temperature` other than 1"))
    yield from forms
    if name in _BY_EFFORT:
        yield from ((f"{word} {effort}", f"{told} {_EFFORTS[effort]}") for word, told in forms)


_EFFORTS: Mapping[Effort, str] = {
    "by default": "unless `reasoning_effort` is `none`",
    "with reasoning": "while it reasons",
    "without reasoning": "while it does not reason",
}


def _chosen(name: str, value: Any) -> str | None:
    """The word that a parameter of few words says."""
    match name:
        case "tool_choice":
            return value if isinstance(value, str) else "function"
        case "response_format":
            return str(value.get("type")) if isinstance(value, Mapping) else None
        case "reasoning_effort":
            return str(value)
    return None


def _refused(name: str, value: Any, effort: Effort, refuses: frozenset[str]) -> str | None:
    return next((told for word, told in words_of(name, value, effort) if word in refuses), None)


def _too_short(params: Mapping[str, Any], refuses: frozenset[str]) -> str | None:
    """Why its answer has no room beside the thinking that is asked for, where that is sent as a number of tokens."""
    effort, most = params.get("reasoning_effort"), output_request(params)
    if effort is None or most is None:
        return None
    start = f"reasoning_effort={effort} within "
    budget = next((int(word.removeprefix(start)) for word in refuses if word.startswith(start)), 0)
    if most > budget:
        return None
    return f"`reasoning_effort: {effort}` within {most} tokens of output, as it thinks for up to {budget}"
