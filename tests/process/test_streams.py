"""Streams over real HTTP: read to the end, broken, closed early, given up, forgotten. Afterwards nothing is held."""

import asyncio
import gc
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from router import AsyncRouter, AsyncStream, Router, StreamBroken, TargetsExhausted
from router import events as ev
from router.testing import Answer, CutStream, Drip, EmptyStream, ErrorInStream, NeverAnswer, RateLimited, Step
from tests.process.scene import FIRST, SECOND, WHO, Scene, closed

pytestmark = pytest.mark.usefixtures("warm")

PROMPT_S = 0.2
"""Within this a provider sees that a stream was closed."""

TEXT = "one two three four five six seven eight nine ten"
SLOW = Answer(TEXT, chunk_s=0.2)


def nothing_is_held(scene: Scene, router: Router | AsyncRouter) -> None:
    assert scene.permits(router.plan.tenants["acme"].limits) == 0
    assert {row.state for row in scene.rows()} == {"settled"}
    assert {reserved for _, reserved in scene.counters().values()} == {0}


def closed_late_s(scene: Scene, since_s: float) -> float:
    (seen,) = scene.provider.wait_for(closed, timeout_s=5.0)
    assert seen.closed_at_s is not None
    return seen.closed_at_s - since_s


def test_a_stream_is_read_as_it_comes(scene: Scene):
    scene.provider.script("*", Answer(TEXT, chunk_s=0.05))
    with Router.open(scene.policies) as router:
        began_s = time.monotonic()
        with router.stream("count", **WHO) as stream:
            assert stream.target == FIRST
            first_s = time.monotonic() - began_s
            text = "".join(chunk.text for chunk in stream)
            whole_s = time.monotonic() - began_s
        assert text == TEXT
        assert first_s < whole_s - 0.2
        reply = stream.reply()
        assert (reply.text, reply.finish_reason, reply.usage.reported) == (TEXT, "stop", True)
        assert reply.cost_usd
        nothing_is_held(scene, router)
    assert [row.cost_nusd for row in scene.rows()] == [reply.cost_nusd]


def test_an_async_stream_is_read_as_it_comes(scene: Scene):
    scene.provider.script("*", Answer(TEXT))

    async def main() -> None:
        async with AsyncRouter.open(scene.policies) as router:
            async with router.stream("count", **WHO) as stream:
                assert "".join([chunk.text async for chunk in stream]) == TEXT
            other = await router.stream("again", **WHO)
            assert (await other.reply()).text == TEXT
            third = await router.complete("and again", stream=True, **WHO)
            assert (await third.reply()).text == TEXT
            with pytest.raises(TypeError, match="opened before it is read: write `async with"):
                aiter(router.stream("unopened", **WHO))
            nothing_is_held(scene, router)

    asyncio.run(main())


@pytest.mark.parametrize(
    "fault",
    [
        ErrorInStream(after_chunks=0),
        EmptyStream(),
        EmptyStream(end_mark=False),
        CutStream(after_chunks=0),
        CutStream(after_chunks=0, clean=True),
        RateLimited(),
    ],
    ids=["error-first", "empty", "not-a-frame", "cut", "cut-clean", "limited"],
)
def test_a_stream_that_fails_before_its_first_content_comes_from_the_next_target(scene: Scene, fault: Step):
    scene.provider.script("gpt-5-nano", fault)
    scene.provider.script("claude-haiku-4-5", Answer(TEXT))
    with Router.open(scene.policies) as router:
        reply = router.stream("count", **WHO).reply()
        assert (reply.target, reply.text) == (SECOND, TEXT)
        nothing_is_held(scene, router)


@pytest.mark.parametrize(
    "fault",
    [
        ErrorInStream(after_chunks=2, answer=Answer(TEXT)),
        CutStream(after_chunks=2, answer=Answer(TEXT, chunk_s=0.05)),
        CutStream(after_chunks=2, clean=True, answer=Answer(TEXT)),
    ],
    ids=["error", "cut", "end-mark-missing"],
)
@pytest.mark.parametrize("target", [FIRST, SECOND])
def test_a_stream_that_breaks_after_it_is_never_continued(scene: Scene, fault: Step, target: str):
    scene.provider.script("*", fault)
    with Router.open(scene.policies) as router:
        stream, read = router.stream("count", only=[target], **WHO), []
        with pytest.raises(StreamBroken) as broken:
            read.extend(chunk.text for chunk in iter(stream.__next__, None))
        received = broken.value.received[0]["message"]["content"]
        assert received
        assert TEXT.startswith(received)
        assert received != TEXT
        assert len(scene.provider.requests) == 1
        nothing_is_held(scene, router)


def test_a_stalled_stream_is_given_up_after_its_gap(scene: Scene, tmp_path: Any):
    main = scene.policies / "main.yaml"
    main.write_text(main.read_text().replace("attempt: 10s", "attempt: 10s, idle: 300ms", 1))
    scene.provider.script("*", Answer(TEXT, chunk_s=2.0))
    with Router.open(scene.policies) as router:
        stream = router.stream("count", **WHO)
        next(stream)
        began_s = time.monotonic()
        with pytest.raises(StreamBroken, match=r"nothing more came within 0.3 s"):
            next(stream)
        assert time.monotonic() - began_s < 0.3 + PROMPT_S
        assert closed_late_s(scene, began_s + 0.3) < PROMPT_S
        nothing_is_held(scene, router)


def test_a_stream_without_content_in_time_is_given_up(scene: Scene):
    main = scene.policies / "main.yaml"
    main.write_text(main.read_text().replace("attempt: 10s", "attempt: 10s, first_content: 300ms", 1))
    scene.provider.script("gpt-5-nano", Drip(body_chunk_s=0.05, piece_bytes=1))
    scene.provider.script("claude-haiku-4-5", NeverAnswer())
    with Router.open(scene.policies) as router:
        began_s = time.monotonic()
        with pytest.raises(TargetsExhausted):
            router.stream("count", **WHO)
        assert time.monotonic() - began_s < 0.6 + 2 * PROMPT_S
        nothing_is_held(scene, router)


def test_a_stream_that_is_closed_early_has_its_socket_closed(scene: Scene):
    scene.provider.script("*", SLOW)
    with Router.open(scene.policies) as router:
        with router.stream("count", **WHO) as stream:
            next(stream)
        left_s = time.monotonic()
        assert closed_late_s(scene, left_s) < PROMPT_S
        nothing_is_held(scene, router)
        (row,) = scene.rows()
        assert (row.how, row.cost_nusd) == ("worst_case", row.worst_nusd)


def test_a_stream_that_nobody_refers_to_is_closed(scene: Scene):
    scene.provider.script("*", SLOW)
    with Router.open(scene.policies) as router:
        stream = router.stream("count", **WHO)
        next(stream)
        del stream
        gc.collect()
        assert closed_late_s(scene, time.monotonic()) < PROMPT_S
        for _ in range(100):
            if all(thread.name != "router-close" for thread in threading.enumerate()):
                break
            time.sleep(0.01)
        nothing_is_held(scene, router)


def test_an_async_stream_that_nobody_refers_to_is_closed(scene: Scene):
    scene.provider.script("*", SLOW)

    async def main() -> None:
        async with AsyncRouter.open(scene.policies) as router:
            stream = await router.stream("count", **WHO)
            await anext(stream)
            del stream
            gc.collect()
            began_s = time.monotonic()
            late_s = await asyncio.to_thread(closed_late_s, scene, began_s)
            assert late_s < PROMPT_S
            await asyncio.sleep(0.05)
            nothing_is_held(scene, router)

    asyncio.run(main())


def test_a_router_that_is_closed_ends_its_streams(scene: Scene):
    scene.provider.script("*", SLOW)
    with Router.open(scene.policies) as router:
        stream = router.stream("count", **WHO)
        next(stream)
        began_s = time.monotonic()
    assert closed_late_s(scene, began_s) < PROMPT_S
    assert {row.state for row in scene.rows()} == {"settled"}
    with pytest.raises(Exception, match="closed"):
        next(stream)


@pytest.mark.parametrize("closes", ["the router", "the stream"])
def test_closing_what_another_thread_reads_blames_no_provider(scene: Scene, closes: str):
    scene.provider.script("*", SLOW)
    seen: list[ev.Event] = []
    with Router.open(scene.policies, sinks=[seen.append]) as router:
        stream, caught = router.stream("count", **WHO), list[StreamBroken]()

        def read() -> None:
            try:
                list(stream)
            except StreamBroken as broken:
                caught.append(broken)

        reader = threading.Thread(target=read)
        reader.start()
        time.sleep(0.3)
        {"the router": router, "the stream": stream}[closes].close()
        reader.join()
    (broken,) = caught
    assert (broken.message, bool(broken.trace)) == (
        f"the stream of `{FIRST}` was closed while it was read",
        True,
    )
    assert broken.received[0]["message"]["content"].startswith("one")
    assert [type(each) for each in seen][-2:] == [ev.StreamClosed, ev.Settled]
    assert [(row.how, row.kind) for row in scene.rows()] == [("worst_case", None)]


@pytest.mark.parametrize("closes", ["the router", "the stream"])
def test_closing_what_another_task_reads_blames_no_provider(scene: Scene, closes: str):
    scene.provider.script("*", SLOW)
    seen: list[ev.Event] = []

    async def main() -> None:
        async with AsyncRouter.open(scene.policies, sinks=[seen.append]) as router:
            stream = await router.stream("count", **WHO)
            reader = asyncio.create_task(read_on(stream))
            await asyncio.sleep(0.3)
            await {"the router": router, "the stream": stream}[closes].close()
            with pytest.raises(StreamBroken, match="closed while it was read"):
                await reader

    asyncio.run(main())
    assert [type(each) for each in seen][-2:] == [ev.StreamClosed, ev.Settled]
    assert [(row.how, row.kind) for row in scene.rows()] == [("worst_case", None)]


Read = Callable[[AsyncStream], Awaitable[None]]


async def read_on(stream: AsyncStream) -> None:
    async for _ in stream:
        pass


async def cancelled(stream: AsyncStream) -> None:
    task = asyncio.create_task(read_on(stream))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def cancelled_in_a_row(stream: AsyncStream) -> None:
    task = asyncio.create_task(read_on(stream))
    await asyncio.sleep(0.1)
    for _ in range(4):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task


async def by_an_anyio_scope(stream: AsyncStream) -> None:
    with anyio.move_on_after(0.1) as scope:
        await read_on(stream)
    assert scope.cancelled_caught


async def by_asyncio_timeout(stream: AsyncStream) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await read_on(stream)


@pytest.mark.parametrize(
    "give_up",
    [cancelled, cancelled_in_a_row, by_an_anyio_scope, by_asyncio_timeout],
    ids=lambda way: way.__name__,
)
def test_a_stream_whose_reader_is_cancelled_leaves_nothing_open(scene: Scene, give_up: Read):
    scene.provider.script("*", SLOW)

    async def main() -> None:
        async with AsyncRouter.open(scene.policies) as router:
            stream = await router.stream("count", **WHO)
            await give_up(stream)
            gave_up_s = time.monotonic()
            assert await asyncio.to_thread(closed_late_s, scene, gave_up_s) < PROMPT_S
            await asyncio.sleep(0.05)
            nothing_is_held(scene, router)
            with pytest.raises(StreamBroken, match="before its end"):
                await anext(stream)
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert not others

    asyncio.run(main())


def test_many_streams_at_once_leave_nothing_behind(scene: Scene):
    scene.provider.script("*", Answer("one two three", chunk_s=0.01))

    async def main() -> None:
        async with AsyncRouter.open(scene.policies) as router:
            before = len(asyncio.all_tasks())
            streams = await asyncio.gather(*(router.complete(f"{n}", stream=True, **WHO) for n in range(30)))
            replies = await asyncio.gather(*(stream.reply() for stream in streams))
            assert {reply.text for reply in replies} == {"one two three"}
            async with asyncio.timeout(5.0):  # a loop ends what the collector finds in a task of its own
                while len(asyncio.all_tasks()) > before:
                    await asyncio.sleep(0.01)
            nothing_is_held(scene, router)

    asyncio.run(main())
