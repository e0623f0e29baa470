"""What a call costs, beside litellm. Loopback only; under three minutes, with `--quick` under half of one."""

import argparse
import json
import sys
import time
from pathlib import Path

from bench.burst import burst
from bench.ledger import ledger, long_files
from bench.paths import ROLES
from bench.peers import peers
from bench.processes import upstream, workers
from bench.report import as_json, as_text, machine
from bench.sections import SECTIONS, Run, Table
from bench.streams import streams

ROLES_OF = {
    "async": ("router", "litellm", "litellm-router"),
    "at_once": ("router", "litellm", "litellm-router"),
    "sync": ("router", "litellm", "litellm-router"),
    "cache": ("router", "litellm-cache"),
    "decision": ("router",),
}


MORE = {"ledger": ledger, "long_files": long_files, "burst": burst, "streams": streams, "peers": peers}
"""Sections that run only where they are named."""


def main() -> None:
    chosen = _arguments()
    began_s, about = time.monotonic(), {"machine": machine()}
    needed = {role for name in chosen.sections for role in ROLES_OF.get(name, ())}
    tables: list[Table] = []
    with upstream() as environment, workers([role for role in ROLES if role in needed], environment) as ready:
        run = Run(
            workers=ready,
            environment=environment,
            seconds=chosen.seconds,
            calls=chosen.calls,
            repeats=chosen.repeats,
            rows=chosen.rows,
        )
        for name in chosen.sections:
            print(f"{time.monotonic() - began_s:5.1f} s  {name} ...", file=sys.stderr)
            found: Table | list[Table] = {**SECTIONS, **MORE}[name](run)
            tables += found if isinstance(found, list) else [found]
    about |= {"took_s": time.monotonic() - began_s, "seconds": chosen.seconds, "calls_a_block": chosen.calls}
    print(as_text(about, tables))
    if chosen.json:
        chosen.json.write_text(json.dumps(as_json(about, tables), indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure here")
    parser.add_argument("--seconds", type=float, help="how long a section measures (default 15, quick 0.5)")
    parser.add_argument("--calls", type=int, help="calls a block (default 50, quick 10)")
    parser.add_argument(
        "--repeats", type=int, help="fresh processes of each kind at most (default 5, quick 1)"
    )
    parser.add_argument(
        "--rows", type=int, help="rows of the long file of `long_files` (default 1000000, quick 1000)"
    )
    parser.add_argument(
        "--sections", nargs="+", choices=[*SECTIONS, *MORE], default=list(SECTIONS), metavar="NAME"
    )
    chosen = parser.parse_args()
    for name, usual, quick in (
        ("seconds", 15.0, 0.5),
        ("calls", 50, 10),
        ("repeats", 5, 1),
        ("rows", 1_000_000, 1_000),
    ):
        if getattr(chosen, name) is None:
            setattr(chosen, name, quick if chosen.quick else usual)
    return chosen


if __name__ == "__main__":
    main()
