"""Finds anew which kinds are served lean, and writes it down: `python -m tests.wires [KIND...]`, all without a name.

It tries all there is, which takes some seconds a kind, and needs the recorded exchanges (see tests/recordings.py).
"""

import asyncio
import sys
from collections.abc import Sequence

from router.adapters.litellm_transport import AsyncLitellm
from tests.recordings import recordings_folder
from tests.wires.lean import looked_at
from tests.wires.subjects import SUBJECTS
from tests.wires.table import Row, read_table, write
from tests.wires.trials import ALL, cases


async def look(kinds: Sequence[str]) -> dict[str, Row]:
    folder = recordings_folder()
    if folder is None:
        sys.exit("without the recorded exchanges nobody can say that the wires are equal on them")
    assert await AsyncLitellm().ready(120.0)
    found = {}
    for kind in kinds:
        found[kind] = row = await looked_at(kind, cases(kind, requests=ALL, recordings=folder))
        print(row.kind, row.wire, row.witness, row.difference, sep="\t", flush=True)  # noqa: T201 - a script
    return found


write({**read_table(), **asyncio.run(look(sys.argv[1:] or tuple(SUBJECTS)))})
