"""What another process does while a test looks on and kills it: moving rows out of a state, again and again."""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from router.adapters.clocks import SystemClock
from router.adapters.redis_state import RedisState
from router.adapters.sqlite_state import SqliteState
from router.books.archive import archive
from router.plan import Plan, Settings
from tests.adapters.states import do
from tests.world import World

PLAN = Plan(
    digest="d",
    prices_digest="p",
    providers={},
    targets={},
    policies={},
    tenants={},
    settings=Settings(),
    folder="",
)


def main(place: str, name: str, folder: str) -> None:
    clock = SystemClock()
    state: Any = RedisState(place, clock, name=name) if name else SqliteState(place, clock)
    ports = replace(World(cast(Any, None)).ports, ledger=state.ledger, clock=clock)
    while True:
        do(archive(PLAN, ports, before=time.time() - 0.05, folder=Path(folder), rows_a_file=40))
        sys.stdout.write("moved\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
