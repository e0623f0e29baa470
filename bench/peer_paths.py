"""The same calls along every peer's way to an OpenAI-compatible upstream.

Imports are inside: each of these runs in the environment of its own library.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import scene
from bench.bare import ANSWER
from bench.paths import Calls, Paths, awaited

AT_ONCE = 32

APART = " / "
"""Between the name of a peer and the kind of its calls, in the name of a path."""

AT_ONCE_KIND, STREAM_KIND = "at once", "stream"

Ask = Callable[..., Awaitable[str]]
"""Called with messages and params in OpenAI's words; the text of the answer."""

Read = Callable[..., AsyncIterator[str]]
"""As Ask, for the texts of a stream's chunks."""


class Unequal(RuntimeError):
    """A path brought another answer than the upstream's."""


def paths_of(runner: asyncio.Runner, name: str, ask: Ask | None, read: Read | None) -> dict[str, Calls]:
    """Every prompt one after another, the short one also at once, and a stream. No question is asked twice."""
    paths: dict[str, Calls] = {}
    numbers = count()
    if ask is not None:
        for prompt in scene.PROMPTS:
            paths[f"{name}{APART}{prompt}"] = awaited(runner, _checked(ask, prompt, numbers))
        short = _checked(ask, scene.SHORT, numbers)
        paths[f"{name}{APART}{AT_ONCE_KIND}"] = awaited(runner, short, at_once=AT_ONCE)
    if read is not None:
        paths[f"{name}{APART}{STREAM_KIND}"] = awaited(runner, _read_through(read, numbers))
    return paths


def _checked(ask: Ask, prompt: str, numbers: Iterator[int]) -> Callable[[], Awaitable[None]]:
    async def call() -> None:
        text = await ask(**scene.prompted(prompt, number=next(numbers)))
        if text != ANSWER:
            raise Unequal(text)

    return call


def _read_through(read: Read, numbers: Iterator[int]) -> Callable[[], Awaitable[None]]:
    async def call() -> None:
        texts = [text async for text in read(**scene.prompted(scene.SHORT, number=next(numbers))) if text]
        if len(texts) != scene.CHUNKS:
            raise Unequal(f"{len(texts)} chunks of text where {scene.CHUNKS} were sent")

    return call


# --- Clients that post ------------------------------------------------------------------------------------------------


@contextmanager
def wire_paths() -> Paths:
    """A pooled session, a dict as JSON, and back: what no client can be faster than."""
    import aiohttp
    import httpx

    url, headers = (
        f"{scene.upstream_urls()['openai']}/chat/completions",
        {"authorization": f"Bearer {scene.KEY}"},
    )

    async def opened() -> tuple[Any, Any]:
        return aiohttp.ClientSession(), httpx.AsyncClient()

    with asyncio.Runner() as runner:
        session, client = runner.run(opened())

        async def by_aiohttp(**asked: Any) -> str:
            async with session.post(url, json={"model": scene.MODEL, **asked}, headers=headers) as answer:
                return _text(json.loads(await answer.read()))

        async def by_httpx(**asked: Any) -> str:
            answer = await client.post(url, json={"model": scene.MODEL, **asked}, headers=headers)
            return _text(answer.json())

        async def stream(**asked: Any) -> AsyncIterator[str]:
            posted = {"model": scene.MODEL, "stream": True, **asked}
            async with session.post(url, json=posted, headers=headers) as answer:
                async for line in answer.content:
                    if line.startswith(b"data: {"):
                        yield _delta(json.loads(line[6:]))

        yield {
            **paths_of(runner, "aiohttp", by_aiohttp, stream),
            **paths_of(runner, "httpx", by_httpx, None),
        }
        runner.run(session.close())
        runner.run(client.aclose())


@contextmanager
def openai_paths() -> Paths:
    from openai import AsyncOpenAI

    with asyncio.Runner() as runner:
        client = AsyncOpenAI(api_key=scene.KEY, base_url=scene.upstream_urls()["openai"], max_retries=0)
        create = partial(client.chat.completions.create, model=scene.MODEL)
        yield paths_of(runner, "openai SDK", _asking(create), _reading(create))
        runner.run(client.close())


# --- litellm ----------------------------------------------------------------------------------------------------------


@contextmanager
def litellm_paths() -> Paths:
    import litellm

    call = partial(litellm.acompletion, **scene.litellm_wire(scene.upstream_urls()))
    with asyncio.Runner() as runner:
        yield paths_of(runner, "litellm.acompletion", _asking(call), _reading(call))


def _litellm_router(name: str, **settings: Any) -> Callable[[], Paths]:
    @contextmanager
    def paths() -> Paths:
        from litellm import Router

        wire = scene.litellm_wire(scene.upstream_urls())
        models = [{"model_name": alias, "litellm_params": wire} for alias in ("bench", "second", "third")]
        router = Router(model_list=models, num_retries=0, **settings)
        call = partial(router.acompletion, model="bench")
        with asyncio.Runner() as runner:
            yield paths_of(runner, name, _asking(call), _reading(call))

    return paths


# --- Others, each in an environment of its own ------------------------------------------------------------------------


@contextmanager
def any_llm_paths() -> Paths:
    from any_llm import AnyLLM

    with asyncio.Runner() as runner:

        async def opened() -> Any:
            return AnyLLM.create("openai", api_key=scene.KEY, api_base=scene.upstream_urls()["openai"])

        call = partial(runner.run(opened()).acompletion, model=scene.MODEL)
        yield paths_of(runner, "any-llm", _asking(call), _reading(call))


_TENSORZERO = """
[gateway]
observability.enabled = false
[models.bench]
routing = ["upstream"]
[models.bench.providers.upstream]
type = "openai"
model_name = "{model}"
api_base = "{url}/"
api_key_location = "env::{key}"
"""


@contextmanager
def tensorzero_paths() -> Paths:
    """Its gateway in Rust, embedded, without its observability."""
    from tensorzero import AsyncTensorZeroGateway

    with TemporaryDirectory() as folder, asyncio.Runner() as runner:
        config = Path(folder) / "tensorzero.toml"
        settings = {"model": scene.MODEL, "url": scene.upstream_urls()["openai"], "key": scene.KEY_VARIABLE}
        config.write_text(_TENSORZERO.format(**settings), encoding="utf-8")

        async def opened() -> Any:
            return await AsyncTensorZeroGateway.build_embedded(config_file=str(config))

        gateway = runner.run(opened())

        async def ask(**asked: Any) -> str:
            answer = await gateway.inference(model_name="bench", **_for_tensorzero(**asked))
            return "".join(block.text for block in answer.content)

        async def stream(**asked: Any) -> AsyncIterator[str]:
            chunks = await gateway.inference(model_name="bench", stream=True, **_for_tensorzero(**asked))
            async for chunk in chunks:
                yield "".join(block.text for block in chunk.content)

        yield paths_of(runner, "TensorZero embedded", ask, stream)
        runner.run(gateway.close())


def _for_tensorzero(messages: list[dict[str, Any]], tools: Any = (), **params: Any) -> dict[str, Any]:
    system, *rest = messages
    more = {"additional_tools": [tool["function"] for tool in tools]} if tools else {}
    return {
        "input": {"system": system["content"], "messages": rest},
        "params": {"chat_completion": params},
        **more,
    }


# --- What they have in common -----------------------------------------------------------------------------------------


def _asking(call: Callable[..., Awaitable[Any]]) -> Ask:
    """For a `call` that answers with objects of OpenAI's shape."""

    async def ask(**asked: Any) -> str:
        return (await call(**asked)).choices[0].message.content or ""

    return ask


def _reading(call: Callable[..., Awaitable[Any]]) -> Read:
    async def read(**asked: Any) -> AsyncIterator[str]:
        async for chunk in await call(stream=True, stream_options={"include_usage": True}, **asked):
            yield (chunk.choices[0].delta.content or "") if chunk.choices else ""

    return read


def _text(answer: Mapping[str, Any]) -> str:
    return str(answer["choices"][0]["message"]["content"])


def _delta(chunk: Mapping[str, Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


# --- The router -------------------------------------------------------------------------------------------------------


@contextmanager
def router_paths() -> Paths:
    """With all of its rules: a cache that has no answer, limits, budgets, and a row on disk for each call."""
    import litellm  # noqa: F401 - else it is loaded in the time of the first call

    from router import AsyncRouter

    with TemporaryDirectory() as folder, asyncio.Runner() as runner:
        routers, paths = [], {}
        for name, more in ROUTERS.items():
            state = f"sqlite:///{Path(folder) / name}.db{more.get('state', '')}"
            plan = scene.policies(scene.upstream_urls(), **more.get("provider", {}))
            router = AsyncRouter.open(plan, state=state, cache="memory")
            routers.append(router)
            asked = partial(router.complete, policy=scene.KEPT_POLICY, tenant=scene.TENANT)
            paths |= paths_of(runner, name, _routed(asked), _streamed(asked))
        yield paths
        for router in routers:
            runner.run(router.close())


ROUTERS: dict[str, dict[str, Any]] = {
    "AsyncRouter": {},
    "AsyncRouter, synchronous=full": {"state": "?synchronous=full"},
}


def _routed(asked: Callable[..., Any]) -> Ask:
    async def ask(**more: Any) -> str:
        return str((await asked(**more)).text)

    return ask


def _streamed(asked: Callable[..., Any]) -> Read:
    async def read(**more: Any) -> AsyncIterator[str]:
        async for chunk in await asked(stream=True, **more):
            yield str(chunk.text)

    return read


PEER_ROLES: dict[str, Callable[[], Any]] = {
    "peer-wire": wire_paths,
    "peer-openai": openai_paths,
    "peer-litellm": litellm_paths,
    "peer-litellm-router": _litellm_router("litellm.Router"),
    "peer-litellm-fallbacks": _litellm_router(
        "litellm.Router, fallbacks", fallbacks=[{"bench": ["second", "third"]}]
    ),
    "peer-litellm-cached": _litellm_router("litellm.Router, cache missed", cache_responses=True),
    "peer-tensorzero": tensorzero_paths,
    "peer-any-llm": any_llm_paths,
    "peer-router": router_paths,
}

OWN_ENVIRONMENT = {
    **{
        role: "litellm" for role in PEER_ROLES if role.startswith("peer-litellm")
    },  # with tools it wants `mcp` as well
    "peer-tensorzero": "tensorzero",
    "peer-any-llm": "any-llm",
}
"""Peers with more than the project depends on, and the list that pins each."""
