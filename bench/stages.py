"""Where the time of a decision goes: a clock looks at the stack a few thousand times a second, and notes the stage."""

import json
import signal
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from types import FrameType

from bench import scene
from bench.paths import fresh, one_by_one

PACKAGE = str(Path(__file__).resolve().parent.parent / "router")
LOOK_EVERY_S = 0.0003

STAGES = (
    ("checking the arguments", "client/ decide/params"),
    ("who calls: tenants, budgets, limits", "decide/scopes"),
    ("rules and the flat list", "decide/match decide/conditions decide/needs engine/routing"),
    (
        "counting input tokens",
        "adapters/tiktoken_ adapters/input_ adapters/token_ adapters/encodings adapters/known_",
    ),
    ("worst case and calendar windows", "decide/fit decide/estimate decide/reserve decide/windows"),
    ("state: limits, ledger, health", "adapters/sqlite_ adapters/memory_ adapters/accounts decide/sliding"),
    ("events", "engine/run events"),
    ("secrets, draws and clocks", "adapters/secrets adapters/draws adapters/clocks"),
    ("the scripted wire", "adapters/scripted_transport"),
    ("what comes next, and all between", "engine/ decide/ values plan"),
)
"""Each with the beginnings of the files it is in; the first that fits counts."""


def stage_of(frame: FrameType | None) -> str:
    """The stage of the innermost frame that is the router's."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(PACKAGE):
            inside = name[len(PACKAGE) + 1 :]
            return next((stage for stage, files in STAGES if inside.startswith(tuple(files.split()))), inside)
        frame = frame.f_back
    return "this benchmark"


def look(state: str, seconds: float) -> dict[str, object]:
    """Make calls for `seconds`; how often each stage was met."""
    from router import Router

    met: Counter[str] = Counter()
    with Router.open(scene.policies(scene.upstream_urls()), state=state, transport="fake") as router:
        calls = one_by_one(fresh(router.complete, partial(scene.router_arguments, scene.POLICY)))
        calls(50)
        signal.signal(signal.SIGALRM, lambda _, frame: met.update((stage_of(frame),)))
        signal.setitimer(signal.ITIMER_REAL, LOOK_EVERY_S, LOOK_EVERY_S)
        count, ends_s = 0, time.monotonic() + seconds
        while time.monotonic() < ends_s:
            count += len(calls(20))
        signal.setitimer(signal.ITIMER_REAL, 0)
    return {"calls": count, "looks": sum(met.values()), "met": dict(met)}


if __name__ == "__main__":
    print(json.dumps(look(sys.argv[1], float(sys.argv[2]))))
