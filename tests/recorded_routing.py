"""Every recorded chat exchange through a whole router, sync and async, in the form in which it was recorded: its policy
names one target, at prices of the tests' own, so that cost can be told from the recorded bytes too."""

import asyncio
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from router import AsyncRouter, Chunk, Reply, Router, RouterError, StreamBroken, TargetsExhausted
from router.adapters.cassette_tape import Interaction, Tape, read_tape
from router.adapters.cassette_transport import CassetteTransport
from router.client.assembly import load_plan
from router.client.inline import run_inline
from router.decide.needs import NEEDS
from router.errors import ProviderError
from router.plan import Plan
from router.ports import Row as LedgerRow
from router.ports import WireCall
from router.values import Kind
from tests.recorded_calls import (
    COLUMNS,
    PASS,
    TABLE,
    Row,
    call_for,
    chat_rows,
    counts_of,
    expected,
    json_of,
    outcome_of_answer,
    outcome_of_failure,
    outcomes,
    own_words,
    tools_of,
)
from tests.recorded_reader import Answer, Choice, Counts
from tests.recorded_requests import Listening, sameness
from tests.recordings import recordings_folder

INPUT, OUTPUT, CACHED, WRITTEN = 1_000, 10_000, 100, 1_250
"""Nano-USD a token."""

PRICE = {
    "input_per_million": "$1",
    "output_per_million": "$10",
    "cached_per_million": "$0.10",
    "cache_write_per_million": "$1.25",
}
NAMES = {"fireworks": "fireworks_ai", "together": "together_ai", "vertex": "vertex_ai"}
WORDS = {
    "aws_region_name": "region",
    "vertex_location": "region",
    "vertex_project": "project",
    "api_version": "api_version",
}
ENDS: Mapping[str, str] = {
    "": "stop",
    "stop": "stop",
    "complete": "stop",
    "end_turn": "stop",
    "eos": "stop",
    "stop_sequence": "stop",
    "finish": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "function_call",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "refusal": "content_filter",
    "guardrail_intervened": "content_filter",
}
"""Why an answer ended, in each provider's word and in OpenAI's."""


@dataclass(frozen=True)
class Routed:
    """One exchange, with the policy that asks for it."""

    row: Row
    recorded: Interaction
    tape: Tape
    call: WireCall
    policy: str
    heard: list[Any] = field(default_factory=list, repr=False)
    """The bodies that were sent for it, by `played` and `played_sync`."""

    @property
    def only(self) -> Tape:
        return Listening([self.recorded], self.heard)

    @property
    def question(self) -> dict[str, Any]:
        own = {name: value for name, value in self.call.params.items() if name != "n"}
        return {"messages": list(self.call.messages), "policy": self.policy, **own}


def routed(folder: Path) -> Iterator[Routed]:
    """Every chat row of the index; its policy has the name of its place there."""
    tapes: dict[str, Tape] = {}
    for number, row in enumerate(chat_rows(folder)):
        tape = tapes.setdefault(row.file, read_tape(folder / row.file))
        recorded = tape.interactions[row.interaction]
        yield Routed(row, recorded, tape, call_for(row, recorded), f"row-{number}")


def document(exchanges: Sequence[Routed]) -> dict[str, Any]:
    """One policy for each; providers that differ in their address, region or version are different ones."""
    blocks: dict[str, dict[str, Any]] = {}
    providers: dict[str, dict[str, Any]] = {}
    policies = {}
    for each in exchanges:
        call = each.call
        block = {"kind": NAMES.get(call.kind, call.kind)}
        block |= {"base_url": call.base_url} if call.base_url else {}
        block |= {WORDS[name]: value for name, value in call.wire.items()}
        name = next((name for name, known in blocks.items() if known == block), f"p{len(blocks)}")
        blocks[name] = block
        models = providers.setdefault(name, {**block, "models": {}})["models"]
        model = call.model or "unnamed"
        models[model] = {"price": PRICE, "context": "1M", "max_output": "8k", "supports": list(NEEDS)}
        choices = {"n": call.params["n"]} if "n" in call.params else {}
        policies[each.policy] = {"targets": [f"{name}/{model}"], "retry": "off", "params": choices}
    return {"version": 1, "providers": providers, "policies": policies}


# --- What comes out ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Came:
    """What a caller was given, and the one row that is left of it."""

    answer: Answer
    reply: Reply
    row: LedgerRow


def played_sync(plan: Plan, each: Routed) -> Came | RouterError:
    wire = CassetteTransport.play(each.only, suspends=False)
    with Router.open(plan, transport=wire, state="memory", cache="memory") as router:
        try:
            if not each.call.stream:
                reply = router.complete(**each.question)
                return Came(whole(reply), reply, *run_inline(router.ports.ledger.rows()))
            with router.stream(**each.question) as stream:
                chunks = list(stream)
                reply = stream.reply()
            assert (stream.usage, stream.cost_usd) == (reply.usage, reply.cost_usd)
            return Came(_put_together(chunks), reply, *run_inline(router.ports.ledger.rows()))
        except RouterError as error:
            _has_ended(run_inline(router.ports.ledger.rows()))
            return error


async def played(plan: Plan, each: Routed) -> Came | RouterError:
    wire = CassetteTransport.play(each.only, suspends=True)
    async with AsyncRouter.open(plan, transport=wire, state="memory", cache="memory") as router:
        try:
            if not each.call.stream:
                reply = await router.complete(**each.question)
                return Came(whole(reply), reply, *await router.ports.ledger.rows())
            async with router.stream(**each.question) as stream:
                chunks = [chunk async for chunk in stream]
                reply = await stream.reply()
            assert (stream.usage, stream.cost_usd) == (reply.usage, reply.cost_usd)
            return Came(_put_together(chunks), reply, *await router.ports.ledger.rows())
        except RouterError as error:
            _has_ended(await router.ports.ledger.rows())
            return error


def _has_ended(rows: Any) -> None:
    assert all(row.state in ("settled", "released") for row in rows)


def whole(reply: Reply) -> Answer:
    choices = [
        Choice(choice["message"].get("content") or "", tools_of(choice["message"]), choice["finish_reason"])
        for choice in reply.choices
    ]
    return Answer(tuple(choices), counts_of(reply.usage) if reply.usage.reported else None)


def _put_together(chunks: list[Chunk]) -> Answer:
    """By hand: what a caller sees who only reads pieces."""
    texts: dict[int, str] = {}
    calls: dict[int, dict[Any, list[str]]] = {}
    ends: dict[int, str] = {}
    for chunk in chunks:
        texts[chunk.index] = texts.get(chunk.index, "") + chunk.text
        held = calls.setdefault(chunk.index, {})
        for piece in [*chunk.tool_calls, *_legacy(chunk.raw)]:
            name, arguments = held.get(piece["index"], ["", ""])
            function = piece["function"]
            held[piece["index"]] = [
                name + (function.get("name") or ""),
                arguments + (function.get("arguments") or ""),
            ]
        ends |= {chunk.index: chunk.finish_reason} if chunk.finish_reason else {}
    made = [
        Choice(texts[index], tools_of({"tool_calls": [{"function": {"name": name, "arguments": arguments}}
                                                      for name, arguments in calls[index].values()]}),
               ends.get(index))
        for index in sorted(texts)
    ]  # fmt: skip
    return Answer(tuple(made), None)


def _legacy(delta: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"index": "function", "function": delta["function_call"]}] if delta.get("function_call") else []


# --- Outcomes ---------------------------------------------------------------------------------------------------------


def outcome(each: Routed, came: Came | RouterError) -> str:
    """`pass`, the reason why not, or, for what should not happen, a sentence that no table holds."""
    wanted = expected(each.row, each.recorded)
    if isinstance(came, RouterError):
        return _outcome_of_error(came, wanted)
    found = outcome_of_answer(whole(came.reply), wanted)
    if found != PASS:
        return found
    assert isinstance(wanted, Answer)
    return _difference(came, wanted) or PASS


def _outcome_of_error(error: RouterError, wanted: Answer | Kind | None) -> str:
    if isinstance(error, TargetsExhausted):
        failure, sent = error.attempts[-1], error.attempts[-1].sent
    elif isinstance(error, StreamBroken) and isinstance(error.__cause__, ProviderError):
        failure, sent = error.__cause__, True
    else:
        return f"{type(error).__name__}: {error}"
    return outcome_of_failure(failure.kind, failure.message, wanted, sent=sent)


def _difference(came: Came, wanted: Answer) -> str | None:
    """Where what the pieces say, why the answer ended, its cost, or its row is not as recorded."""
    reply, row = came.reply, came.row
    if [(choice.text, choice.tools) for choice in came.answer.choices] != [
        (choice.text, choice.tools) for choice in wanted.choices
    ]:
        return "the pieces are not the whole"
    ends = [choice.finish for choice in came.answer.choices]
    if not all(map(_ends_as, ends, wanted.choices)):
        return f"ended for {ends} where {[choice.finish for choice in wanted.choices]} was recorded"
    if reply.usage.reported != (wanted.usage is not None):
        return "reported usage is counted, or the other way round"
    if reply.cost_nusd != _cost_nusd(wanted.usage or counts_of(reply.usage)):
        return f"costs {reply.cost_nusd} where {_cost_nusd(wanted.usage)} was recorded"
    how = "reported" if reply.usage.reported else "counted"
    if (row.state, row.how, row.cost_nusd) != ("settled", how, reply.cost_nusd):
        return f"its row is {row.state} {row.how} at {row.cost_nusd}"
    return None


def _ends_as(came: str | None, choice: Choice) -> bool:
    """Google and others say `stop` of an answer that calls a tool, and OpenAI has a word for that."""
    word = ENDS.get((choice.finish or "").lower(), choice.finish)
    return came == word or (word == "stop" and bool(choice.tools) and came == "tool_calls")


def _cost_nusd(usage: Counts | None) -> int:
    assert usage is not None
    cached = min(usage.cached, usage.input)  # one provider reports more than it says was read
    plain = usage.input - cached - usage.written
    return plain * INPUT + cached * CACHED + usage.written * WRITTEN + usage.output * OUTPUT


def asked_with(each: Routed) -> str:
    """How what was sent for it differs from what was recorded."""
    if own_words(each.row, each.recorded) is None:
        return "other_form"
    return sameness(each.row.path, json_of(each.recorded.request.body), each.heard)


def routed_outcomes(folder: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """(file, interaction) -> (how it was asked, what came of it), for every chat row; sync and async must agree."""
    exchanges = list(routed(folder))
    plan = load_plan(document(exchanges))[0]
    waited = asyncio.run(_all_played(plan, exchanges))
    found = {}
    for each, other in zip(exchanges, waited, strict=True):
        alone, beside = outcome(each, played_sync(plan, each)), outcome(each, other)
        came = alone if alone == beside else f"sync: {alone}; async: {beside}"
        found[each.row.key] = (asked_with(each), came)
    return found


async def _all_played(plan: Plan, exchanges: Sequence[Routed]) -> list[Came | RouterError]:
    return [await played(plan, each) for each in exchanges]


def write_table(folder: Path) -> None:
    alone, routed_ = asyncio.run(outcomes(folder)), routed_outcomes(folder)
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in chat_rows(folder):
            found = (*routed_[row.key], alone[row.key])
            writer.writerow((*row.key, row.provider, str(row.status), row.streaming, *found))


if __name__ == "__main__":
    recorded_folder = recordings_folder()
    if recorded_folder is None:
        sys.exit("there are no recordings: set ROUTER_RECORDINGS")
    write_table(recorded_folder)
