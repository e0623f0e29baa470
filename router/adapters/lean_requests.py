"""WireCall -> the request that litellm would make of it, built by its classes for providers and nothing around them.

What calls have in common is worked out once: the class, address and key of a provider (a Route), and its words for a
set of parameters. What can't be built here is not an error: the call goes by litellm's own wire, which says why.
"""

import json
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from hashlib import blake2b
from types import ModuleType
from typing import Any, cast

from router.adapters.lean_quirks import QUIRKS, Quirks
from router.adapters.lean_reading import Reading
from router.adapters.litellm_calls import backstop_s, chosen_params, model_name
from router.adapters.litellm_exchange import EXCHANGE, Exchange
from router.ports import WireCall

_KEPT = 256
_CLAUDE_ONLY = ("input_examples", "eager_input_streaming")
_SDK_OPTIONS = ("stream", "stream_options", "max_retries")


class NotLean(Exception):
    """litellm would make something of this call that is not one chat request: a look-up first, or another endpoint."""


@dataclass(slots=True, kw_only=True, eq=False)
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


@dataclass(slots=True, kw_only=True, eq=False)
class Draft:
    """One request, and what its answer is read with."""

    call: WireCall
    route: Route
    url: str
    headers: dict[str, str]
    data: dict[str, Any]
    body: bytes
    messages: list[Any]
    params: dict[str, Any]  # in the provider's words
    litellm_params: dict[str, Any]
    json_mode: bool
    timeout_s: float


class Requests:
    """The drafts of one transport. `pieces` are litellm's."""

    def __init__(self, pieces: ModuleType, *, stand_in_key: str | None) -> None:
        self._pieces = pieces
        self._stand_in_key = stand_in_key
        self._routes: OrderedDict[Any, Route] = OrderedDict()

    def draft(self, call: WireCall) -> Draft:
        """Raises whatever litellm raises for a call that it can't build, NotLean, and WireRefusal."""
        token = EXCHANGE.set(cast(Exchange, _NoLookups()))
        try:
            return self._draft(call)
        finally:
            EXCHANGE.reset(token)

    def _draft(self, call: WireCall) -> Draft:
        chosen = chosen_params(call)
        route = self._route(call)
        config, model = route.config, route.model
        messages = self._pieces.validate_and_fix_openai_messages(_copied(call.messages))
        messages = config.translate_developer_role_to_system_role(messages=messages)
        params = self._in_its_words(route, chosen, stream=call.stream)
        json_mode = bool(params.pop("json_mode", False))
        extra_body = params.pop("extra_body", None)
        stream_words = {name: params.pop(name) for name in _SDK_OPTIONS if name in params}
        if not route.quirks.through_sdk:
            params.update(stream_words)
        litellm_params = dict(route.litellm_params)
        headers = self._headers(route, messages, params, litellm_params)
        data = config.transform_request(
            model=model,
            messages=messages,
            optional_params=params,
            litellm_params=litellm_params,
            headers=headers,
        )
        if extra_body:
            data = {**data, **config.transform_extra_body(extra_body, data, model, litellm_params)}
        if call.stream:
            self._add_stream_words(route, data, stream_words)
        return Draft(
            call=call,
            route=route,
            url=self._url(route, params, litellm_params, stream=call.stream),
            headers=headers,
            data=data,
            body=json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(),
            messages=messages,
            params=params,
            litellm_params=litellm_params,
            json_mode=json_mode,
            timeout_s=float(backstop_s(call.timeout_s)),
        )

    # --- what calls have in common

    def _route(self, call: WireCall) -> Route:
        key = (call.kind, call.model, call.base_url, call.api_key, tuple(call.wire.items()))
        route = self._routes.get(key)
        if route is None:
            route = self._routes[key] = self._new_route(call)
            if len(self._routes) > _KEPT:
                self._routes.popitem(last=False)
        return route

    def _new_route(self, call: WireCall) -> Route:
        pieces = self._pieces
        key = call.api_key or self._stand_in_key
        model, provider, dynamic_key, base_url = pieces.get_llm_provider(
            model=model_name(call), api_base=call.base_url, api_key=key
        )
        quirks = QUIRKS.get(provider)
        if quirks is None:
            raise NotLean(provider)
        config = pieces.get_provider_chat_config(model=model, provider=pieces.LlmProviders(provider))
        base_url = base_url or pieces.litellm.api_base or _first_of(quirks.base_url_names) or quirks.base_url
        key = dynamic_key or key
        return Route(
            provider=provider,
            model=model,
            quirks=quirks,
            config=config,
            base_url=base_url,
            api_key=key,
            litellm_params=pieces.get_litellm_params(
                api_key=key, custom_llm_provider=provider, api_base=base_url, acompletion=True, **call.wire
            ),
            extra=pieces.get_non_default_completion_params(kwargs=dict(call.wire)),
            headers=self._common_headers(quirks, config, call, key=key),
            reading=Reading(pieces, quirks, config, provider=provider, model=model),
        )

    def _common_headers(
        self, quirks: Quirks, config: Any, call: WireCall, *, key: str | None
    ) -> dict[str, str]:
        headers = {"User-Agent": self._pieces.user_agent(), **config.get_attribution_headers()}
        for name, text in quirks.headers.items():
            headers[name] = os.environ.get(quirks.header_names.get(name, "")) or text
        if quirks.through_sdk:
            organization = call.wire.get("organization") or _first_of(
                ("OPENAI_ORGANIZATION", "OPENAI_ORG_ID")
            )
            project = _first_of(("OPENAI_PROJECT_ID",))
            headers |= {"Accept": "application/json", "Content-Type": "application/json"}
            headers |= {"Authorization": f"Bearer {key}"} if key else {}
            headers |= {"OpenAI-Organization": organization} if organization else {}
            headers |= {"OpenAI-Project": project} if project else {}
        return headers

    def _in_its_words(self, route: Route, chosen: Mapping[str, Any], *, stream: bool) -> dict[str, Any]:
        """The parameters as the provider calls them. A copy of its own for each call: some classes change it."""
        asked = json.dumps(chosen, default=_plain)
        key = blake2b(
            asked.encode("utf-8", "surrogatepass"), digest_size=16, key=b"stream" if stream else b""
        ).digest()
        words = route.words.get(key)
        if words is None:
            words = json.dumps(self._map(route, json.loads(asked), stream=stream))
            route.words[key] = words
            if len(route.words) > _KEPT:
                route.words.popitem(last=False)
        found: dict[str, Any] = json.loads(words)
        return found

    def _map(self, route: Route, chosen: dict[str, Any], *, stream: bool) -> dict[str, Any]:
        """As `litellm.completion` does it."""
        pieces = self._pieces
        tools = pieces.validate_and_fix_openai_tools(tools=chosen.pop("tools", None))
        if tools is not None and not pieces.is_claude_tool_target(route.provider, route.model):
            tools = pieces.drop_anthropic_only_tool_keys(tools=tools)
        stop = pieces.validate_openai_optional_params(stop=chosen.pop("stop", None))
        choice = pieces.validate_chat_completion_tool_choice(
            tool_choice=chosen.pop("tool_choice", None), model=route.model
        )
        mode, _ = pieces.responses_api_bridge_check(
            model=route.model,
            custom_llm_provider=route.provider,
            web_search_options=chosen.get("web_search_options"),
            tools=tools,
            reasoning_effort=chosen.get("reasoning_effort"),
            api_base=route.base_url,
        )
        if mode.get("mode") == "responses":
            raise NotLean("litellm sends this to the Responses API")
        if stream and _streams_its_own_way(route):
            raise NotLean("litellm streams this in a way of its own")
        mapped: dict[str, Any] = pieces.get_optional_params(
            model=route.model,
            custom_llm_provider=route.provider,
            stream=stream,
            stream_options={"include_usage": True} if stream else None,
            max_retries=0,
            tools=tools,
            tool_choice=choice,
            stop=stop,
            **chosen,
            **route.extra,
        )
        return mapped

    # --- the parts of one request

    def _headers(
        self, route: Route, messages: list[Any], params: dict[str, Any], litellm_params: dict[str, Any]
    ) -> dict[str, str]:
        if route.quirks.through_sdk:
            return dict(route.headers)
        headers: dict[str, str] = route.config.validate_environment(
            headers=dict(route.headers),
            model=route.model,
            messages=messages,
            optional_params=params,
            litellm_params=litellm_params,
            api_key=route.api_key,
            api_base=route.base_url,
        )
        return headers

    def _url(
        self, route: Route, params: dict[str, Any], litellm_params: dict[str, Any], *, stream: bool
    ) -> str:
        if route.quirks.through_sdk:
            return f"{(route.base_url or '').rstrip('/')}/chat/completions"
        url: str = route.config.get_complete_url(
            api_base=route.base_url,
            api_key=route.api_key,
            model=route.model,
            optional_params=params,
            litellm_params=litellm_params,
            stream=stream,
        )
        return url

    def _add_stream_words(self, route: Route, data: dict[str, Any], words: Mapping[str, Any]) -> None:
        if not route.quirks.through_sdk:
            if route.config.supports_stream_param_in_request_body:
                data["stream"] = True
            return
        data["stream"] = True
        data.update(self._pieces.get_stream_options(
            stream_options=words.get("stream_options"), api_base=route.base_url
        ))  # fmt: skip


# --- What needs no litellm --------------------------------------------------------------------------------------------


class _NoLookups:
    """In place of an Exchange while a request is built: what litellm would fetch first, it fetches on its own wire."""

    def look_up(self, request: Any) -> None:
        raise NotLean("litellm looks something up before it sends this")


def _streams_its_own_way(route: Route) -> bool:
    config = route.config
    fakes = config.should_fake_stream(model=route.model, stream=True, custom_llm_provider=route.provider)
    return bool(fakes or config.has_custom_stream_wrapper)


def _copied(messages: Sequence[Any]) -> list[dict[str, Any]]:
    """Messages that litellm may change. Text needs no copy of its own, and most messages hold nothing else."""
    return [
        dict(message)
        if all(isinstance(part, str | None) for part in message.values())
        else deepcopy(dict(message))
        for message in messages
    ]


def _first_of(names: Sequence[str]) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def _plain(part: object) -> Any:
    """What JSON does not know, of what a policy or a caller may hand over: a read-only map."""
    if isinstance(part, Mapping):
        return dict(part)
    raise NotLean(f"a parameter of type `{type(part).__name__}`")
