"""Streams that go wrong on real HTTP: recorded ones cut at chosen bytes, and each other way a provider may fail.
Afterwards no reservation, permit, socket, task or thread is held, counted."""

import asyncio
import gc
import gzip
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
from tests.process.stream_formats import FORMATS, WORDS, Format
from tests.recorded_cuts import SPARE_BODY, Recorded, recorded, said_by, verdict

pytestmark = [
    pytest.mark.usefixtures("warm", "keys"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),  # litellm's own models
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),  # the same
]

FILES = Path("/proc/self/fd")
POOLS = ("asyncio_", "aws-signing_")
"""Threads that Python and litellm keep for the whole process."""
SPARE_TEXT = "from the spare"
WHO: dict[str, Any] = {"policy": "main", "tenant": "acme"}


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    more = (
        "GEMINI_API_KEY",
        "OPENROUTER_API_KEY",
        "COHERE_API_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    )
    for name, value in {**KEYS, **dict.fromkeys(more, "made-up")}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def provider() -> Iterator[RawProvider]:
    with RawProvider(Sent([SPARE_BODY])) as running:
        yield running


PRICE = {"input_per_million": "$1", "output_per_million": "$10"}
MODEL = {"price": PRICE, "context": "1M", "max_output": "8k"}
BASES = {"openrouter": "/v1", **{each.kind: each.path for each in FORMATS.values()}}


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
        threads=sum(not each.name.startswith(POOLS) for each in threading.enumerate()),
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


def read_sync(router: Router, policy: str = "main") -> Outcome:
    try:
        with router.stream("hi", **{**WHO, "policy": policy}) as stream:
            return stream.reply()
    except StreamBroken as broken:
        return broken


async def read(router: AsyncRouter, policy: str = "main") -> Outcome:
    try:
        async with router.stream("hi", **{**WHO, "policy": policy}) as stream:
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


@dataclass(frozen=True)
class Fault:
    """`ends`: `whole`, `broken` with `text`, or `elsewhere`; `says`: a part of what StreamBroken says; `counted`: the
    usage of a whole one was not told."""

    sent: Sent
    ends: str
    text: str = ""
    says: str = ""
    counted: bool = False
    policy: str = "main"


HURRIES = {
    "main": {},
    "begins": {"first_content": "300ms"},
    "goes-on": {"idle": "300ms"},
    "ends": {"stream": "300ms"},
}
"""The policies, by what of a stream they have no patience for."""

PAGE = {"content-type": "text/html; charset=utf-8"}
TEXT = "".join(WORDS)


def faults(form: Format) -> dict[str, Fault]:
    """Each way a provider may fail in this format, and what the page says of it."""
    first, one, two, three = form.opening, *map(form.words, WORDS)
    end, behind, error = form.end, form.behind, form.error
    good, bad = b"".join(form.good()), three.replace("é".encode(), b"\xff")
    packed, gzipped = gzip.compress(good), {**form.headers, "content-encoding": "gzip"}
    in_sevens = [packed[at : at + 7] for at in range(0, len(packed), 7)]
    dripped = [good[at : at + 2] for at in range(0, len(good), 2)]

    def of(*pieces: bytes, **more: Any) -> Sent:
        return Sent(pieces, **{"headers": form.headers, **more})

    found = {
        "good": Fault(of(*form.good()), "whole", TEXT),
        "stall-first": Fault(of(first, ending="hang"), "elsewhere", policy="begins"),
        "stall-later": Fault(
            of(first, one, ending="hang"), "broken", "one ", "nothing more came", policy="goes-on"
        ),
        "drip": Fault(of(*dripped, after_s=0.0001), "whole", TEXT),
        "drip-for-too-long": Fault(
            of(first, one, *[two] * 50, after_s=0.05), "broken", "one two ", "longer than its", policy="ends"
        ),
        "error-first": Fault(of(error), "elsewhere"),
        "error-after-the-opening": Fault(of(first, error, form.done), "elsewhere"),
        "error-later": Fault(of(first, one, error, form.done), "broken", "one "),
        "error-last": Fault(of(first, one, two, three, error, form.done), "broken", TEXT),
        "error-behind-the-end": Fault(
            of(first, one, two, three, end, error, form.done), "whole", TEXT, counted=form.counts_behind
        ),
        "duplicated-piece": Fault(of(first, one, two, two, three, end, behind), "whole", "one two two thrée"),
        "duplicated-end": Fault(of(first, one, two, three, end, end, behind), "whole", TEXT),
        "invalid-utf8-first": Fault(of(first, bad, end, behind), "elsewhere"),
        "invalid-utf8-later": Fault(of(first, one, bad, end, behind), "broken", "one "),
        "line-separators": Fault(
            of(first, form.words("one\u2028two\u2029thr"), form.words("\u0085ée"), end, behind),
            "whole",
            "one\u2028two\u2029thr\u0085ée",
        ),
        "gzip": Fault(of(packed, headers=gzipped), "whole", TEXT),
        "gzip-in-small-pieces": Fault(of(*in_sevens, headers=gzipped), "whole", TEXT),
        "not-gzip": Fault(of(good, headers=gzipped), "elsewhere"),
        "closed-before-its-content": Fault(of(first, ending="close"), "elsewhere"),
        "closed-early": Fault(of(first, one, two, b"", after_s=0.03, ending="close"), "broken", "one two "),
        "reset-early": Fault(of(first, one, two, b"", after_s=0.03, ending="reset"), "broken", "one two "),
        "no-end-mark": Fault(of(first, one, two, three), "broken", TEXT, "end"),
        "nothing-behind-the-end": Fault(
            of(first, one, two, three, end), "whole", TEXT, counted=form.counts_behind
        ),
        "empty": Fault(of(), "elsewhere"),
        "a-page": Fault(of(b"<html>", b"busy", b"</html>", headers=PAGE), "elsewhere"),
        "no-frames": Fault(of(b"<html>", b"busy", b"</html>"), "elsewhere"),
    }
    if form.done:
        found["no-end-mark-but-done"] = Fault(of(first, one, two, three, form.done), "broken", TEXT, "end")
        found["only-done"] = Fault(of(form.done), "elsewhere")
    return found


@pytest.mark.parametrize("kind", FORMATS)
def test_a_stream_that_goes_wrong_ends_as_the_page_says(provider: RawProvider, kind: str) -> None:
    form = FORMATS[kind]
    with nothing_left(provider):
        assert dict(told_sync(form, provider)) == {}


@pytest.mark.parametrize("kind", FORMATS)
def test_and_so_on_an_event_loop(provider: RawProvider, kind: str) -> None:
    with nothing_left(provider):
        assert asyncio.run(told_async(FORMATS[kind], provider)) == {}


def told_sync(form: Format, provider: RawProvider) -> Iterator[tuple[str, str]]:
    """What is not as it should be, by fault: how the stream ends, or what is left of it."""
    with Router.open(hurried(form, provider.url), state="memory", cache="memory") as router:
        before = None
        for name, fault in faults(form).items():
            provider.sent = fault.sent
            outcome = read_sync(router, fault.policy)
            left = run_inline(left_of(router))
            ends_s = time.monotonic() + 5.0
            while (provider.open_now or (before and held() != before)) and time.monotonic() < ends_s:
                time.sleep(0.002)
            before = before or held()  # of the first, which is a good one: a pool, and a thread for it
            if wrong := [*missed(fault, outcome), *left, *differences(before, provider)]:
                yield name, "; ".join(wrong)


async def told_async(form: Format, provider: RawProvider) -> dict[str, str]:
    found, before, tasks = {}, None, asyncio.all_tasks()
    async with AsyncRouter.open(hurried(form, provider.url), state="memory", cache="memory") as router:
        for name, fault in faults(form).items():
            provider.sent = fault.sent
            outcome = await read(router, fault.policy)
            left = await left_of(router)
            ends_s = time.monotonic() + 5.0
            while time.monotonic() < ends_s and (
                provider.open_now or asyncio.all_tasks() != tasks or (before and held() != before)
            ):
                await asyncio.sleep(0.002)
            before = before or held()
            left += [f"the task {each} goes on" for each in asyncio.all_tasks() - tasks]
            if wrong := [*missed(fault, outcome), *left, *differences(before, provider)]:
                found[name] = "; ".join(wrong)
    return found


def hurried(form: Format, url: str) -> dict[str, Any]:
    """The policies of `HURRIES`, for streams of this format."""
    written = policies(url, form.kind, form.model)
    main = written["policies"]["main"]
    for name, timeout in HURRIES.items():
        written["policies"][name] = {**main, "timeout": {**main["timeout"], **timeout}}
    if form.kind == "bedrock":
        written["providers"]["first"]["region"] = "us-east-1"
    return written


async def left_of(router: Router | AsyncRouter) -> list[str]:
    """What the stores still hold."""
    ports = router.ports
    rows, balances = await ports.ledger.rows(), await ports.ledger.all_balances()
    used = await ports.limiter.used(limits(router), now_s=ports.clock.now_s())
    return [
        *(f"a row is {row.state}" for row in rows if row.state != "settled"),
        *(f"{each.reserved} reserved" for each in balances.values() if each.reserved),
        *(f"{each} permits held" for each in used.values() if each),
    ]


def differences(before: Counter[str], provider: RawProvider) -> Iterator[str]:
    now = held()
    if now != before:
        yield f"open are {now}, before there were {before}"
    if provider.open_now:
        yield f"{provider.open_now} connections are open"


def missed(fault: Fault, outcome: Outcome) -> Iterator[str]:
    """In what the end of a stream is not what is expected of it."""
    if fault.ends == "broken":
        if not isinstance(outcome, StreamBroken):
            yield f"not broken, but {outcome.text!r} of {outcome.target}"
            return
        said = said_by(outcome.received).text
        if not said or not (fault.text.startswith(said) or said.startswith(fault.text)):
            yield f"received {said!r}"
        if fault.says not in str(outcome) or (fault.text and fault.text.strip() in str(outcome)):
            yield f"it says {outcome}"
        return
    if not isinstance(outcome, Reply):
        yield f"broken: {outcome}, received {said_by(outcome.received).text!r}"
        return
    wanted = (SPARE_TEXT, "spare") if fault.ends == "elsewhere" else (fault.text, "first")
    if (outcome.text, outcome.target.partition("/")[0]) != wanted:
        yield f"{outcome.text!r} of {outcome.target}"
    if outcome.usage.reported == fault.counted:
        yield f"usage {outcome.usage}"
