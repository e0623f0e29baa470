"""From the arguments of a call to a frozen Request: form is checked here, once, and nothing is ignored.

Arguments are Any below `build_request`: callers need not have checked their types.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from math import isfinite
from typing import Any, Unpack

from router.client.arguments import ARGUMENTS, Own
from router.decide.params import CHAT_PARAMS, ELSEWHERE, NOT_YET, param_fault
from router.decide.parts import part_fault
from router.decide.scopes import did_you_mean
from router.errors import RequestError, RouterError
from router.events import Event, Settled
from router.plan import Plan
from router.values import Message, Output, Reply, Request, Usage

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
ASKING = ("system", "developer", "user")  # the others may answer with calls alone
LONGEST_S = 1e9
DEEPEST = 100


def build_request(
    plan: Plan,
    id: str,
    messages: str | Sequence[Message],
    *,
    params: Mapping[str, Any],
    stream: bool = False,
    raise_errors: bool = True,
    **own: Unpack[Own],
) -> Request:
    """Raises RequestError, naming the argument, for whatever is not of the form of a call."""
    _check_raising(raise_errors, stream=stream)
    return Request(
        id=id,
        policy=_policy(plan, own.get("policy")),
        messages=_messages(messages),
        tenant=one_of("tenant", own.get("tenant"), "team", own.get("team")),
        user=_text("user", own.get("user")),
        session=_text("session", own.get("session")),
        tags=_names("tags", own.get("tags", ())),
        prefer=_names("prefer", own.get("prefer", ())),
        only=_names("only", own.get("only", ())),
        timeout_s=_seconds(own.get("timeout")),
        params=_params(params),
        stream=_flag("stream", stream),
        output=_form(own.get("response_model"), params=params),
    )


def unanswered(request: Request, error: RouterError, *, now_s: float) -> Reply:
    """The reply to a call that ended in an error."""
    return Reply(
        request_id=request.id,
        policy=request.policy,
        target="",
        model="",
        message={"role": "assistant", "content": None},
        choices=(),
        finish_reason="error",
        usage=Usage(),
        cost_nusd=_cost_nusd(error),
        cached=False,
        created_s=int(now_s),
        error=error,
        trace=tuple(each for each in error.trace if isinstance(each, Event)),
    )


def _cost_nusd(error: RouterError) -> int:
    """Of its failed attempts; an error that does not name them (of a store, say) has what was settled in its trace."""
    attempts = getattr(error, "attempts", None)
    if attempts is not None:
        return sum(each.cost_nusd for each in attempts)
    return sum(each.cost_nusd or 0 for each in error.trace if isinstance(each, Settled))


def _form(response_model: Any, *, params: Mapping[str, Any]) -> Output | None:
    if response_model is None:
        return None
    if params.get("response_format") is not None:
        raise RequestError("`response_model` and `response_format` both say what form the answer has")
    from router.adapters.objects import output_of

    return output_of(response_model)


def _check_raising(raise_errors: Any, *, stream: Any) -> None:
    if not _flag("raise_errors", raise_errors) and stream:
        raise RequestError(
            "`raise_errors=False` tells an error in the reply, and a stream begins without one",
            help="leave it out: a RouterError is raised where the stream is opened or read",
        )


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise RequestError(f"`{name}` must be true or false, not `{_short(value)}`")
    return value


def _policy(plan: Plan, policy: Any) -> str:
    if policy is None:
        policy = plan.settings.default_policy
    if policy is None:
        raise RequestError(
            "this call names no policy, and the files set no `settings.default_policy`",
            help=f"pass policy=...; policies here: {', '.join(sorted(plan.policies)) or 'none'}",
        )
    if not isinstance(policy, str):
        raise RequestError(f"`policy` must be text, not `{type(policy).__name__}`")
    return _text("policy", policy) or policy


def _messages(messages: Any) -> tuple[Message, ...]:
    if isinstance(messages, str):
        return ({"role": "user", "content": messages},)
    if not isinstance(messages, Sequence) or isinstance(messages, bytes | bytearray) or not messages:
        given = (
            f"`{type(messages).__name__}`"
            if messages or not isinstance(messages, Sequence)
            else "an empty one"
        )
        raise RequestError(
            f"`messages` must be a text or a list of at least one message, not {given}",
            help='for example messages=[{"role": "user", "content": "Hello"}]',
        )
    for position, message in enumerate(messages):
        _check_message(position, message)
        _check_json(message, f"messages[{position}]")
        _check_parts(message.get("content"), f"messages[{position}].content")
    return tuple(_own(message) for message in messages)


def _nearest(name: str) -> str:
    """A suggestion for a name that is unknown everywhere."""
    known = (*CHAT_PARAMS, *ARGUMENTS)
    return "" if name in known or name in NOT_YET or name in ELSEWHERE else did_you_mean(name, known)


def _own(written: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that its caller can't change under way."""
    return {name: value if isinstance(value, str) else deepcopy(value) for name, value in written.items()}


def _check_message(position: int, message: object) -> None:
    if not isinstance(message, Mapping):
        raise RequestError(f"`messages[{position}]` must be a mapping, not `{type(message).__name__}`")
    role = message.get("role")
    if role not in ROLES:
        raise RequestError(f"`messages[{position}]` has role `{_short(role)}`; roles are {', '.join(ROLES)}")
    if not isinstance(message.get("content"), str | list | tuple | None):
        raise RequestError(f"`messages[{position}].content` must be text or a list of parts")
    _check_answer(message, f"messages[{position}]")
    if role in ASKING and message.get("content") is None:
        raise RequestError(f"`messages[{position}]` has the role `{role}` and no `content`")


def _check_answer(message: Mapping[str, Any], path: str) -> None:
    """What an answer holds beside its text, and what answers one of its calls: read again for each provider."""
    for name in ("tool_calls", "thinking_blocks"):
        _check_maps(message.get(name) or (), f"{path}.{name}")
    for at, call in enumerate(message.get("tool_calls") or ()):
        _check_texts(call, ("id",), f"{path}.tool_calls[{at}]")
        _check_called(call.get("function"), f"{path}.tool_calls[{at}].function")
        _check_called(call.get("custom"), f"{path}.tool_calls[{at}].custom")
    _check_called(message.get("function_call"), f"{path}.function_call")
    _check_texts(message, ("tool_call_id",), path)


def _check_called(called: Any, path: str) -> None:
    if called is None:
        return
    if not isinstance(called, Mapping):
        raise RequestError(f"`{path}` must be a mapping, not `{type(called).__name__}`")
    _check_texts(called, ("name", "arguments", "input"), path)


def _check_texts(holder: Mapping[str, Any], names: Sequence[str], path: str) -> None:
    for name in names:
        value = holder.get(name)
        if not isinstance(value, str | None):
            advice = "arguments are JSON, as a text" if name == "arguments" else ""
            raise RequestError(f"`{path}.{name}` must be text, not `{type(value).__name__}`", help=advice)


def _check_parts(content: object, path: str) -> None:
    for position, part in enumerate(content if isinstance(content, list | tuple) else ()):
        fault = part_fault(part)
        if fault is not None:
            raise RequestError(f"`{path}[{position}]` {fault}")


def _short(value: object) -> str:
    """A caller's value on one line, whatever it is."""
    try:
        whole = ascii(value)
    except ValueError:  # an integer of more digits than Python prints
        whole = f"a huge {type(value).__name__}"
    whole = whole[1:-1] if isinstance(value, str) else whole
    return whole if len(whole) <= 40 else f"{whole[:40]}..."


def one_of(name: str, value: str | None, alias: str, aliased: str | None) -> str | None:
    """What two names of one argument say. Raises RequestError."""
    if value is not None and aliased is not None and value != aliased:
        raise RequestError(f"`{name}` and `{alias}` are one argument, and this call gives it two values")
    return _text(name, value if value is not None else aliased)


def _text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value or not value.isprintable():
        raise RequestError(f"`{name}` must be printable text, not empty: `{_short(value)}` is not")
    return value


def _names(name: str, values: Any) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise RequestError(f"`{name}` must be a list of texts, not `{type(values).__name__}`")
    for value in values:
        _text(name, value)
    return tuple(values)


def _seconds(timeout: Any) -> float | None:
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= LONGEST_S:
        raise RequestError(f"`timeout` must be a number of seconds above 0, not `{_short(timeout)}`")
    return float(timeout)


def _params(params: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in params.items() if value is not None}
    for name, value in kept.items():
        fault = param_fault(name, value)
        if fault is not None:
            raise RequestError(fault + _nearest(name), help=ELSEWHERE.get(name, ""))
        _check_json(value, name)
    _check_maps(kept.get("tools") or (), "tools")
    return _own(kept)


def _check_maps(items: Any, path: str) -> None:
    if not isinstance(items, list | tuple) or not all(isinstance(item, Mapping) for item in items):
        raise RequestError(f"`{path}` must be a list of mappings")


def _check_json(value: Any, path: str, depth: int = 0) -> None:
    """What is not JSON can be neither sent nor told apart: refuse it here, where it can be named."""
    if type(value) is str:  # nearly always
        return
    if depth > DEEPEST:
        raise RequestError(f"`{path[:60]}...` is nested deeper than {DEEPEST} levels")
    if isinstance(value, Mapping):
        for key, below in value.items():
            if not isinstance(key, str):
                raise RequestError(f"`{path}` has the key `{key!a}`; keys are text")
            _check_json(below, f"{path}.{key}", depth + 1)
    elif isinstance(value, list | tuple):
        for position, below in enumerate(value):
            _check_json(below, f"{path}[{position}]", depth + 1)
    elif isinstance(value, float) and not isfinite(value):
        raise RequestError(f"`{path}` is `{value}`, which JSON does not know")
    elif not isinstance(value, str | int | float | bool | None):
        raise RequestError(f"`{path}` is of type `{type(value).__name__}`, which JSON does not know")
