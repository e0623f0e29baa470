"""WireCall -> the arguments of litellm's `acompletion`. Only names known here reach it: it has hundreds of switches of
its own, and one of them (`api_base`, `fallbacks`, `mock_response`) in a caller's parameters must never get through."""

from collections.abc import Mapping
from copy import deepcopy
from math import ceil
from typing import Any

from router.adapters.litellm_exchange import WireRefusal
from router.decide.params import CHAT_PARAMS, NOT_YET
from router.ports import WireCall

PREFIX: Mapping[str, str] = {
    "ai21": "ai21_chat",
    "cohere": "cohere_chat",  # `cohere/` is its retired v1 API
    "ollama": "ollama_chat",  # `ollama/` pastes the messages into one prompt
    "together": "together_ai",
    "fireworks": "fireworks_ai",
    "vertex": "vertex_ai",
}

_PARAMS = frozenset(CHAT_PARAMS) | frozenset(NOT_YET)

_WIRE = frozenset(
    {
        "api_version",
        "aws_access_key_id",
        "aws_bedrock_runtime_endpoint",
        "aws_profile_name",
        "aws_region_name",
        "aws_role_name",
        "aws_secret_access_key",
        "aws_session_name",
        "aws_session_token",
        "aws_web_identity_token",
        "azure_ad_token",
        "client_id",
        "client_secret",
        "organization",
        "project_id",
        "region_name",
        "space_id",
        "tenant_id",
        "vertex_credentials",
        "vertex_location",
        "vertex_project",
    }
)
"""What a provider's further wire settings may be."""

_SECRET_ENDINGS = ("_key", "_key_id", "_token", "_secret", "_credentials")


def model_name(call: WireCall) -> str:
    """The model in litellm's words: its provider name, a slash, and what the provider is asked for."""
    return f"{PREFIX.get(call.kind, call.kind)}/{call.model}"


def secrets_of(call: WireCall) -> tuple[str, ...]:
    """Every value of `call` that must not be shown."""
    values = (call.api_key, *(value for name, value in call.wire.items() if name.endswith(_SECRET_ENDINGS)))
    return tuple(value for value in values if value)


def backstop_s(timeout_s: float) -> int:
    """A time that the wire of litellm gives up after, if nobody else did: at least twice the bound that the engine
    keeps. One of few values, because litellm keeps an HTTP client for every timeout that it is given."""
    return 1 << (max(1, ceil(timeout_s)).bit_length() + 1)


def chosen_params(call: WireCall) -> dict[str, Any]:
    """The parameters that are set. Raises WireRefusal for a name that is not one of a chat call."""
    for name in (*(call.params.keys() - _PARAMS), *(call.wire.keys() - _WIRE)):
        raise WireRefusal(f"`{name}` is no parameter of a chat call")
    return {name: value for name, value in call.params.items() if value is not None}


def arguments(call: WireCall, *, stand_in_key: str | None = None) -> dict[str, Any]:
    """Keyword arguments for one send: no retry, no fallback, no cache of litellm's. Raises WireRefusal for a name that
    is not one of a chat call."""
    return {
        **call.wire,
        **chosen_params(call),
        "model": model_name(call),
        "messages": deepcopy([dict(message) for message in call.messages]),
        "timeout": backstop_s(call.timeout_s),
        "api_key": call.api_key or stand_in_key,
        "api_base": call.base_url,
        "stream": call.stream,
        "num_retries": 0,
        "max_retries": 0,
        "caching": False,
        "_skip_mcp_handler": True,  # else tools= needs litellm's `mcp` package, and looks for servers of its proxy
        **({"stream_options": {"include_usage": True}} if call.stream else {}),
    }
