"""What a call may say, in one place: for type checkers and editors, and for what is checked when it is made."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class Own(TypedDict, total=False):
    """What this library has of its own. `team` is another name of `tenant`; `timeout` is in seconds, over everything,
    and can only shorten the policy's. `response_model` (a pydantic model, a dataclass, a TypedDict, a JSON Schema) is
    the form of the answer."""

    policy: str | None
    tenant: str | None
    team: str | None
    user: str | None
    session: str | None
    tags: Sequence[str]
    prefer: Sequence[str]
    only: Sequence[str]
    timeout: float | None
    response_model: Any


class Params(TypedDict, total=False):
    """The parameters of a call, by OpenAI's names; None is as if it were not said."""

    frequency_penalty: float | None
    logit_bias: Mapping[str, float] | None
    logprobs: bool | None
    max_completion_tokens: int | None
    max_tokens: int | None
    n: int | None
    parallel_tool_calls: bool | None
    presence_penalty: float | None
    reasoning_effort: str | None
    response_format: Mapping[str, Any] | None
    seed: int | None
    stop: str | Sequence[str] | None
    temperature: float | None
    tool_choice: str | Mapping[str, Any] | None
    tools: Sequence[Mapping[str, Any]] | None
    top_logprobs: int | None
    top_p: float | None
    verbosity: str | None
    web_search_options: Mapping[str, Any] | None


class StreamArguments(Own, Params, total=False):
    """Of a call whose answer is read as it comes."""


class CallArguments(StreamArguments, total=False):
    """Of a call whose answer comes whole. `raise_errors=False`: a RouterError is told in `reply.error`."""

    raise_errors: bool


ARGUMENTS = ("messages", "stream", "raise_errors", *Own.__annotations__)
"""All that is no parameter for providers."""
