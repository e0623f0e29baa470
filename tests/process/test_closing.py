"""A router that is closed, forgotten, or left behind at the end of the process keeps nothing and says nothing."""

import asyncio
import gc
import importlib.util
import logging
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from router import AsyncRouter, DeadlineExceeded, RequestError, Router
from router.testing import Answer, NeverAnswer, RateLimited
from tests.process.scene import CHECKOUT, FIRST, WHO, Scene, begin, closed, ended, output

pytestmark = pytest.mark.usefixtures("warm")

KEPT = {**WHO, "policy": "kept"}  # its answers go into the cache on disk
PROMPT_S = 8.0
"""Less than any wait of these calls, and enough for an interpreter to end on a busy machine."""


def held() -> tuple[Counter[str], list[str]]:
    """Open files and sockets of this process by what they are, and its threads."""
    found: Counter[str] = Counter()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that listed them
            found[str(descriptor.readlink()).partition(":")[0]] += 1
    return found, sorted(thread.name for thread in threading.enumerate())


def more_than(before: tuple[Counter[str], list[str]], timeout_s: float = 3.0) -> tuple[Any, Any]:
    """What is held beyond `before`; the fake provider closes its ends of the sockets a moment later."""
    ends_s = time.monotonic() + timeout_s
    while True:
        files, threads = held()
        beyond = files - before[0], Counter(threads) - Counter(before[1])
        if not any(beyond) or time.monotonic() > ends_s:
            return beyond
        time.sleep(0.02)


def sync_use(scene: Scene) -> None:
    with Router.open(scene.policies) as router:
        router.complete("hello", **KEPT)
        assert "router-wire" in held()[1]
        with pytest.raises(DeadlineExceeded):
            router.complete("never", timeout=0.1, **WHO)


def async_use(scene: Scene) -> None:
    async def main() -> None:
        async with AsyncRouter.open(scene.policies) as router:
            await router.complete("hello", **KEPT)
            with pytest.raises(DeadlineExceeded):
                await router.complete("never", timeout=0.1, **WHO)

    asyncio.run(main())


def sync_forgotten(scene: Scene) -> None:
    router = Router.open(scene.policies)
    router.complete("hello", **KEPT)
    with pytest.raises(DeadlineExceeded):
        router.complete("never", timeout=0.1, **WHO)


def async_forgotten(scene: Scene) -> None:
    async def main() -> None:
        router = AsyncRouter.open(scene.policies)
        await router.complete("hello", **KEPT)
        with pytest.raises(DeadlineExceeded):
            await router.complete("never", timeout=0.1, **WHO)

    asyncio.run(main())


def forgotten_within_a_loop(scene: Scene) -> None:
    async def main() -> None:
        await AsyncRouter.open(scene.policies).complete("hello", **KEPT)
        gc.collect()
        await asyncio.sleep(0.05)

    asyncio.run(main())


USES = [sync_use, async_use, sync_forgotten, async_forgotten, forgotten_within_a_loop]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
def test_nothing_is_left_behind(
    scene: Scene, use: Callable[[Scene], None], temporary: Path, caplog: pytest.LogCaptureFixture
):
    scene.provider.script("*", [Answer("hello"), NeverAnswer()])
    before = held()
    use(scene)
    gc.collect()
    assert more_than(before) == (Counter(), Counter())
    assert list(temporary.iterdir()) == []
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    left = sorted(str(path.relative_to(scene.state.parent)) for path in scene.state.parent.rglob("*"))
    assert left == [".gitignore", "cache", "cache/cache.db", "state.db"], (
        "a connection that is open keeps a log beside its file"
    )


def test_closing_twice_is_closing_once(scene: Scene):
    router = Router.open(scene.policies)
    router.complete("hello", **WHO)
    router.close()
    before = held()
    router.close()
    assert more_than(before) == (Counter(), Counter())

    async def main() -> None:
        router = AsyncRouter.open(scene.policies)
        await router.complete("hello", **WHO)
        await router.close()
        await router.close()

    asyncio.run(main())


def test_a_router_may_be_closed_unused(scene: Scene):
    with Router.open(scene.policies):
        pass
    assert not scene.state.exists()


def test_a_closed_router_says_so_and_opens_nothing_again(scene: Scene):
    with Router.open(scene.policies) as router:
        router.complete("hello", **WHO)
    before = held()
    with pytest.raises(RequestError, match="this router is closed"):
        router.complete("again", **WHO)
    assert more_than(before) == (Counter(), Counter())

    async def main() -> None:
        async with AsyncRouter.open(scene.policies) as router:
            await router.complete("hello", **WHO)
        with pytest.raises(RequestError, match="this router is closed"):
            await router.complete("again", **WHO)

    asyncio.run(main())
    assert len(scene.rows()) == 2


def test_calls_of_other_threads_end_when_their_router_is_closed(scene: Scene):
    scene.provider.script("*", NeverAnswer())
    router, before = Router.open(scene.policies), held()
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(router.complete, f"hello {n}", **WHO) for n in range(4)]
        scene.provider.wait_for(lambda requests: len(requests) == 4)
        began_s = time.monotonic()
        router.close()
        errors = [call.exception(timeout=PROMPT_S) for call in calls]
        assert time.monotonic() - began_s < PROMPT_S
    assert [(type(error), str(error).partition("\n")[0]) for error in errors] == [
        (RequestError, "this router was closed during the call")
    ] * 4
    scene.provider.wait_for(closed)
    assert {(row.state, row.how) for row in scene.rows()} == {("settled", "worst_case")}
    assert scene.permits(router.plan.tenants["acme"].limits) == 0
    assert more_than(before) == (Counter(), Counter())


def test_a_call_that_waits_for_its_retry_ends_as_well_when_its_router_is_closed(scene: Scene):
    scene.provider.script(FIRST, [RateLimited(retry_after=0.4), NeverAnswer()])
    router = Router.open(scene.policies)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(router.complete, "hello", **{**WHO, "policy": "patient"})
        scene.provider.wait_for(lambda requests: len(requests) == 1 and requests[0].finished_at_s is not None)
        time.sleep(0.1)
        router.close()
        assert isinstance(call.exception(timeout=PROMPT_S), RequestError)
    assert [request.closed_by_client for request in scene.provider.requests[1:]] in ([], [True])
    assert {row.state for row in scene.rows()} == {"settled"}
    assert "router-wire" not in held()[1]


def test_calls_of_other_tasks_end_when_their_router_is_closed(scene: Scene):
    scene.provider.script("*", NeverAnswer())

    async def main() -> list[Any]:
        router = AsyncRouter.open(scene.policies)
        calls = [asyncio.create_task(router.complete(f"hello {n}", **WHO)) for n in range(4)]
        await asyncio.to_thread(scene.provider.wait_for, lambda requests: len(requests) == 4)
        async with asyncio.timeout(PROMPT_S):
            await router.close()
            return await asyncio.gather(*calls, return_exceptions=True)

    errors = asyncio.run(main())
    assert [str(error).partition("\n")[0] for error in errors] == [
        "this router was closed during the call"
    ] * 4
    scene.provider.wait_for(closed)
    assert {(row.state, row.how) for row in scene.rows()} == {("settled", "worst_case")}


# --- the end of the process


def test_a_process_ends_at_once_and_in_silence_with_calls_under_way(scene: Scene):
    scene.provider.script("*", NeverAnswer())
    process = begin("left_open.py", scene.policies)
    scene.provider.wait_for(lambda requests: len(requests) == 3, timeout_s=60.0)
    began_s = time.monotonic()
    assert ended(process, "end\n") == (0, "left", "")
    assert time.monotonic() - began_s < PROMPT_S
    scene.provider.wait_for(closed)


def test_neither_a_deadline_nor_the_end_of_a_process_waits_for_litellm(scene: Scene, tmp_path: Path):
    """A litellm that takes a minute to import stands for a machine that takes seconds."""
    slow = slow_litellm(tmp_path)
    began_s = time.monotonic()
    told = output("slow_import.py", scene.policies, PYTHONPATH=f"{slow}{os.pathsep}{CHECKOUT}")
    assert time.monotonic() - began_s < 30.0
    assert told.splitlines() == ["DeadlineExceeded", "DeadlineExceeded", "left"]
    assert scene.provider.requests == ()
    assert scene.rows() == []


def slow_litellm(folder: Path) -> Path:
    """A `litellm` whose import takes a minute, with the data files of the real one."""
    spec = importlib.util.find_spec("litellm")
    assert spec is not None
    assert spec.submodule_search_locations
    real, package = Path(next(iter(spec.submodule_search_locations))), folder / "slow" / "litellm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("import time\n\ntime.sleep(60)\n", encoding="utf-8")
    for name in ("model_prices_and_context_window_backup.json", "litellm_core_utils"):
        (package / name).symlink_to(real / name)
    return package.parent
