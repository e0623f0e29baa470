"""Errors and headers of OpenAI and of the providers that speak its format, each in its own dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from router.testing.fake_provider_script import (
    BadRequest,
    ContentFilter,
    ContextTooLong,
    ErrorFault,
    Fault,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    ServerError,
    Unauthorized,
)
from router.testing.wire_types import (
    ORGANISATION_LIMIT,
    Failure,
    Headers,
    Json,
    Stamp,
    dump,
    retry_headers,
    retry_seconds,
)

_TOKEN_LIMIT = 2_000_000
_SPENT = {"type": "insufficient_balance", "code": "insufficient_balance"}
_SERVER_MESSAGES = {
    500: "The server had an error while processing your request. Sorry about that!",
    502: "Bad gateway.",
    504: "The request timed out before the model answered.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An error before it is put into a provider's envelope."""

    status: int
    message: str
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None


def told(kind: str, model: str, fault: ErrorFault) -> Told:
    """What this provider says of the fault: OpenAI's words unless it has words of its own."""
    usual = _openai(model, fault)
    return _own_words(kind, model, fault, usual)


def _openai(model: str, fault: ErrorFault) -> Told:
    match fault:
        case RateLimited():
            return _rate_limited(model, fault)
        case QuotaExceeded():
            return _quota(fault)
        case Unauthorized():
            return _unauthorized(fault)
        case NotFound():
            message = f"The model `{model}` does not exist or you do not have access to it."
            return Told(status=404, message=message, code="model_not_found")
        case BadRequest():
            return _bad_request(model, fault)
        case ContextTooLong():
            return _context(fault)
        case ContentFilter():
            message = "Your request was rejected as a result of our safety system."
            return Told(status=400, message=message, code="content_policy_violation")
        case Overloaded():
            message = "The engine is currently overloaded, please try again later."
            return Told(
                status=fault.status or 503, message=message, type="server_error", code="engine_overloaded"
            )
        case ServerError():
            message = fault.message or _SERVER_MESSAGES.get(fault.status, _SERVER_MESSAGES[500])
            return Told(status=fault.status, message=message, type="server_error")


def _rate_limited(model: str, fault: RateLimited) -> Told:
    wait = "" if fault.retry_after is None else f" Please try again in {retry_seconds(fault):g}s."
    message = (
        f"Rate limit reached for {model} in organization org-fake on requests per min (RPM): "
        f"Limit 500, Used 500, Requested 1.{wait}"
    )
    return Told(status=429, message=message, type="requests", code="rate_limit_exceeded")


def _quota(fault: QuotaExceeded) -> Told:
    status = fault.status or 429
    if status == 402:
        return Told(status=402, message="Insufficient Balance", **_SPENT)
    message = "You exceeded your current quota, please check your plan and billing details."
    return Told(status=status, message=message, type="insufficient_quota", code="insufficient_quota")


def _unauthorized(fault: Unauthorized) -> Told:
    if fault.status == 403:
        return Told(status=403, message="You are not allowed to sample from this model")
    message = "Incorrect API key provided: fake-***. You can find your API key in your account."
    return Told(status=fault.status or 401, message=message, code="invalid_api_key")


def _bad_request(model: str, fault: BadRequest) -> Told:
    usual = f"Unsupported parameter: '{fault.param}' is not supported with this model."
    return Told(
        status=fault.status, message=fault.message or usual, param=fault.param, code="unsupported_parameter"
    )  # fmt: skip


def _context(fault: ContextTooLong) -> Told:
    used = fault.input_tokens or fault.limit_tokens + 1
    message = (
        f"This model's maximum context length is {fault.limit_tokens} tokens. However, your messages resulted in "
        f"{used} tokens. Please reduce the length of the messages."
    )
    return Told(status=400, message=message, code="context_length_exceeded", param="messages")


def _own_words(kind: str, model: str, fault: ErrorFault, usual: Told) -> Told:
    """The provider's own wording where it has one; a status or message in the script keeps the usual one."""
    if getattr(fault, "message", None) or (isinstance(fault, Unauthorized | QuotaExceeded) and fault.status):
        return usual
    said = replace(usual, **_OWN_WORDS.get((kind, type(fault)), {}))
    return replace(said, message=said.message.replace("{model}", model))


def _xai_code(said: Told) -> str:
    return _XAI_CODES.get(said.status, "Client specified an invalid argument")


_OWN_WORDS: Mapping[tuple[str, type[Fault]], Mapping[str, Any]] = MappingProxyType(
    {
        ("azure", ContentFilter): {
            "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management "
            "policy. Please modify your prompt and retry.",
            "code": "content_filter",
            "param": "prompt",
        },
        ("azure", NotFound): {
            "message": "The API deployment for this resource does not exist.",
            "code": "DeploymentNotFound",
        },
        ("azure", RateLimited): {
            "message": "Your requests to {model} for {model} in westeurope have exceeded rate limit.",
            "code": "RateLimitReached",
        },
        ("azure", Unauthorized): {
            "message": "Access denied due to invalid subscription key or wrong API endpoint.",
            "code": "401",
        },
        ("groq", Unauthorized): {"message": "Invalid API Key"},
        ("mistral", Unauthorized): {"message": "Invalid API Key"},
        ("mistral", RateLimited): {"message": "Rate limit exceeded", "type": "rate_limited", "code": "1300"},
        ("mistral", ServerError): {
            "message": "Service unavailable.",
            "type": "internal_server_error",
            "code": "1000",
        },
        ("xai", Unauthorized): {
            "status": 400,
            "message": "Incorrect API key provided: fa***ke. You can obtain an API key from your console.",
        },
        ("deepseek", QuotaExceeded): {"status": 402, "message": "Insufficient Balance", **_SPENT},
        ("deepseek", Unauthorized): {
            "message": "Authentication Fails, Your api key: ****fake is invalid",
            "type": "authentication_error",
            "code": "invalid_request_error",
        },
        ("openrouter", RateLimited): {"message": "Rate limit exceeded: requests-per-min. "},
        ("openrouter", Unauthorized): {"message": "No auth credentials found"},
        ("openrouter", QuotaExceeded): {"status": 402, "message": "Insufficient credits.", **_SPENT},
    }
)
_XAI_CODES = MappingProxyType(
    {
        404: "Some requested entity was not found",
        429: "Some resource has been exhausted",
        403: "The caller does not have permission to execute the specified operation",
        500: "Internal error",
        503: "The service is currently unavailable",
    }
)


def envelope(kind: str, said: Told) -> Json:
    """The error in the provider's own shape."""
    match kind:
        case "mistral" if said.status == 401:
            return {"detail": said.message}
        case "mistral":
            return {
                "object": "error",
                "message": said.message,
                "type": said.type,
                "param": None,
                "code": said.code,
            }
        case "xai":
            return {"code": _xai_code(said), "error": said.message}
        case "openrouter" if said.status == 401:
            return {"error": {"message": said.message, "code": said.status}}
        case "openrouter":
            error = {"message": said.message, "code": said.status, "metadata": {"provider_name": None}}
            return {"error": error}
        case "groq":
            return {"error": {"message": said.message, "type": said.type, "code": said.code}}
        case "azure" if said.code in ("401", "RateLimitReached"):
            return {"error": {"code": said.code, "message": said.message}}
        case "azure" if said.code == "DeploymentNotFound":
            return {"error": {"type": said.type, "code": said.code, "message": said.message}}
        case "azure" if said.code == "content_filter":
            return {"error": {**_plain(said), "status": 400, "innererror": _FILTERED}}
        case _:
            return {"error": _plain(said)}


_FILTERED = {
    "code": "ResponsibleAIPolicyViolation",
    "content_filter_result": {"violence": {"filtered": True, "severity": "medium"}},
}


def _plain(said: Told) -> Json:
    return {"message": said.message, "type": said.type, "param": said.param, "code": said.code}


def failure(kind: str, model: str, fault: ErrorFault, stamp: Stamp) -> Failure:
    said = told(kind, model, fault)
    extra: Headers = ()
    if isinstance(fault, RateLimited):
        extra = retry_headers(fault, stamp.now_s)
    elif isinstance(fault, Overloaded) and fault.retry_after is not None:
        extra = retry_headers(RateLimited(retry_after=fault.retry_after), stamp.now_s)
    return Failure(status=said.status, body=dump(envelope(kind, said)), headers=headers(kind, stamp) + extra)


def headers(kind: str, stamp: Stamp, *, spent_tokens: int = 0) -> Headers:
    """Request id and rate limits, by the names this provider gives them."""
    left = str(max(_TOKEN_LIMIT - spent_tokens, 0))
    match kind:
        case "mistral":
            return (
                ("mistral-correlation-id", stamp.id("", 32)),
                ("x-ratelimit-limit-tokens-minute", str(_TOKEN_LIMIT)),
                ("x-ratelimit-remaining-tokens-minute", left),
            )
        case "azure":
            return (("apim-request-id", stamp.id("", 32)), ("x-ms-region", "West Europe"), *_limits(left))
        case "xai" | "hosted_vllm":
            return (("x-request-id", stamp.id("", 32)),)
        case "openrouter":
            return (("x-generation-id", stamp.id(f"gen-{int(stamp.now_s)}-", 20)),)
        case "groq":
            return (("x-groq-region", "fra"), ("x-request-id", stamp.id("req_", 26)), *_limits(left))
        case _:
            shown = (("openai-version", "2020-10-01"), ("openai-processing-ms", "1"))
            return (("x-request-id", stamp.id("req_", 32)), *shown, *_limits(left))


def _limits(left: str) -> Headers:
    return (
        ("x-ratelimit-limit-requests", str(ORGANISATION_LIMIT)),
        ("x-ratelimit-limit-tokens", str(_TOKEN_LIMIT)),
        ("x-ratelimit-remaining-requests", str(ORGANISATION_LIMIT - 1)),
        ("x-ratelimit-remaining-tokens", left),
        ("x-ratelimit-reset-requests", "6ms"),
        ("x-ratelimit-reset-tokens", "0s"),
    )
