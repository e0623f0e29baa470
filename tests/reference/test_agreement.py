"""The engine agrees with the interpreter, over whole policy sets and everything that may happen to their calls.

1,200 worlds by default (some seconds); REFERENCE_WORLDS=100000 in the environment makes it as many.
A disagreement names its seed: `make_world(seed)` has the document, the calls and the script.
"""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reference import router_side
from tests.reference.interpreter import interpreter
from tests.reference.worlds import make_world

WORLDS = int(os.environ.get("REFERENCE_WORLDS", "1200"))
BATCHES = 10
INTERPRETER = Path(__file__).parent / "interpreter"


def disagreements(seed: int) -> Iterator[str] | None:
    """None where the document of this world does not load."""
    world = make_world(seed)
    try:
        theirs = router_side.run(world)
    except router_side.NotAccepted:
        return None
    pairs = enumerate(zip(interpreter.run(world), theirs, strict=True))
    return (
        f"world {seed}, call {number}: {found}"
        for number, (mine, its) in pairs
        for found in router_side.disagreements(mine, its)
    )


@pytest.mark.parametrize("batch", range(BATCHES))
def test_the_engine_does_what_the_interpreter_reads_in_the_language(batch: int) -> None:
    met = [disagreements(seed) for seed in range(batch, WORLDS, BATCHES)]
    accepted = [found for found in met if found is not None]
    assert [line for found in accepted for line in found][:5] == []
    assert len(accepted) > len(met) / 3, "too few of the documents load to say anything"


@pytest.mark.parametrize("module", sorted(INTERPRETER.glob("*.py")), ids=lambda path: path.stem)
def test_the_interpreter_shares_no_code_with_the_router(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in imported if name.partition(".")[0] == "router"]
    ours = [name for name in imported if name.partition(".")[0] == "tests"]
    assert not [name for name in ours if not name.startswith("tests.reference.interpreter.")]
