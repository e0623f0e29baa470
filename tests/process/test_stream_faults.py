"""Streams that go wrong on real HTTP: recorded ones cut at chosen bytes, and each other way a provider may fail.
Afterwards no reservation, permit, socket, task or thread is held, counted."""

import asyncio
import gc
import gzip
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from router import AsyncRouter, Reply, Router, StreamBroken
from router.client.inline import run_inline
from tests.process.raw_provider import RawProvider, Sent
from tests.process.scene import KEYS
from tests.recorded_cuts import SPARE_BODY, Recorded, recorded, said_by, verdict

pytestmark = [
    pytest.mark.usefixtures("warm", "keys"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),  # litellm's own models
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),  # the same
]

FILES = Path("/proc/self/fd")
SPARE_TEXT = "from the spare"
WHO: dict[str, Any] = {"policy": "main", "tenant": "acme"}


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**KEYS, "GEMINI_API_KEY": "made-up", "OPENROUTER_API_KEY": "made-up"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def provider() -> Iterator[RawProvider]:
    with RawProvider(Sent([SPARE_BODY])) as running:
        yield running


PRICE = {"input_per_million": "$1", "output_per_million": "$10"}
MODEL = {"price": PRICE, "context": "1M", "max_output": "8k"}
BASES = {"openai": "/v1", "openrouter": "/v1", "anthropic": "", "gemini": "/v1beta", "ollama": ""}


def policies(url: str, kind: str = "openai", model: str = "m", **timeout: str) -> dict[str, Any]:
    return {
        "version": 1,
        "providers": {
            "first": {"kind": kind, "base_url": f"{url}/first{BASES[kind]}", "models": {model: MODEL}},
            "spare": {"kind": "openai", "base_url": f"{url}/spare/v1", "models": {"m": MODEL}},
        },
        "policies": {
            "main": {
                "targets": [f"first/{model}", "spare/m"],
                "retry": "off",
                "ceiling": {"input_tokens": "10k", "output_tokens": "1k"},
                "timeout": {"total": "4m", "attempt": "2m", **timeout},
            }
        },
        "tenants": {
            "acme": {
                "policies": "all",
                "budget": {"per_day": "$90000"},
                "limits": {"concurrent_requests": 9},
            }
        },
    }


def held() -> Counter[str]:
    """What this process has open."""
    return Counter(
        descriptors=len(list(FILES.iterdir())) if FILES.is_dir() else 0,
        threads=sum(not each.name.startswith("asyncio_") for each in threading.enumerate()),
    )


@contextmanager
def nothing_left(provider: RawProvider) -> Iterator[None]:
    """What was open before is all that is open afterwards; the kernel and the other side are given a moment."""
    gc.collect()
    before = held()
    yield
    ends_s = time.monotonic() + 5.0
    while (held() != before or provider.open_now) and time.monotonic() < ends_s:
        gc.collect()
        time.sleep(0.01)
    assert (held(), provider.open_now) == (before, 0)


def settled(router: Router | AsyncRouter, rows: Sequence[Any], balances: Any, used: Any) -> None:
    assert {row.state for row in rows} <= {"settled"}
    assert {balance.reserved for balance in balances.values()} == {0}
    assert set(used.values()) == {0}


Outcome = Reply | StreamBroken


def read_sync(router: Router) -> Outcome:
    try:
        with router.stream("hi", **WHO) as stream:
            return stream.reply()
    except StreamBroken as broken:
        return broken


async def read(router: AsyncRouter) -> Outcome:
    try:
        async with router.stream("hi", **WHO) as stream:
            return await stream.reply()
    except StreamBroken as broken:
        return broken


def each_sync(written: dict[str, Any], provider: RawProvider, sent: Sequence[Sent]) -> list[Outcome]:
    with nothing_left(provider), Router.open(written, state="memory", cache="memory") as router:
        found = []
        for provider.sent in sent:
            found.append(read_sync(router))
        ledger, now_s = router.ports.ledger, router.ports.clock.now_s()
        rows, balances = run_inline(ledger.rows()), run_inline(ledger.all_balances())
        settled(router, rows, balances, run_inline(router.ports.limiter.used(limits(router), now_s=now_s)))
    return found


async def each_async(written: dict[str, Any], provider: RawProvider, sent: Sequence[Sent]) -> list[Outcome]:
    before = asyncio.all_tasks()
    async with AsyncRouter.open(written, state="memory", cache="memory") as router:
        found = []
        for provider.sent in sent:
            found.append(await read(router))
        ledger, now_s = router.ports.ledger, router.ports.clock.now_s()
        rows, balances = await ledger.rows(), await ledger.all_balances()
        settled(router, rows, balances, await router.ports.limiter.used(limits(router), now_s=now_s))
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before
    return found


def limits(router: Router | AsyncRouter) -> Any:
    return router.plan.tenants["acme"].limits


def both(written: dict[str, Any], provider: RawProvider, sent: Sequence[Sent]) -> list[list[Outcome]]:
    found = [each_sync(written, provider, sent)]
    with nothing_left(provider):
        found.append(asyncio.run(each_async(written, provider, sent)))
    return found


# --- Recorded streams, cut at chosen bytes ----------------------------------------------------------------------------

CUTS_EACH = 25
"""Of every format, sync and async: 200 in all."""


def chosen(whole: Recorded) -> list[int]:
    """The bytes around the ends of the events, then some by chance."""
    ends = [end for _, end, _ in whole.steps]
    near = [
        end + at
        for end in (ends[0], ends[len(ends) // 2], ends[-min(3, len(ends))], ends[-1])
        for at in (-3, 0, 1)
    ]
    chance = random.Random(7)
    return (near + [chance.randrange(len(whole.body)) for _ in range(CUTS_EACH)])[:CUTS_EACH]


@pytest.mark.recordings
@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini", "ollama"])
def test_recorded_streams_cut_at_chosen_bytes(recordings: Path, provider: RawProvider, name: str) -> None:
    whole = recorded(recordings, name)
    cuts = chosen(whole)
    kinds = [("close", True), ("close", False), ("reset", True)]
    headers = {"content-type": "application/x-ndjson" if name == "ollama" else "text/event-stream"}
    sent = [
        Sent([whole.body[:cut]], ending=kinds[at % 3][0], chunked=kinds[at % 3][1], headers=headers)  # type: ignore[arg-type]
        for at, cut in enumerate(cuts)
    ]
    call = whole.routed.call
    for outcomes in both(policies(provider.url, call.kind, call.model), provider, sent):
        told = Counter(
            verdict(whole, cut, each, lossy=True) for cut, each in zip(cuts, outcomes, strict=True)
        )
        assert told.total() == CUTS_EACH
        assert told["broken"] and told["elsewhere"], told  # noqa: PT018


# --- Each other way ---------------------------------------------------------------------------------------------------


def event(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    whole = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps({**whole, **more}, ensure_ascii=False).encode() + b"\n\n"


ROLE, ONE, TWO, THREE = (event(delta) for delta in (
    {"role": "assistant", "content": ""}, {"content": "one "}, {"content": "two "}, {"content": "thrée"},
))  # fmt: skip
END = event({}, "stop")
COUNTS = event({}, choices=[], usage={"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8})
DONE = b"data: [DONE]\n\n"
GOOD = (ROLE, ONE, TWO, THREE, END, COUNTS, DONE)
TEXT = "one two thrée"
ERROR = b'data: {"error": {"message": "overloaded", "type": "server_error", "code": null}}\n\n'
BAD = THREE.replace("é".encode(), b"\xff")
PACKED = gzip.compress(b"".join(GOOD))
GZIP = {"content-type": "text/event-stream", "content-encoding": "gzip"}


@dataclass(frozen=True)
class Fault:
    """`ends`: `whole`, `broken` with `text`, or `elsewhere`; `says`: a part of what StreamBroken says; `how` the
    usage of a whole one is known."""

    sent: Sent
    ends: str
    text: str = ""
    says: str = ""
    how: str = ""
    timeout: tuple[tuple[str, str], ...] = ()


FAULTS = {
    "good": Fault(Sent(GOOD), "whole", TEXT, how="reported"),
    "stall-first": Fault(
        Sent([ROLE], ending="hang"), "elsewhere", timeout=(("first_content", "300ms"),)
    ),
    "stall-later": Fault(
        Sent([ROLE, ONE], ending="hang"), "broken", "one ", "nothing more came", timeout=(("idle", "300ms"),)
    ),
    "drip": Fault(
        Sent([bytes([each]) for each in b"".join(GOOD)], after_s=0.0002), "whole", TEXT, how="reported"
    ),
    "drip-for-too-long": Fault(
        Sent([ROLE, ONE, *[TWO] * 50], after_s=0.05), "broken", "one two ", "longer than its",
        timeout=(("stream", "300ms"),),
    ),
    "error-first": Fault(Sent([ERROR, DONE]), "elsewhere"),
    "error-after-the-role": Fault(Sent([ROLE, ERROR, DONE]), "elsewhere"),
    "error-later": Fault(Sent([ROLE, ONE, ERROR, DONE]), "broken", "one "),
    "error-last": Fault(Sent([ROLE, ONE, TWO, THREE, ERROR, DONE]), "broken", TEXT),
    "error-behind-the-end": Fault(Sent([*GOOD[:-2], ERROR, DONE]), "whole", TEXT, how="counted"),
    "duplicated-piece": Fault(
        Sent([ROLE, ONE, TWO, TWO, *GOOD[3:]]), "whole", "one two two thrée", how="reported"
    ),
    "duplicated-end": Fault(Sent([*GOOD[:5], END, COUNTS, DONE]), "whole", TEXT, how="reported"),
    "invalid-utf8-first": Fault(Sent([ROLE, BAD, END, DONE]), "elsewhere"),
    "invalid-utf8-later": Fault(Sent([ROLE, ONE, BAD, END, DONE]), "broken", "one "),
    "gzip": Fault(Sent([PACKED], headers=GZIP), "whole", TEXT, how="reported"),
    "gzip-in-small-pieces": Fault(
        Sent([PACKED[at : at + 7] for at in range(0, len(PACKED), 7)], headers=GZIP), "whole", TEXT, how="reported"
    ),
    "not-gzip": Fault(Sent(GOOD, headers=GZIP), "elsewhere"),
    "no-end-mark": Fault(Sent([ROLE, ONE, TWO, THREE]), "broken", TEXT, "end"),
    "no-end-mark-but-done": Fault(Sent([ROLE, ONE, TWO, THREE, DONE]), "broken", TEXT, "end"),
    "nothing-behind-the-end": Fault(Sent(GOOD[:5]), "whole", TEXT, how="counted"),
    "empty": Fault(Sent([]), "elsewhere"),
    "only-done": Fault(Sent([DONE]), "elsewhere"),
    "no-frames": Fault(Sent([b"<html>", b"busy", b"</html>"]), "elsewhere"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_stream_that_goes_wrong_ends_as_the_page_says(provider: RawProvider, name: str) -> None:
    fault = FAULTS[name]
    for (outcome,) in both(policies(provider.url, **dict(fault.timeout)), provider, [fault.sent]):
        if fault.ends == "broken":
            assert isinstance(outcome, StreamBroken), outcome
            said = said_by(outcome.received).text
            assert (said and fault.text.startswith(said)) or said.startswith(fault.text)
            assert fault.says in str(outcome)
            assert fault.text.strip() not in str(outcome)
        else:
            assert isinstance(outcome, Reply), outcome
            wanted = (SPARE_TEXT, "spare/m") if fault.ends == "elsewhere" else (fault.text, "first/m")
            assert (outcome.text, outcome.target) == wanted
            assert outcome.usage.reported == (fault.ends == "elsewhere" or fault.how == "reported")
