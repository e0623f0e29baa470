"""Rows for other programs."""

import csv
import io
import json
from dataclasses import asdict

from router.books.export import FIELDS, as_csv, as_json_lines, records
from tests.tools.rows import row

ROWS = (
    row(1_790_000_000.0, 123, user='a "quoted", name', key="OPENAI_API_KEY_2", tags=("töst", 'quo"te')),
    row(1_790_000_001.5, 5, usage=None, how=None, ended_at_s=None, state="sent", tenant="töpfer/x"),
)


def test_each_row_is_a_record_with_all_fields_in_order() -> None:
    found = records(ROWS)
    assert [tuple(json.loads(line)) for line in as_json_lines(found).splitlines()] == [FIELDS, FIELDS]
    assert (found[0].cost_nusd, found[0].input_tokens, found[0].state) == (123, 100, "settled")
    assert (found[0].reserved_at, found[1].ended_at) == ("2026-09-21T14:13:20.000+00:00", None)


def test_csv_reads_back_whatever_names_hold() -> None:
    back = list(csv.DictReader(io.StringIO(as_csv(records(ROWS)))))
    assert [each["user"] for each in back] == ['a "quoted", name', ""]
    assert [each["tenant"] for each in back] == ["acme", "töpfer/x"]
    assert back[1]["input_tokens"] == ""
    assert [(each["key"], json.loads(each["tags"])) for each in back] == [
        ("OPENAI_API_KEY_2", ["töst", 'quo"te']),
        ("", []),
    ]


def test_json_lines_read_back() -> None:
    back = [json.loads(line) for line in as_json_lines(records(ROWS)).splitlines()]
    assert back == [{**asdict(each), "tags": list(each.tags)} for each in records(ROWS)]
    assert as_json_lines(()) == ""
