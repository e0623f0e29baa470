"""What failed on the wire -> ProviderError. This is the one table of foreign errors.

It reads the response itself (status, headers, body) before litellm's exception, which says 500 for Anthropic's 529 and
"bad request" for a 401 of Groq's. A message names the failure by the provider's own codes and never quotes its prose:
that prose repeats prompts, generated text and keys.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any

from router.adapters.litellm_exchange import WireRefusal
from router.adapters.litellm_reply import request_id
from router.adapters.traffic import Traffic
from router.errors import ProviderError
from router.values import Kind

_BY_STATUS: Mapping[int, Kind] = {
    401: Kind.AUTH,
    402: Kind.QUOTA,
    403: Kind.AUTH,
    404: Kind.NOT_FOUND,
    408: Kind.TIMEOUT,
    413: Kind.CONTEXT_WINDOW,
    429: Kind.RATE_LIMITED,
    498: Kind.OVERLOADED,  # Groq: no capacity in this tier
    503: Kind.OVERLOADED,
    504: Kind.TIMEOUT,
    524: Kind.TIMEOUT,  # Cloudflare: the provider behind it took too long
    529: Kind.OVERLOADED,  # Anthropic
}


_BY_TEXT: tuple[tuple[Kind, frozenset[int], tuple[str, ...]], ...] = (
    # Kind, the statuses under which it may be read from the text, and what the text says (lower case, any of them).
    # In order: the first that holds decides, and the status where none does. 0: an error inside a success.
    (
        Kind.CONTEXT_WINDOW,
        frozenset({0, 400, 413, 422, 429, 500}),
        (
            "context_length",
            "context length",
            "context window",
            "exceeds the maximum number of tokens",
            "input is too long",
            "input token count",
            "input tokens exceed",
            "length limit exceeded",
            "maximum prompt length",
            "prompt is too long",
            "prompt too long",
            "reduce the length of the messages",
            "request_too_large",
            "string_above_max_length",
            "too many total text bytes",
            "too_many_prompt_tokens",
            "too_many_tokens",
        ),
    ),
    (
        Kind.CONTENT_FILTER,
        frozenset({0, 400, 403, 422}),
        (
            "content filtering policy",
            "content management policy",
            "content policy",
            "content_filter",
            "content_policy",
            "responsibleaipolicy",
            "safety system",
        ),
    ),
    (
        Kind.QUOTA,
        frozenset({0, 400, 402, 403, 429}),
        (
            "billing_hard_limit",
            "credit balance",
            "insufficient balance",
            "insufficient credits",
            "insufficient_quota",
            "monthly spending limit",
            "not enough credits",
            "requires more credits",
            "used all available credits",
        ),
    ),
    (
        Kind.AUTH,
        frozenset({0, 400, 401, 403}),
        (
            "api key not valid",
            "api_key_invalid",
            "authentication_error",
            "incorrect api key",
            "invalid api key",
            "invalid username or password",
            "invalid x-api-key",
            "invalid_api_key",
            "no auth credentials",
            "permission_denied",
            "security token",
            "unauthorized",
        ),
    ),
    (
        Kind.NOT_FOUND,
        frozenset({0, 400, 403, 404}),
        (
            "deploymentnotfound",
            "does not exist or you do not have access",
            "invalid model",
            "is not a valid model",
            "model identifier is invalid",
            "model not exist",
            "model_decommissioned",
            "model_not_found",
            "no endpoints found",
            "on-demand throughput",
            "unknown model",
        ),
    ),
    (
        Kind.INVALID_OUTPUT,
        frozenset({0, 400, 422, 502}),
        ("json_validate_failed", "malformed function call", "output_parse_failed", "tool_use_failed"),
    ),
    (Kind.OVERLOADED, frozenset({0, 400, 429, 500, 503, 529}), ("at capacity", "overloaded")),
    (
        Kind.RATE_LIMITED,
        frozenset({0, 400, 429}),
        ("rate_limit", "ratelimit", "resource_exhausted", "throttl", "too many requests"),
    ),
)

_SAYS: Mapping[Kind, str] = {
    Kind.RATE_LIMITED: "the provider's rate limit is reached",
    Kind.OVERLOADED: "the provider is overloaded",
    Kind.SERVER_ERROR: "the provider failed",
    Kind.TIMEOUT: "the provider took too long",
    Kind.CONNECTION: "the connection to the provider failed",
    Kind.AUTH: "the provider refused the key",
    Kind.QUOTA: "the account has no credit left",
    Kind.NOT_FOUND: "the provider does not know or does not offer this model",
    Kind.BAD_REQUEST: "the provider refused the request",
    Kind.CONTEXT_WINDOW: "the input is longer than the model takes",
    Kind.CONTENT_FILTER: "the provider's content filter refused the request",
    Kind.INVALID_OUTPUT: "the model's output did not have the form that was asked for",
}

_UNWRITABLE = "the address, the key or another header is not of a form that can be sent"
"""Clients refuse a line break in a header, or a host that can't be one, with a ValueError before they connect."""

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{1,63}\Z")
_CODE_NAMES = ("code", "type", "status", "param", "error_type")
_KEYLIKE = re.compile(
    r"(?i)^(sk|gsk|pk|rk|xai|org|proj|aiza|akia|asia|hf|key|bearer|req|user)[-_]?[a-z0-9\-_]*\d"
)


def provider_error(error: Exception, exchange: Traffic, *, target: str) -> ProviderError:
    """`error` as litellm raised it, and what crossed the wire, without secrets and content."""
    cause = _innermost(error)
    refusal = next((e for e in (exchange.failure, cause, error) if isinstance(e, WireRefusal)), None)
    answered = exchange.status if exchange.status is not None and exchange.status >= 400 else None
    if refusal is not None and answered is None:
        return _error(refusal.kind, str(refusal), exchange, target=target, sent=exchange.sends > 0)
    if exchange.sends == 0:
        return _unsent(cause, exchange, target)
    if exchange.failure is not None:
        kind, sent = _wire_failure(exchange.failure)
        why = _UNWRITABLE if isinstance(exchange.failure, ValueError) else _SAYS[kind]
        return _error(kind, why, exchange, target=target, sent=sent)
    return _refused(cause, exchange, target)


def ended_early(exchange: Traffic, *, target: str) -> ProviderError:
    """A stream that stopped without its end mark."""
    return _error(
        Kind.CONNECTION, "the stream ended without its end mark", exchange, target=target, sent=True
    )


def _error(kind: Kind, message: str, exchange: Traffic, *, target: str, sent: bool) -> ProviderError:
    return ProviderError(
        message,
        kind=kind,
        target=target,
        status=exchange.status,
        retry_after_s=retry_after_s(exchange.headers, exchange.body) if exchange.status != 200 else None,
        sent=sent,
        provider_request_id=request_id(exchange.headers),
    )


def _innermost(error: Exception) -> Exception:
    """litellm wraps what breaks in the middle of a stream."""
    original = getattr(error, "original_exception", None)
    return _innermost(original) if isinstance(original, Exception) else error


def _unsent(error: Exception, exchange: Traffic, target: str) -> ProviderError:
    """litellm gave up before a request was made."""
    name = type(error).__name__
    said = " ".join(str(link) for link in _chain(error)).lower()
    if "no module named" in said or "pip install" in said:
        module = re.search(r"no module named '([a-z0-9_.]+)'", said)
        lacks = (
            f"litellm lacks a package that it needs for this target{f' (`{module[1]}`)' if module else ''}"
        )
        return _error(Kind.NOT_FOUND, lacks, exchange, target=target, sent=False)
    kind = Kind.AUTH if name == "AuthenticationError" or "api_key" in said else Kind.BAD_REQUEST
    names = " from ".join(dict.fromkeys(f"`{type(link).__name__}`" for link in _chain(error)))
    return _error(kind, f"litellm could not build the request ({names})", exchange, target=target, sent=False)


def _wire_failure(failure: Exception) -> tuple[Kind, bool]:
    """The kind, and whether a byte of the request may have left."""
    import aiohttp
    import httpx

    below = failure if isinstance(failure, aiohttp.ClientError) else failure.__cause__
    if isinstance(below, aiohttp.ClientError):  # to litellm a reset in the middle is a ConnectError too
        unsent = isinstance(
            below,
            aiohttp.ClientConnectorError
            | aiohttp.ConnectionTimeoutError
            | aiohttp.InvalidURL
            | aiohttp.NonHttpUrlClientError,
        )
    else:
        unsent = isinstance(
            failure, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | ValueError
        )
    late = isinstance(failure, httpx.TimeoutException | TimeoutError)
    kind = Kind.TIMEOUT if late else Kind.CONNECTION
    return kind, not unsent


def _refused(error: Exception, exchange: Traffic, target: str) -> ProviderError:
    """The provider answered: with an error status, with an error inside a success, or with something unreadable."""
    status = exchange.status if exchange.status is not None and exchange.status >= 400 else 0
    body = exchange.body or str(error)
    if status == 0 and (broken := _broke_off(error)) is not None:
        kind, _ = _wire_failure(broken)
        return _error(kind, f"{_SAYS[kind]} in the middle of the answer", exchange, target=target, sent=True)
    said = body if status else _said_inside(exchange.body, error)
    kind = kind_of(status, said, embedded=_embedded_status(error) if status == 0 else None)
    codes = list(_codes(body))[:2] if status else [type(error).__name__]
    named = "".join(f" (`{code}`)" for code in codes)
    return _error(kind, f"{_SAYS[kind]}{named}", exchange, target=target, sent=True)


def _said_inside(body: str, error: Exception) -> str:
    """What was said in an error inside a success. litellm also repeats what it could not read, which is content."""
    if any(level.get("error") for level in _levels(body)):
        return body
    told = next((found for link in _chain(error) if (found := getattr(link, "body", None))), None)
    if told is not None:  # of an event of a stream, as the openai SDK keeps it
        return json.dumps(told, default=str)
    return re.split("(?i)received", str(error), maxsplit=1)[0]


def kind_of(status: int, body: str, *, embedded: int | None = None) -> Kind:
    """The kind of a refusal. `status` 0: an error inside a success, which may name a status (`embedded`)."""
    text = body.lower()
    for kind, statuses, phrases in _BY_TEXT:
        if status in statuses and any(phrase in text for phrase in phrases):
            return kind
    return _of_status(status or embedded or 500)


def _of_status(status: int) -> Kind:
    kind = _BY_STATUS.get(status)
    if kind is not None:
        return kind
    return Kind.SERVER_ERROR if status >= 500 else Kind.BAD_REQUEST


def _broke_off(error: Exception) -> Exception | None:
    """The failure of the wire by which a success broke in the middle of its body, if that is what happened."""
    import aiohttp
    import httpx

    broken = (httpx.TransportError, aiohttp.ClientError, TimeoutError)
    return next((link for link in _chain(error) if isinstance(link, broken)), None)


def _chain(error: BaseException) -> list[BaseException]:
    """`error` and what it was raised from or while handling, the latest first."""
    chain = [error]
    while (below := chain[-1].__cause__ or chain[-1].__context__) is not None and below not in chain:
        chain.append(below)
    return chain


def _embedded_status(error: Exception) -> int | None:
    """The status that an error inside a success names; none where the success could not be read at all."""
    if any(isinstance(link, ValueError | TypeError | LookupError | AttributeError) for link in _chain(error)):
        return None
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) and status >= 400 else None


# --- What a body says beside its prose -------------------------------------------------------------------------------


def _codes(body: str) -> Iterator[str]:
    """The identifiers by which a provider names its error: `insufficient_quota`, `invalid_request_error`, `stop`."""
    seen: set[str] = set()
    for level in _levels(body):
        for name in _CODE_NAMES:
            code = level.get(name)
            if isinstance(code, str) and _CODE.match(code) and not _KEYLIKE.match(code) and code not in seen:
                seen.add(code)
                yield code


def _levels(body: str) -> Iterator[Mapping[str, Any]]:
    with suppress(ValueError, RecursionError):  # brackets without end are no JSON to speak of either
        top = json.loads(body)
        top = top[0] if isinstance(top, list) and top else top
        if isinstance(top, dict):
            inner = top.get("error")
            yield from (level for level in (inner, top) if isinstance(level, dict))


def retry_after_s(headers: Mapping[str, str], body: str = "", *, now_s: float | None = None) -> float | None:
    """Seconds until the provider wants to be asked again: from `retry-after-ms`, `retry-after` (seconds, fractions, a
    date), or Google's RetryInfo in the body. None where it does not say or says nonsense; never negative."""
    with suppress(ValueError):
        if "retry-after-ms" in headers:
            return _sane(float(headers["retry-after-ms"]) / 1000)
    value = headers.get("retry-after", "").strip()
    with suppress(ValueError):
        if value:
            return _sane(float(value))
    with suppress(ValueError, TypeError, IndexError, OverflowError):
        if value:
            return max(0.0, (parsedate_to_datetime(value) - _server_now(headers, now_s)).total_seconds())
    delay = re.search(r'"retryDelay":\s*"(\d+(?:\.\d+)?)s"', body)
    return _sane(float(delay[1])) if delay else None


def _sane(seconds: float) -> float | None:
    return max(0.0, seconds) if isfinite(seconds) else None


def _server_now(headers: Mapping[str, str], now_s: float | None) -> datetime:
    """The provider's own idea of now, so that a clock that is wrong here makes no difference."""
    if now_s is not None:
        return datetime.fromtimestamp(now_s, UTC)
    with suppress(ValueError, TypeError):
        return parsedate_to_datetime(headers.get("date", ""))
    return datetime.now(UTC)
