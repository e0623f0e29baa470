"""Every recorded chat exchange through the real litellm and the real cassette transport, alone and under a whole
router, sync and async, against a committed table.

What is expected comes from the recorded bytes by a reader of the tests' own (`recorded_reader`), not from litellm.
`python -m tests.recorded_routing` writes the table anew; the difference is for people to judge.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.recorded_calls import PASS, REASONS, chat_rows, outcomes, read_table
from tests.recorded_requests import DIFFERENCES, SAME
from tests.recorded_routing import routed_outcomes

LEAST_PASSING = 541
LEAST_ROUTED = 541
LEAST_STREAMS = 189
LEAST_ASKED = 453

pytestmark = [
    pytest.mark.recordings,
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),  # litellm's own models
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning"),  # litellm's own models
]


def test_the_table_has_one_row_per_chat_exchange_of_the_index(recordings: Path):
    rows = chat_rows(recordings)
    assert Counter(row.key for row in rows) == Counter(read_table().keys())


def differing(found: Mapping[tuple[str, str], str], column: int) -> list[str]:
    table = read_table()
    return [f"{'/'.join(key)}: {each}, in the table {table[key][column]}" for key, each in found.items()
            if key in table and table[key][column] != each]  # fmt: skip


def test_every_row_does_on_litellms_own_wire_what_the_table_says(recordings: Path):
    assert differing(asyncio.run(outcomes(recordings)), -1) == []


def test_every_row_does_under_a_whole_router_what_the_table_says(recordings: Path):
    """Pieces, whole, tool calls, why it ended, usage and cost; sync and async, lean where its kind is. Afterwards
    its row has ended. It is asked in its own words, where they can be read: what is sent is what was recorded."""
    found = routed_outcomes(recordings)
    assert differing({key: routed for key, (_, routed) in found.items()}, -2) == []
    assert differing({key: asked for key, (asked, _) in found.items()}, -3) == []


def test_enough_rows_pass_and_every_other_names_its_reason():
    for column, least in ((-1, LEAST_PASSING), (-2, LEAST_ROUTED)):
        told = Counter(line[column] for line in read_table().values())
        assert told[PASS] >= least
        assert set(told) <= set(REASONS)
    assert {line[-1] for line in read_table().values()} == set(REASONS)


def test_enough_rows_are_asked_as_they_were_recorded_and_every_other_names_its_reasons():
    told = Counter(line[-3] for line in read_table().values())
    assert told[SAME] >= LEAST_ASKED
    assert {reason for line in told for reason in line.split("+")} == set(DIFFERENCES)


def test_enough_streams_of_every_format_pass_under_a_whole_router():
    told = Counter(line[2] for line in read_table().values() if line[4] == "y" and line[-2] == PASS)
    assert sum(told.values()) >= LEAST_STREAMS
    assert {"anthropic", "azure", "bedrock", "gemini", "mistral", "ollama", "openai", "xai"} <= told.keys()
