"""Law 8: no secret leaves, and no content is in a log, event or metric."""

import copy
import io
import json
import logging
import pickle
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from router.adapters.clocks import ManualClock
from router.adapters.disk_cache import DiskCache
from router.adapters.scripted_transport import Fails, Says, ScriptedTransport, Step
from router.adapters.secrets import EnvSecrets
from router.adapters.sinks import event_json
from router.adapters.sqlite_state import SqliteState
from router.client.inline import run_inline
from router.engine import execute
from router.errors import RouterError, StreamBroken
from router.plan import CacheRule, Key
from router.ports import WireCall
from router.values import Kind, SecretRef
from tests.build import PLACE, plan, policy, provider
from tests.world import World

KEY = "sk-4f9a-never-to-be-seen-anywhere"
ASKED = "the patient is called Ermentrude"
SAID = "take two of Balthasar's pills"
REF = SecretRef(source="env", name="OPENAI_API_KEY", place=PLACE)

PLAN = replace(
    plan(policy("main", "openai/a", cache=CacheRule(ttl_s=60, sampled=True))),
    providers={"openai": provider("openai", keys=(Key(name=REF.name, secret=REF),))},
)


class NeedsKeys(ScriptedTransport):
    """A scripted wire that is given real keys, as the real one is."""

    needs_keys = True


def world_with_key(script: Step) -> World:
    world = World(PLAN, script)
    transport = NeedsKeys(script, clock=world.clock)
    world.transport = transport
    world.ports = replace(world.ports, transport=transport, secrets=EnvSecrets({REF.name: KEY}))
    return world


@pytest.fixture
def logged() -> Iterator[Callable[[], str]]:
    """All that any logger says during a test, at any level."""
    stream = io.StringIO()
    handler, root = logging.StreamHandler(stream), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream.getvalue
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("step", [Says(SAID), *(Fails(kind, status=500) for kind in Kind)], ids=str)
def test_neither_key_nor_content_is_in_any_event_log_error_or_row(
    step: Step, logged: Callable[[], str]
) -> None:
    world = world_with_key(step)
    error: RouterError | None = None
    try:
        world.call(ASKED)
    except RouterError as caught:
        error = caught
    assert world.transport.calls[0].api_key == KEY
    told = [json.dumps(event_json(event)) for event in world.seen]
    told += [repr(event) for event in world.seen]
    told += [repr(asdict(row)) for row in world.rows()]
    told += [logged(), repr(world.ports), repr(world.transport.calls)]
    if error is not None:
        told += [str(error), repr(error), repr(error.__dict__), str(pickle.dumps(error))]
    everything = "\n".join(told)
    assert KEY not in everything
    assert SAID not in everything
    assert ASKED not in "\n".join(each for each in told if not each.startswith("[WireCall"))


def test_no_key_is_in_what_is_kept_on_disk_and_no_content_in_the_ledger(tmp_path: Path) -> None:
    clock = ManualClock()
    state, cache = SqliteState(str(tmp_path / "state" / "s.db"), clock), DiskCache(str(tmp_path / "cache"))
    world = world_with_key(Says(SAID))
    ports = replace(world.ports, ledger=state.ledger, limiter=state.limiter, health=state.health, cache=cache)
    run_inline(execute(PLAN, ports, world.request(ASKED)))
    assert run_inline(execute(PLAN, ports, world.request(ASKED))).cached
    run_inline(state.aclose())
    run_inline(cache.aclose())
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert kept
    assert not [path for path, content in kept.items() if KEY.encode() in content]
    ledger = [content for path, content in kept.items() if path.parent.name == "state"]
    assert ledger
    assert not [content for content in ledger if SAID.encode() in content or b"Ermentrude" in content]


def test_a_call_does_not_show_its_key() -> None:
    call = WireCall(
        attempt="a", target="t", kind="openai", model="m", messages=(), params={}, timeout_s=1.0, api_key=KEY
    )
    assert KEY not in repr(call)
    assert call.api_key == KEY


@pytest.mark.parametrize("tell", [str, repr, pickle.dumps, lambda error: pickle.dumps(copy.copy(error))])
def test_what_a_broken_stream_had_received_stays_with_who_asks_for_it(
    tell: Callable[[object], object],
) -> None:
    error = StreamBroken("the stream ended without its end", received=SAID)
    assert error.received == SAID
    told = tell(error)
    assert SAID not in (told.decode("latin-1") if isinstance(told, bytes) else str(told))


@pytest.mark.parametrize("key", [KEY, "a_key_that_reads_like_a_code"])
def test_a_provider_that_repeats_the_key_is_not_repeated(key: str) -> None:
    import httpx

    from router.adapters.litellm_exchange import Exchange
    from router.adapters.wire_tasks import failed

    async def forward(request: httpx.Request) -> httpx.Response:
        raise AssertionError

    call = WireCall(
        attempt="a",
        target="openai/a",
        kind="openai",
        model="a",
        messages=(),
        params={},
        timeout_s=1.0,
        api_key=key,
    )
    exchange = Exchange(forward)
    exchange.sends = 1
    said = {"error": {"code": key, "type": key, "message": f"Incorrect API key provided: {key}"}}
    exchange.response = httpx.Response(401, json=said, request=httpx.Request("POST", "http://127.0.0.1/"))
    error = failed(ValueError(f"Incorrect API key provided: {key}"), exchange, call)
    assert error.kind is Kind.AUTH
    assert key not in "\n".join(_texts(error))


def _texts(error: BaseException) -> Iterator[str]:
    seen: BaseException | None = error
    while seen is not None:
        yield from (str(seen), repr(seen), repr(seen.args))
        seen = seen.__cause__
