"""WireCall -> the request that litellm would make of it, built by its classes for providers and nothing around them.

What calls have in common is worked out once: the class, address and key of a provider (a Route), and its words for a
set of parameters. What can't be built here is not an error: the call goes by litellm's own wire, which says why.
"""

import json
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from hashlib import blake2b
from types import ModuleType
from typing import Any, cast

from router.adapters.lean_quirks import QUIRKS, Quirks
from router.adapters.lean_reading import Reading
from router.adapters.lean_shapes import (
    Asked,
    NotLean,
    Route,
    by_class,
    by_sdk,
    first_of,
    for_anthropic,
    for_azure,
    for_gemini,
    sdk_headers,
    streams_its_own_way,
)
from router.adapters.litellm_calls import backstop_s, chosen_params, model_name
from router.adapters.litellm_exchange import EXCHANGE, Exchange
from router.ports import WireCall

_KEPT = 256
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_SHAPES = {
    "http": by_class,
    "sdk": by_sdk,
    "azure": for_azure,
    "anthropic": for_anthropic,
    "gemini": for_gemini,
}
_CLAUDE_ONLY = ("input_examples", "eager_input_streaming")


@dataclass(slots=True, kw_only=True, eq=False, repr=False)  # it holds a key
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
        messages = self._pieces.validate_and_fix_openai_messages(_copied(call.messages))
        messages = route.config.translate_developer_role_to_system_role(messages=messages)
        params = self._in_its_words(route, chosen, stream=call.stream)
        json_mode = bool(params.pop("json_mode", False))
        if json_mode and route.quirks.through_sdk:
            raise NotLean("an answer in JSON by way of a tool")
        asked = Asked(messages, params, dict(route.litellm_params), stream=call.stream)
        made = _SHAPES[route.quirks.shape](self._pieces, route, asked)
        return Draft(
            call=call,
            route=route,
            url=made.url,
            headers=made.headers,
            data=made.data,
            body=_ENCODE(made.data).encode(),
            messages=messages,
            params=params,
            litellm_params=asked.litellm_params,
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
        base_url = base_url or pieces.litellm.api_base or first_of(quirks.base_url_names) or quirks.base_url
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
        if quirks.bearer and key:
            headers["Authorization"] = f"Bearer {key}"
        if quirks.through_sdk:
            headers |= sdk_headers(call, quirks, key=key)
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
        if stream and streams_its_own_way(route):
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


# --- What needs no litellm --------------------------------------------------------------------------------------------


class _NoLookups:
    """In place of an Exchange while a request is built: what litellm would fetch first, it fetches on its own wire."""

    def look_up(self, request: Any) -> None:
        raise NotLean("litellm looks something up before it sends this")


def _copied(messages: Sequence[Any]) -> list[dict[str, Any]]:
    """Messages that litellm may change. Text needs no copy of its own, and most messages hold nothing else."""
    return [
        dict(message)
        if all(isinstance(part, str | None) for part in message.values())
        else deepcopy(dict(message))
        for message in messages
    ]


def _plain(part: object) -> Any:
    """What JSON does not know, of what a policy or a caller may hand over: a read-only map."""
    if isinstance(part, Mapping):
        return dict(part)
    raise NotLean(f"a parameter of type `{type(part).__name__}`")
