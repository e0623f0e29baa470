"""Every recorded chat exchange through the real litellm and the real cassette transport, against a committed table.

What is expected comes from the recorded bytes by a reader of the tests' own (`recorded_reader`), not from litellm.
`python -m tests.recorded_calls` writes the table anew; the difference is for people to judge.
"""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from tests.recorded_calls import PASS, REASONS, chat_rows, outcomes, read_table

LEAST_PASSING = 540

pytestmark = [
    pytest.mark.recordings,
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),  # litellm's own models
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning"),  # litellm's own models
]


def test_the_table_has_one_row_per_chat_exchange_of_the_index(recordings: Path):
    rows = chat_rows(recordings)
    assert Counter(row.key for row in rows) == Counter(read_table().keys())


def test_every_row_does_what_the_table_says(recordings: Path):
    found, table = asyncio.run(outcomes(recordings)), read_table()
    differ = [f"{'/'.join(key)}: {line[-1]}, in the table {table[key][-1]}" for key, line in found.items()
              if key in table and table[key] != line]  # fmt: skip
    assert not differ, "\n".join(differ)


def test_enough_rows_pass_and_every_other_names_its_reason():
    told = Counter(line[-1] for line in read_table().values())
    assert told[PASS] >= LEAST_PASSING
    assert set(told) == set(REASONS)
