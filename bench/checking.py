"""What `check` costs beside its own libraries, and calls beside many policies: `python -m bench.checking WHAT ...`."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.folder import write_folder
from bench.processes import ROOT
from bench.timing import MIN_ROUNDS

Found = dict[str, list[float]]
"""Seconds by path, one for each round."""

SCHEMA = ROOT / "schemas" / "router.schema.json"

LOADED = """
import sys
sys.argv = ["router", "check", "policies"]
from router.cli import main
try:
    main()
except SystemExit:
    pass
print(*(name for name, module in list(sys.modules.items()) if getattr(module, "__spec__", None)))
"""
"""Says which modules the command has loaded when it ends."""


def folder(policies: str, tenants: str, seconds: str) -> Found:
    """A large folder: read and validated by the libraries alone, checked by the router, its form alone."""
    with TemporaryDirectory() as where:
        path = Path(where) / "policies"
        write_folder(path, policies=int(policies), tenants=int(tenants))
        return _in_turn(_ways(path), float(seconds))


def _ways(path: Path) -> Mapping[str, Callable[[], None]]:
    """The libraries are used as anyone would: the C loader, and a validator of the schema as it is shipped."""
    import jsonschema
    import yaml

    from router.adapters.price_file import PriceFile
    from router.policy.load import load, policy_files, read_file
    from router.policy.schema import formed

    validator = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    prices = PriceFile.load()

    def libraries() -> None:
        for file in policy_files(path):
            value = yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)
            assert not list(validator.iter_errors(value))

    def form() -> None:
        reads = [read_file(file) for file in policy_files(path)]
        assert all(read.document and not formed(read.document).problems for read in reads)

    def check() -> None:
        assert not load(path, prices).errors

    return {
        "PyYAML's C loader and jsonschema alone": libraries,
        "check": check,
        "check: reading and form": form,
    }


def _in_turn(ways: Mapping[str, Callable[[], None]], seconds: float) -> Found:
    """Rounds of every way, each beginning with another; the first is not counted."""
    names, rounds = list(ways), -1
    found: Found = {name: [] for name in names}
    ends_s = time.monotonic() + seconds
    while rounds < MIN_ROUNDS or time.monotonic() < ends_s:
        first = rounds % len(names)
        for name in (*names[first:], *names[:first]):
            began_s = time.perf_counter()
            ways[name]()
            if rounds >= 0:
                found[name].append(time.perf_counter() - began_s)
        rounds += 1
    return found


CALLS = 50
FEW_POLICIES, FEW_TENANTS = 3, 101


def calls(policies: str, tenants: str, seconds: str) -> Found:
    """The same calls by a router of a few policies and tenants and by one of many, on a wire that answers at once."""
    with TemporaryDirectory() as few, TemporaryDirectory() as many:
        sizes = {few: (FEW_POLICIES, FEW_TENANTS), many: (int(policies), int(tenants))}
        ways = {
            f"{CALLS} calls among {sizes[where][0]} policies and {sizes[where][1]} tenants": _calls(
                Path(where) / "policies", *sizes[where]
            )
            for where in sizes
        }
        return _in_turn(ways, float(seconds))


def _calls(path: Path, policies: int, tenants: int) -> Callable[[], None]:
    """By one tenant of one policy, which cost the same in both."""
    from router import Router
    from router.testing import ManualClock, Says, ScriptedTransport

    write_folder(path, policies=policies, tenants=tenants)
    clock = ManualClock()
    wire = ScriptedTransport(Says("x"), clock=clock)
    router = Router.open(path, transport=wire, clock=clock, state="memory", cache="memory")
    tenant = next(name for name in router.plan.tenants if name.count("/") == 2)
    numbers = count()

    def run() -> None:
        clock.advance(3_600.0)  # into fresh windows of the tenant's limits
        for number in islice(numbers, CALLS):
            router.complete(f"question {number}", policy="policy-0", tenant=tenant, user="ann", session="s")

    return run


def command(seconds: str) -> Found:
    """`router check policies` from start to end, and a process that imports what it had imported by its end."""
    asked = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = [name for name in asked.stdout.splitlines()[-1].split() if name != "__main__"]
    imports = f"import importlib\nfor name in {names}: importlib.import_module(name)"
    ways = {
        "importing what it imports": ["-c", imports],
        "router check policies": ["-m", "router", "check", "policies"],
        "python, doing nothing": ["-c", "pass"],
    }
    return _in_turn({name: _process(arguments) for name, arguments in ways.items()}, float(seconds))


def _process(arguments: list[str]) -> Callable[[], None]:
    def run() -> None:
        subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)

    return run


if __name__ == "__main__":
    what, *more = sys.argv[1:]
    print(json.dumps({"folder": folder, "calls": calls, "command": command}[what](*more)))
