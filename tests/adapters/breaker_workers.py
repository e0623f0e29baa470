"""A process that does to the breakers of a shared state what it is told, one line of standard input after the other."""

import json
import sys
from pathlib import Path

from router.adapters.breaker_texts import text_of
from router.adapters.clocks import SystemClock
from router.adapters.redis_state import RedisState
from router.adapters.sqlite_state import SqliteState
from router.decide.breaker import Asked, Breaker, Ended, Event, Probe
from router.plan import BreakerRule
from tests.adapters.states import NOW_S, PLACE, State, do


def state_at(place: str, name: str) -> State:
    if "://" in place:
        return RedisState(place, SystemClock(), name=name, server_time=False)
    return SqliteState(Path(place), SystemClock())


def event_of(what: str, at_s: float, id: str, failures: int) -> Event:
    rule = BreakerRule(failures=failures, within_s=1000.0, open_for_s=10.0, probes=2, place=PLACE)
    if what == "ask":
        return Asked(rule=rule, probe=Probe(id=id, until_s=NOW_S + at_s + 5), now_s=NOW_S + at_s)
    said = "failed" if what == "fail" else "answered"
    return Ended(rule=rule, said=said, sent_s=NOW_S + at_s, now_s=NOW_S + at_s, draw=0.0, probe=id)


def obey(state: State, *, model: str, what: str, at_s: float, id: str, failures: int, times: int) -> Breaker:
    """The breaker after that, or as it is read."""
    target = ("openai", model)
    for _ in range(times):
        if what != "read":
            last = do(state.health.turn(target, event_of(what, at_s, id, failures))).after
        else:
            last = do(state.health.read(targets=[target])).breakers.get(target, Breaker())
    return last


def main(place: str, name: str) -> None:
    state = state_at(place, name)
    for line in sys.stdin:
        sys.stdout.write(f"{text_of(obey(state, **json.loads(line)))}\n")
        sys.stdout.flush()
    do(state.aclose())


if __name__ == "__main__":
    main(*sys.argv[1:])
