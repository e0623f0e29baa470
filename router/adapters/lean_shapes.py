"""The shapes of requests: what litellm does, from the parameters in a provider's words to what goes over the wire.

Each is a function of a route and of one call; what can't be said in it raises NotLean.
"""

import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from urllib.parse import quote

from router.adapters.lean_quirks import Quirks
from router.adapters.lean_reading import Reading
from router.ports import WireCall

_SDK_OPTIONS = ("stream", "stream_options", "max_retries")
_VERSIONLESS = ("v1", "latest", "preview")


class NotLean(Exception):
    """litellm would make something of this call that is not one chat request: a look-up first, or another endpoint."""


@dataclass(slots=True, kw_only=True, eq=False, repr=False)  # it holds a key
class Route:
    """What the calls to one model at one address with one key have in common."""

    provider: str  # litellm's name
    model: str  # what the provider is asked for
    quirks: Quirks
    config: Any
    base_url: str | None
    api_key: str | None
    litellm_params: dict[str, Any]
    extra: dict[str, Any]
    headers: dict[str, str]  # without what the provider's class adds; through the SDK nothing is added
    reading: Reading
    words: OrderedDict[bytes, str] = field(
        default_factory=OrderedDict
    )  # of parameters, in the provider's words


@dataclass(slots=True)
class Asked:
    """One call, as litellm's classes are asked: they may change all of it."""

    messages: list[Any]
    params: dict[str, Any]
    litellm_params: dict[str, Any]
    stream: bool = field(kw_only=True)


@dataclass(slots=True)
class Made:
    """One request."""

    url: str
    headers: dict[str, str]
    data: dict[str, Any]


def by_class(pieces: ModuleType, route: Route, asked: Asked) -> Made:
    """As `BaseLLMHTTPHandler.completion` does it."""
    config, params = route.config, asked.params
    if hasattr(config, "map_extra_body_params"):
        params.update(config.map_extra_body_params(optional_params=params, model=route.model))
    extra_body = params.pop("extra_body", None)
    if params.pop("fake_stream", False) and asked.stream:
        raise NotLean("litellm makes a stream of a whole answer")
    headers = config.validate_environment(
        headers=dict(route.headers),
        model=route.model,
        messages=asked.messages,
        optional_params=params,
        litellm_params=asked.litellm_params,
        api_key=route.api_key,
        api_base=route.base_url,
    )
    url = config.get_complete_url(
        api_base=route.base_url,
        api_key=route.api_key,
        model=route.model,
        optional_params=params,
        litellm_params=asked.litellm_params,
        stream=asked.stream,
    )
    data = _transformed(route, asked, headers)
    if extra_body is not None:
        data = {**data, **config.transform_extra_body(extra_body, data, route.model, asked.litellm_params)}
    if asked.stream and config.supports_stream_param_in_request_body:
        data["stream"] = True
    return Made(url, headers, data)


def by_sdk(pieces: ModuleType, route: Route, asked: Asked) -> Made:
    """As litellm's OpenAI handler and the SDK below it do it."""
    extra_body = asked.params.pop("extra_body", None) or {}
    words = {name: asked.params.pop(name) for name in _SDK_OPTIONS if name in asked.params}
    data = {**_transformed(route, asked, {}), **extra_body}
    if asked.stream:
        options = pieces.get_stream_options(
            stream_options=words.get("stream_options"), api_base=route.base_url
        )
        data |= {"stream": True, **options}
    return Made(f"{(route.base_url or '').rstrip('/')}/chat/completions", dict(route.headers), data)


def for_azure(pieces: ModuleType, route: Route, asked: Asked) -> Made:
    """As litellm's Azure handler and the SDK below it do it, for a key and a deployment."""
    base_url = route.base_url or ""
    version = (
        asked.litellm_params.get("api_version")
        or first_of(("AZURE_API_VERSION",))
        or pieces.litellm.AZURE_DEFAULT_API_VERSION
    )
    elsewhere = "/openai/" in f"{base_url}/" or "gateway.ai.cloudflare.com" in base_url
    if not base_url or not route.api_key or elsewhere or version in _VERSIONLESS or "?" in base_url:
        raise NotLean("an address of Azure with a way of its own")
    if route.config.__class__.__name__ == "AzureOpenAIO1Config":
        raise NotLean("a model that litellm asks Azure for in another way")
    extra_body = asked.params.pop("extra_body", None) or {}
    asked.params.pop("max_retries", None)
    data = {**_transformed(route, asked, {}), **extra_body}
    place = f"{base_url.rstrip('/')}/openai/deployments/{quote(route.model, safe='')}"
    return Made(f"{place}/chat/completions?api-version={quote(version)}", dict(route.headers), data)


def for_anthropic(pieces: ModuleType, route: Route, asked: Asked) -> Made:
    """As litellm's Anthropic handler does it."""
    _refuse_remote_media(asked.messages)
    params = asked.params
    params.pop("stream", None)
    base_url = (route.base_url or "").removesuffix("/v1/messages")
    if os.environ.get("LITELLM_ANTHROPIC_DISABLE_URL_SUFFIX"):
        raise NotLean("an address that is taken as it is")
    url = f"{base_url}/v1/messages"
    headers = pieces.AnthropicConfig().validate_environment(
        api_key=route.api_key,
        headers={},
        model=route.model,
        messages=asked.messages,
        optional_params={**params, "is_vertex_request": False},
        litellm_params=asked.litellm_params,
        api_base=url,
    )
    headers = {**route.headers, **headers}
    params["is_vertex_request"] = False
    data = _transformed(route, asked, headers)
    headers, data = pieces.update_request_with_filtered_beta(
        headers=headers, request_data=data, provider=route.provider
    )
    if asked.stream:
        data["stream"] = True
    return Made(url, headers, data)


def for_gemini(pieces: ModuleType, route: Route, asked: Asked) -> Made:
    """As litellm's handler of Google's models does it, for AI Studio."""
    _refuse_remote_media(asked.messages)
    if any("cache_control" in str(message) for message in asked.messages):
        raise NotLean("litellm makes a cache of it first")
    gemini = pieces.gemini_chat()
    auth, url = gemini._get_token_and_url(
        model=route.model,
        gemini_api_key=route.api_key,
        auth_header=None,
        vertex_project=None,
        vertex_location=None,
        vertex_credentials=None,
        stream=asked.stream,
        custom_llm_provider=route.provider,
        api_base=route.base_url,
        use_psc_endpoint_format=False,
    )
    headers = pieces.VertexGeminiConfig().validate_environment(
        api_key=auth,
        headers={},
        model=route.model,
        messages=asked.messages,
        optional_params=asked.params,
        litellm_params=asked.litellm_params,
    )
    data = pieces.gemini_body(
        messages=asked.messages,
        model=route.model,
        custom_llm_provider=route.provider,
        litellm_params=asked.litellm_params,
        cached_content=asked.params.pop("cached_content", None),
        optional_params=asked.params,
    )
    return Made(url, {**route.headers, **headers}, data)


# --- What they share --------------------------------------------------------------------------------------------------


def _transformed(route: Route, asked: Asked, headers: dict[str, str]) -> dict[str, Any]:
    data: dict[str, Any] = route.config.transform_request(
        model=route.model,
        messages=asked.messages,
        optional_params=asked.params,
        litellm_params=asked.litellm_params,
        headers=headers,
    )
    return data


def sdk_headers(call: WireCall, quirks: Quirks, *, key: str | None) -> dict[str, str]:
    """What the openai SDK says of a call, but for what it says of itself."""
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if quirks.shape == "azure":
        return headers | ({"api-key": key} if key else {})
    organization = call.wire.get("organization") or first_of(("OPENAI_ORGANIZATION", "OPENAI_ORG_ID"))
    project = first_of(("OPENAI_PROJECT_ID",))
    headers |= {"Authorization": f"Bearer {key}"} if key else {}
    headers |= {"OpenAI-Organization": organization} if organization else {}
    headers |= {"OpenAI-Project": project} if project else {}
    return headers


def streams_its_own_way(route: Route) -> bool:
    config = route.config
    fakes = config.should_fake_stream(model=route.model, stream=True, custom_llm_provider=route.provider)
    return bool(fakes or config.has_custom_stream_wrapper)


def first_of(names: Sequence[str]) -> str | None:
    """The first of these environment variables that is set."""
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def _refuse_remote_media(messages: Sequence[Mapping[str, Any]]) -> None:
    """litellm fetches some of them before it asks."""
    for message in messages:
        content = message.get("content")
        text = not isinstance(content, list) or all(part.get("type") == "text" for part in content)
        if not text and "http" in str(content):
            raise NotLean("media that litellm may fetch first")
