"""What a fresh process costs, in one line of JSON: `python -m bench.probe WHAT`. Times in seconds, memory in bytes."""

import json
import os
import resource
import sys
import time
from pathlib import Path

from bench import scene

CACHED = 1_000


def resident_bytes() -> int:
    """Memory of this process now; where the system does not tell, the most that it ever was."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def import_of(module: str) -> dict[str, float]:
    began_s = time.perf_counter()
    __import__(module)
    return {"import_s": time.perf_counter() - began_s, "resident_bytes": resident_bytes()}


def router_memory() -> dict[str, int]:
    """After each step of a router's life, in one process; litellm comes with the first call on its wire."""
    steps = {"python": resident_bytes()}
    import router

    steps["import router"] = resident_bytes()
    plan = scene.policies(scene.upstream_urls())
    with router.Router.open(plan, state="memory", cache="memory", transport="fake") as idle:
        steps["Router.open"] = resident_bytes()
        idle.complete(**scene.router_arguments(scene.POLICY))
        steps["first call, scripted wire"] = resident_bytes()
        for number in range(CACHED):
            idle.complete(**scene.router_arguments(scene.KEPT_POLICY, number=number))
        steps[f"idle with {CACHED:,} cached answers"] = resident_bytes()
    with router.Router.open(plan, state="memory", cache="memory") as wired:
        wired.complete(**scene.router_arguments(scene.POLICY))
        steps["first call, litellm's wire"] = resident_bytes()
    return steps


def litellm_memory() -> dict[str, int]:
    steps = {"python": resident_bytes()}
    import litellm

    steps["import litellm"] = resident_bytes()
    litellm.completion(**scene.litellm_wire(scene.upstream_urls()), **scene.litellm_arguments())
    steps["first call"] = resident_bytes()
    return steps


if __name__ == "__main__":
    what, *more = sys.argv[1:]
    probes = {"import": import_of, "router-memory": router_memory, "litellm-memory": litellm_memory}
    print(json.dumps(probes[what](*more)))
