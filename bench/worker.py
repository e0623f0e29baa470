"""A process that makes calls in blocks when it is told to: `python -m bench.worker ROLE`, spoken to in lines of JSON.

Every role has a process of its own, because litellm keeps its settings, callbacks and cache in globals: what its Router
or its cache registers there would slow down the calls that are measured beside them.
"""

import json
import os
import sys
import time
from typing import Any

from bench.paths import ROLES, Calls
from bench.peer_paths import PEER_ROLES
from bench.streams import STREAM_ROLES


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    with {**ROLES, **STREAM_ROLES, **PEER_ROLES}[sys.argv[1]]() as paths:
        answers.write(json.dumps({"paths": sorted(paths)}) + "\n")
        for line in sys.stdin:
            asked = json.loads(line)
            answers.write(json.dumps(_block(paths[asked["path"]], asked["calls"])) + "\n")


def _block(calls: Calls, count: int) -> dict[str, Any]:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    durations_s = calls(count)
    return {
        "durations_s": durations_s,
        "cpu_s": time.process_time() - cpu_s,
        "wall_s": time.perf_counter() - wall_s,
    }


if __name__ == "__main__":
    main()
