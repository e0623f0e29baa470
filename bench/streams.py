"""Streams beside litellm's own: the time to the first chunk, and what a further chunk costs."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from typing import Any

from bench import scene
from bench.paths import Calls, Paths
from bench.processes import Speaking, Worker, clean, workers
from bench.sections import Row, Run, Table
from bench.timing import Block, Series, interleave, quantile, ratios, spread

WORDS = {"long": 100, "short": 2}
"""Of an answer; each comes as a chunk of its own."""

MORE = WORDS["long"] - WORDS["short"]

Open = Callable[..., Awaitable[Any]]


def streams(run: Run) -> Table:
    """Both libraries in turn, over two upstreams that differ in nothing but the length of their answers."""
    with _upstream(WORDS["long"]) as long, _upstream(WORDS["short"]) as short:
        urls = {"BENCH_UPSTREAM": json.dumps(long), "BENCH_SHORT": json.dumps(short)}
        with workers(list(STREAM_ROLES), {**run.environment, **urls}) as ready:
            found = interleave(_blocks(ready), calls=max(2, run.calls // 5), seconds=run.seconds)
    names = [name.removesuffix(", short") for name in found if name.endswith(", short")]
    base = names[0]
    return Table(
        name="streams",
        title=f"Streams over litellm to a local upstream: the first chunk, and each of {MORE} more",
        rows=[_row(name, base, found) for name in names],
        notes=(
            "first: until the first text, of answers of two words; chunk: what the longer answers cost more, by chunk",
            "ratios: of the time to the first chunk, and of the CPU of a chunk, round by round",
        ),
    )


@contextmanager
def _upstream(words: int) -> Iterator[Any]:
    text = " ".join(["word"] * words)
    provider = Speaking(["-m", "router.testing", "--instant", "--text", text], clean())
    try:
        yield provider.hear()
    finally:
        provider.terminate()


def _blocks(ready: Mapping[str, Worker]) -> dict[str, Callable[[int], Block]]:
    return {path: partial(ready[role].block, path) for role, paths in PATHS.items() for path in paths}


def _row(name: str, base: str, found: Mapping[str, Series]) -> Row:
    long, short = found[f"{name}, long"], found[f"{name}, short"]
    cpu = _chunk_cpu_s(long, short)
    of_base = _chunk_cpu_s(found[f"{base}, long"], found[f"{base}, short"])
    return {
        "path": name,
        "streams": len(short.durations_s),
        "first_us": 1e6 * quantile(short.durations_s, 0.5),
        "first_ratio": ratios(short, found[f"{base}, short"]),
        "chunk_cpu_us": 1e6 * quantile(cpu, 0.5),
        "chunk_cpu_ratio": spread([each / other for each, other in zip(cpu, of_base, strict=True)]),
    }


def _chunk_cpu_s(long: Series, short: Series) -> list[float]:
    """Of each round."""
    return [
        (one.cpu_s / len(one.durations_s) - two.cpu_s / len(two.durations_s)) / MORE
        for one, two in zip(long.blocks, short.blocks, strict=True)
    ]


# --- In the workers ---------------------------------------------------------------------------------------------------


def until_first(runner: asyncio.Runner, opened: Open, text_of: Callable[[Any], str], words: int) -> Calls:
    """Open, note when the first text came, read to the end. Raises RuntimeError where not every word is a chunk."""

    async def task(calls: int) -> list[float]:
        durations_s = []
        for _ in range(calls):
            began_s, first_s, texts = time.perf_counter(), 0.0, 0
            stream: AsyncIterator[Any] = await opened()
            async for chunk in stream:
                if text_of(chunk):
                    first_s = first_s or time.perf_counter() - began_s
                    texts += 1
            durations_s.append(first_s)
            if texts != words:
                raise RuntimeError(f"{texts} chunks of text where {words} were sent")
        return durations_s

    return lambda calls: runner.run(task(calls))


def _urls() -> dict[str, Any]:
    return {"long": scene.upstream_urls(), "short": json.loads(os.environ["BENCH_SHORT"])}


@contextmanager
def router_streams() -> Paths:
    from router import AsyncRouter

    with asyncio.Runner() as runner, ExitStack() as closing:
        paths: dict[str, Calls] = {}
        for length, urls in _urls().items():
            router = AsyncRouter.open(scene.policies(urls), state="memory", cache="memory")
            closing.callback(lambda router=router: runner.run(router.close()))
            numbers = count()

            async def opened(router: Any = router, numbers: Any = numbers) -> Any:
                asked = scene.router_arguments(scene.POLICY, number=next(numbers))
                return await router.complete(stream=True, **asked)

            paths[f"AsyncRouter, {length}"] = until_first(
                runner, opened, lambda chunk: str(chunk.text), WORDS[length]
            )
        yield paths


@contextmanager
def litellm_streams() -> Paths:
    """litellm's own streams, with the usage asked for, as the router always does."""
    import litellm

    with asyncio.Runner() as runner:
        paths: dict[str, Calls] = {}
        for length, urls in _urls().items():
            wire, numbers = scene.litellm_wire(urls), count()

            async def opened(wire: Any = wire, numbers: Any = numbers) -> Any:
                asked = scene.litellm_arguments(number=next(numbers))
                usage = {"include_usage": True}
                return await litellm.acompletion(stream=True, stream_options=usage, **wire, **asked)

            paths[f"litellm.acompletion, {length}"] = until_first(
                runner, opened, _litellm_text, WORDS[length]
            )
        yield paths


def _litellm_text(chunk: Any) -> str:
    return (chunk.choices[0].delta.content or "") if chunk.choices else ""


STREAM_ROLES = {"litellm-streams": litellm_streams, "router-streams": router_streams}

PATHS = {
    role: (f"{name}, short", f"{name}, long")
    for role, name in (("litellm-streams", "litellm.acompletion"), ("router-streams", "AsyncRouter"))
}
