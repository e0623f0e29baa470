"""From policies and choices to a plan and its ports. Every heavy adapter is imported here, when it is chosen."""

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import Any

from router.adapters.private_folder import STATE_FOLDER
from router.engine import Ports
from router.errors import PolicyError, Problem, RequestError
from router.events import Sink
from router.plan import Plan
from router.ports import Cache, Clock, Realm, Secrets, Transport
from router.values import SecretRef

STATE_NAME = "router"
SERVERS = ("redis", "rediss", "valkey", "valkeys", "unix")
MEMORY = "memory"
FULL = "?synchronous=full"
"""After the address of a SQLite file: what was written survives a power loss as well."""

TRANSPORTS = "write `litellm`, `fake` or `cassette:PATH`, as transport= or in ROUTER_TRANSPORT"
REALMS: Mapping[str, Realm] = {"litellm": "live", "cassette": "replay", "fake": "fake"}
"""The realm of each transport that ROUTER_TRANSPORT can name."""


def load_plan(
    policies: str | PathLike[str] | Mapping[str, Any] | Plan, *, frozen: bool = False
) -> tuple[Plan, tuple[Problem, ...]]:
    """The plan and its warnings, which are also logged; a Plan is taken as it is. Raises PolicyError with all problems
    if one is an error, as drift from the lock file is for a `frozen` router."""
    if isinstance(policies, Plan):
        return policies, ()
    from router.adapters.price_file import PriceFile
    from router.policy.load import load

    loaded = load(policies, PriceFile.load(), today=datetime.now(tz=UTC).date(), frozen=frozen)
    if loaded.plan is None:
        raise PolicyError(loaded.problems)
    for problem in loaded.warnings:
        logging.getLogger("router").warning("%s", problem)
    return loaded.plan, loaded.warnings


def build_ports(
    plan: Plan,
    *,
    suspends: bool,
    state: str | None,
    cache: str | PathLike[str] | None,
    transport: Transport | str | None,
    clock: Clock | None,
    sinks: tuple[Sink, ...] = (),
    secrets: Secrets | None = None,
) -> Ports:
    """The ports of one router; `suspends` says whether it runs on an event loop. Nothing is opened or imported yet
    that a first call would not need. Raises TypeError for a port that does not fit the mode."""
    from router.adapters.draws import SystemDraw
    from router.adapters.flights import LoopFlight, ThreadFlight
    from router.adapters.retry_counts import MemoryRetries
    from router.adapters.secrets import EnvSecrets
    from router.adapters.tiktoken_tokens import TiktokenTokens

    clock = clock or _system_clock(suspends=suspends)
    wire = _transport(transport, suspends=suspends, clock=clock)
    store = _state(plan, state_place(plan, state, realm=wire.realm), clock, wire.realm)
    ports = Ports(
        transport=wire,
        ledger=store.ledger,
        limiter=store.limiter,
        health=store.health,
        cache=_cache(cache_place(plan, cache, realm=wire.realm), clock),
        flight=LoopFlight() if suspends else ThreadFlight(),
        retries=MemoryRetries(),
        clock=clock,
        draw=SystemDraw(),
        tokens=TiktokenTokens(),
        secrets=secrets or EnvSecrets(folder=plan.folder),
        sinks=sinks,
    )
    _refuse_unfit(ports, suspends=suspends)
    return ports


def state_place(plan: Plan, state: str | None, *, realm: Realm | None = None) -> str:
    """`memory`, the address of a server, or the path of the SQLite file, with FULL where that is asked for: the
    argument, the setting, ROUTER_STATE, else beside the policies.

    What was not paid for has a file of its own, in a folder beside the one that is named; only the argument, which
    speaks for one router alone, is taken as it is. `realm` None: that of ROUTER_TRANSPORT."""
    written = state or _resolved(plan, plan.settings.state) or os.environ.get("ROUTER_STATE")
    if written is None:
        return str(_state_folder(plan, realm) / "state.db") if plan.folder else MEMORY
    place = _named_place(plan, str(written), from_plan=state is None and plan.settings.state is not None)
    if place is None:
        raise RequestError(
            f"`{written}` is no state store",
            help=f"write `memory`, `sqlite:///FILE`, `sqlite:///FILE{FULL}` or `redis://HOST:PORT`",
        )
    if state is not None or place == MEMORY or is_server(place):
        return place  # a server keeps each realm under a name of its own
    file = Path(place)
    return str(_apart(file.parent, realm) / file.name)


def _named_place(plan: Plan, chosen: str, *, from_plan: bool) -> str | None:
    """The place that a text names; None: it names none."""
    if chosen == MEMORY or is_server(chosen):
        return chosen
    scheme, separator, rest = chosen.partition(":///")
    path = rest.removesuffix(FULL)
    if scheme != "sqlite" or not separator or not path or "?" in path:
        return None
    return f"{_beside(plan, path, from_plan=from_plan)}{FULL if rest.endswith(FULL) else ''}"


def unused_state(plan: Plan) -> str | None:
    """The place in ROUTER_STATE, where the policies name another: theirs is the one that is used."""
    named, written = os.environ.get("ROUTER_STATE"), _resolved(plan, plan.settings.state)
    if not named or written is None:
        return None
    same = _named_place(plan, named, from_plan=False) == _named_place(plan, written, from_plan=True)
    return None if same else public(named)


def warn_of_unused_state(plan: Plan) -> None:
    """In the log: whoever sets ROUTER_STATE believes that it says where money is counted."""
    named = unused_state(plan)
    if named is not None:
        logging.getLogger("router").warning(
            "ROUTER_STATE names `%s`, which is not used: `settings.state` of the policies comes first "
            "(`state: {env: ROUTER_STATE}` there leaves it to the environment)",
            named,
        )


def state_source(plan: Plan) -> str:
    """In words, what says where the state is where no argument does."""
    named = unused_state(plan)
    if named is not None:
        return f"`settings.state` says so; ROUTER_STATE names {named}, which is not used"
    if plan.settings.state is not None:
        return "`settings.state` says so"
    if os.environ.get("ROUTER_STATE"):
        return "ROUTER_STATE says so"
    return "`settings.state`, or else ROUTER_STATE, name another"


def file_of(place: str) -> Path:
    """The SQLite file of a place of state that is neither memory nor a server."""
    return Path(place.removesuffix(FULL))


def cache_place(plan: Plan, cache: str | PathLike[str] | None, *, realm: Realm | None = None) -> str:
    """`memory`, the address of a server, or the folder of the cache. What was not paid for has a folder of its own, as
    with `state_place`; on a server the keys of its answers are its own."""
    if cache is not None:
        return _answers_place(os.fspath(cache))
    chosen = _resolved(plan, plan.settings.cache)
    if chosen is not None:
        if chosen == MEMORY or is_server(chosen):
            return chosen
        return str(_apart(_beside(plan, _answers_place(chosen), from_plan=True), realm))
    return str(_state_folder(plan, realm) / "cache") if plan.folder else MEMORY


def _answers_place(chosen: str) -> str:
    """`chosen`, where it is one that answers can be kept at: else `postgres://...` would be a folder of that name."""
    if "://" in chosen and not is_server(chosen):
        raise RequestError(
            f"`{chosen.partition('://')[0]}://` is no place for answers",
            help="write `memory`, a folder, or `redis://HOST:PORT`",
        )
    return chosen


def is_server(place: str) -> bool:
    """Whether a place of state or answers is the address of a Redis or Valkey server."""
    return place.partition("://")[0] in SERVERS and "://" in place


def public(place: str) -> str:
    """A place without the credentials in it."""
    scheme, separator, rest = place.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if separator and is_server(place) else place


def _resolved(plan: Plan, written: str | SecretRef | None) -> str | None:
    """What a setting says, or what it refers to."""
    if not isinstance(written, SecretRef):
        return written
    from router.adapters.secrets import EnvSecrets

    found = EnvSecrets(folder=plan.folder).get(written)
    if found is None:
        raise RequestError(
            f"`{written.name}` is not set, and {written.place} asks for it",
            help="set it, or write another place there",
        )
    return found


def _state_folder(plan: Plan, realm: Realm | None) -> Path:
    """`.router/` beside the policies folder, so that every process meets the same rows."""
    return _apart(Path(plan.folder).resolve().parent / STATE_FOLDER, realm)


def _apart(folder: Path, realm: Realm | None) -> Path:
    """The folder, or one of its own below it for what was not paid for. `realm` None: that of ROUTER_TRANSPORT."""
    realm = realm or REALMS.get((os.environ.get("ROUTER_TRANSPORT") or "litellm").partition(":")[0], "live")
    return folder if realm == "live" else folder / realm


def _beside(plan: Plan, path: str, *, from_plan: bool) -> Path:
    """A relative path in the files starts at their folder; one from elsewhere at the working directory."""
    return (Path(plan.folder or ".") / path).resolve() if from_plan else Path(path).resolve()


def _system_clock(*, suspends: bool) -> Clock:
    from router.adapters.clocks import AsyncClock, SystemClock

    return AsyncClock() if suspends else SystemClock()


def _state(plan: Plan, place: str, clock: Clock, realm: Realm) -> Any:
    if place == MEMORY:
        from router.adapters.memory_state import MemoryState

        return MemoryState()
    if is_server(place):
        from router.adapters.redis_state import RedisState

        name = STATE_NAME if realm == "live" else f"{STATE_NAME}-{realm}"
        return RedisState(place, clock, name=name, mark=_mark(plan, place, name))
    from router.adapters.sqlite_state import SqliteState

    return SqliteState(file_of(place), clock, full=place.endswith(FULL))


def _mark(plan: Plan, place: str, name: str) -> Path | None:
    """Where this host remembers how far it has seen a server's state come."""
    if not plan.folder:
        return None
    which = sha256(f"{public(place)} {name}".encode()).hexdigest()[:12]
    return _state_folder(plan, "live") / f"seen-{which}.json"


def _cache(place: str, clock: Clock) -> Cache:
    if place == MEMORY:
        from router.adapters.memory_cache import MemoryCache

        return MemoryCache()
    if is_server(place):
        from router.adapters.redis_cache import RedisCache

        return RedisCache(place, clock)
    from router.adapters.disk_cache import DiskCache

    return DiskCache(place)


def _transport(chosen: Transport | str | None, *, suspends: bool, clock: Clock) -> Transport:
    chosen = chosen or os.environ.get("ROUTER_TRANSPORT") or "litellm"
    if not isinstance(chosen, str):
        if not hasattr(chosen, "start"):
            raise RequestError(f"`{chosen!a}` is no transport", help=TRANSPORTS)
        return chosen
    name, _, path = chosen.partition(":")
    if name == "litellm" and not path:
        from router.adapters.lean_transport import LeanTransport

        return LeanTransport(suspends=suspends)
    if name == "fake" and not path:
        from router.adapters.scripted_transport import ScriptedTransport

        return ScriptedTransport(clock=clock)
    if name == "cassette" and path:
        from router.adapters.cassette_transport import CassetteTransport

        return CassetteTransport.replay(path, suspends=suspends)
    raise RequestError(f"`{chosen}` is no transport", help=TRANSPORTS)


def _refuse_unfit(ports: Ports, *, suspends: bool) -> None:
    """A suspending port would hang the sync engine; a blocking transport or clock would freeze a whole event loop."""
    names = ("transport", "ledger", "limiter", "health", "cache", "flight", "clock")
    states = {name: getattr(ports, name).suspends for name in names}
    if suspends:
        unfit = [name for name in ("transport", "clock") if not states[name]]
    else:
        unfit = [name for name in names if states[name]]
    if unfit:
        mode, verb = ("AsyncRouter", "blocks") if suspends else ("Router", "suspends")
        raise TypeError(f"the {unfit[0]} of this {mode} {verb}: give it one made for {mode}")
