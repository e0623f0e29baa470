"""What makes two requests the same: the key of a kept answer, and the partition it may be served in."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from math import isfinite
from typing import Any

from router.plan import CacheRule, Candidate, Provider
from router.values import Message

FORMAT = 2
"""Raised when the hashed text or the meaning of a stored body changes: older entries are then never met."""


def cache_key(
    *,
    policy: str,
    candidates: Sequence[Candidate],
    providers: Mapping[str, Provider],
    messages: Sequence[Message],
    params: Mapping[str, Any],
    partition: str,
) -> str:
    """SHA-256 in hex over all that decides an answer: equal keys mean equal requests at equal targets.

    `1`, `1.0`, `True` and `"1"` differ, the order of keys does not matter, a tuple is a list, and text is
    taken code point by code point. Raises TypeError, naming the place, for what is not JSON (NaN is not).
    """
    parts: list[str] = []
    put = parts.append
    try:
        put(f"{FORMAT};{len(candidates)};")
        for text in (policy, partition):
            _write(text, put)
        for candidate in candidates:
            _write_target(candidate, providers[candidate.target.provider], put)
        _write(messages, put)
        _write(params, put)
    except (TypeError, RecursionError) as error:
        raise _named(error, messages, params) from None
    return sha256("".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def partition(rule: CacheRule, tenant: str | None, user: str | None) -> str | None:
    """The partition of `rule.scope`; None: this request may not be cached (scope user, no user is named).

    Different callers never meet in one text: a tenant's length stands before it, so no name can imitate two.
    """
    if rule.scope == "shared":
        return "shared"
    tenant_part = "anonymous" if tenant is None else f"{len(tenant)} {tenant}"
    if rule.scope == "tenant":
        return f"tenant {tenant_part}"
    return f"user {tenant_part} {user}" if user else None


def _write_target(candidate: Candidate, provider: Provider, put: Callable[[str], None]) -> None:
    target = candidate.target
    # The reference to a URL, not what it resolves to: a key is computed without reading a secret.
    base_url = None if provider.base_url is None else str(provider.base_url)
    names = (target.provider, target.model, target.kind, target.wire_model, base_url)
    # Ceilings are part of the key, so that an answer from before they were lowered is not met again.
    _write(repr((*names, candidate.input_ceiling, candidate.output_tokens)), put)
    _write(provider.wire, put)
    _write(candidate.params, put)


def _write(value: Any, put: Callable[[str], None]) -> None:
    """Every value begins with its type, and texts and collections with their length: no two read alike."""
    kind = type(value)
    if kind is str:
        put(f"s{len(value)}:{value}")
    elif kind is dict:
        _write_map(value, put)
    elif kind is list or kind is tuple:
        put(f"l{len(value)}:")
        for item in value:
            _write(item, put)
    elif kind is int:
        put(f"i{value:x};")  # hexadecimal: decimal digits are limited
    elif kind is float and isfinite(value):
        put(f"f{value!r};")
    elif value is None or kind is bool:
        put(f"{value};")
    else:
        _write(_plain(value), put)


def _write_map(value: dict[Any, Any], put: Callable[[str], None]) -> None:
    put(f"d{len(value)}:")
    for key in sorted(value):
        item = value[key]
        text = key if type(key) is str else _key_text(key)
        if type(item) is str:  # nearly always: saves a call
            put(f"{len(text)}:{text}s{len(item)}:{item}")
        else:
            put(f"{len(text)}:{text}")
            _write(item, put)


def _key_text(key: object) -> str:
    if isinstance(key, str):
        return str.__str__(key)  # members of an enum format themselves as they please
    raise TypeError("a key is not text")


def _plain(value: object) -> object:
    """The built-in value that another Mapping or a subclass stands for. Raises TypeError for the rest."""
    if isinstance(value, Mapping):
        return dict(value)
    for kind, plain in _PLAIN:
        if isinstance(value, kind) and type(value) is not kind:
            return plain(value)
    raise TypeError(f"`{type(value).__name__}` is not a JSON value")


_PLAIN: tuple[tuple[type, Callable[[Any], object]], ...] = (
    (str, str.__str__),
    (int, int.__index__),
    (float, float.__float__),
    (list, list),
    (tuple, list),
)


def _named(error: Exception, messages: Sequence[Message], params: Mapping[str, Any]) -> TypeError:
    """Walk again, to say where: only a request that failed pays for the path."""
    try:
        fault = _fault(messages, "messages") or _fault(params, "params")
    except RecursionError:
        fault = "messages or params are nested too deep"
    return TypeError(fault or f"a parameter of the policy can't be part of a cache key: {error}")


def _fault(value: object, path: str) -> str | None:
    if isinstance(value, Mapping):
        odd = [type(key).__name__ for key in value if not isinstance(key, str)]
        if odd:
            return f"`{path}` has a key of type `{odd[0]}`, and JSON keys are text"
        return _first(_fault(inner, f"{path}.{key}") for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return _first(_fault(inner, f"{path}[{index}]") for index, inner in enumerate(value))
    if isinstance(value, float) and not isfinite(value):
        return f"`{path}` is `{value!r}`, which JSON does not know"
    if value is None or isinstance(value, (str, int, float)):
        return None
    return f"`{path}` is of type `{type(value).__name__}`, which is not a JSON value"


def _first(faults: Iterator[str | None]) -> str | None:
    return next((fault for fault in faults if fault), None)
