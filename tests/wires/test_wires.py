"""The lean wire is held against litellm's own: equal requests, answers and failures, or it does not carry that kind.

Some of the 200 generated requests of each kind, of the faults and of the recorded exchanges by default (WIRE_RUNS);
WIRE_RUNS=200 in the environment makes it all of them.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from router.adapters.litellm_transport import AsyncLitellm
from router.policy.kinds import KINDS
from router.ports import WireCall, WireChunk, WireReply
from tests.recordings import recordings_folder
from tests.wires.compare import FREE_HEADERS
from tests.wires.lean import NOT_CARRIED, NOT_TRIED, looked_at
from tests.wires.subjects import SUBJECTS
from tests.wires.table import AGAIN, MODULE, PAGE, TABLE, code_text, page_text, read_table, table_text
from tests.wires.trials import Case, Make, Verdict, bench, cases

RUNS = int(os.environ.get("WIRE_RUNS", "20"))

pytestmark = pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning")  # litellm's own models


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    assert asyncio.run(AsyncLitellm().ready(120.0))


def verdict(first: Make, second: Make, *names: Case) -> Verdict:
    async def run() -> Verdict:
        async with bench(first, second, recordings=None) as both:
            return await both.verdict(names)

    return asyncio.run(run())


def altered(
    call: Callable[[WireCall], WireCall] = lambda call: call,
    result: Callable[[Any], Any] = lambda result: result,
) -> Make:
    """The reference, but for one thing."""

    class Altered(AsyncLitellm):
        def start(self, wanted: WireCall) -> Any:
            return super().start(call(wanted))

        def result(self, pending: Any) -> Any:
            return result(super().result(pending))

    return Altered


def of_type(kind: type, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda result: change(result) if isinstance(result, kind) else result


FIRST = [Case(kind="openai", name=f"request {number}") for number in range(20)]
FAILS = [Case(kind="anthropic", name=f"fault {how} overloaded") for how in ("whole", "streamed")]


@pytest.mark.parametrize("kind", ["openai", "anthropic", "bedrock"])
def test_the_reference_is_equal_to_itself(kind: str) -> None:
    found = verdict(AsyncLitellm, AsyncLitellm, *cases(kind, requests=4, recordings=None))
    assert found.lines == ()
    assert found.answered >= 3


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (altered(lambda call: replace(call, params={**call.params, "seed": 7})), "sent[0].body.seed"),
        (altered(lambda call: replace(call, messages=call.messages[-1:])), "sent[0].body.messages"),
        (altered(lambda call: replace(call, model="gpt-4")), "sent[0].body"),
        (altered(lambda call: replace(call, api_key="sk-other")), "sent[0].headers.authorization"),
        (altered(lambda call: replace(call, wire={"organization": "x"})), "sent[0].headers.openai-organization"),
        (altered(lambda call: replace(call, base_url=f"{call.base_url}/v2")), "sent[0].path"),
        (altered(lambda call: replace(call, base_url="http://127.0.0.1:1")), "sent: [{"),
        (altered(result=of_type(WireReply, lambda reply: replace(reply, usage=None))), "came.reply.usage"),
        (altered(result=of_type(WireReply, lambda reply: replace(reply, headers={}))), "came.reply.headers"),
        (altered(result=of_type(WireChunk, lambda chunk: replace(chunk, usage=None))), "came.stream.usage"),
        (altered(result=of_type(WireChunk, lambda chunk: replace(chunk, delta={}))), "came.stream.choices"),
    ],
)  # fmt: skip
def test_a_wire_that_differs_is_found_out(other: Make, told: str) -> None:
    found = verdict(AsyncLitellm, other, *FIRST)
    assert found.witness
    assert any(line.startswith(told) for line in found.lines), found.lines


def test_a_failure_that_is_told_otherwise_is_found_out() -> None:
    nowhere = altered(lambda call: replace(call, base_url="http://127.0.0.1:1"))
    found = verdict(AsyncLitellm, nowhere, *FAILS)
    assert found.witness == FAILS[0].name
    assert any(line.startswith("came.error.kind") for line in found.lines), found.lines


def test_each_header_that_may_differ_says_why() -> None:
    assert all(name.islower() and len(why.split()) > 3 for name, why in FREE_HEADERS.items())


# --- The table --------------------------------------------------------------------------------------------------------

ROWS = read_table()
LEAN = [kind for kind, row in ROWS.items() if row.wire == "lean"]
OTHERS = [kind for kind, row in ROWS.items() if row.wire != "lean" and row.witness != NOT_TRIED]


@pytest.mark.parametrize("kind", LEAN)
def test_a_kind_served_lean_is_equal_in_all(kind: str) -> None:
    found = asyncio.run(looked_at(kind, cases(kind, requests=RUNS, recordings=recordings_folder())))
    assert not found.witness, (
        f"the lean wire differs from litellm's own for `{kind}` in `{found.witness}`: {found.difference}; {AGAIN}"
    )


def test_a_kind_not_served_lean_still_differs() -> None:
    for kind in OTHERS:
        row = ROWS[kind]
        if row.witness.startswith("recorded") and recordings_folder() is None:
            continue  # its witness is not here: tests/test_recordings_present.py says so
        witness = Case(kind=kind, name="request 0" if row.witness == NOT_CARRIED else row.witness)
        found = asyncio.run(looked_at(kind, [witness]))
        assert found.witness == row.witness, f"`{kind}` no longer differs in `{row.witness}`; {AGAIN}"


def test_table_and_code_name_the_same_kinds() -> None:
    assert MODULE.read_text(encoding="utf-8") == code_text(ROWS), AGAIN
    assert TABLE.read_text(encoding="utf-8") == table_text(ROWS), AGAIN
    assert PAGE.read_text(encoding="utf-8") == page_text(ROWS), AGAIN
    assert sorted(ROWS) == sorted(SUBJECTS), AGAIN
    assert ROWS.keys() <= KINDS.keys()
