"""Every recorded file of several exchanges as one conversation of an application with a whole router: it appends the
router's own answers and what the recorded tools said, and asks again."""

import asyncio
import csv
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from router import AsyncRouter, Reply, Router, RouterError
from router.adapters.cassette_transport import CassetteTransport
from router.client.assembly import load_plan
from router.client.inline import run_inline
from router.plan import Plan
from tests.recorded_calls import own_words
from tests.recorded_requests import Asked, Listening, sameness
from tests.recorded_routing import Came, Routed, document, json_of, outcome, routed, whole
from tests.recordings import recordings_folder

TABLE = Path(__file__).with_name("recorded_flows.tsv")
COLUMNS = ("file", "leg", "asked", "routed")
"""As those of recordings.tsv; a leg is an exchange of its file, from 0."""

Application = Generator[Asked, Reply | RouterError, None]


@dataclass(frozen=True)
class Flow:
    file: str
    legs: tuple[Routed, ...]

    @property
    def policy(self) -> str:
        return self.legs[0].policy

    def tape(self, heard: list[Any]) -> Listening:
        return Listening([leg.recorded for leg in self.legs], heard)

    def streams(self, leg: int) -> bool:
        return self.legs[leg].call.stream


def flows(folder: Path) -> Iterator[Flow]:
    """The files of the index whose name says that they hold a conversation."""
    exchanges = (each for each in routed(folder) if "/flow_" in each.row.file)
    for file, legs in groupby(exchanges, lambda each: each.row.file):
        yield Flow(file, tuple(legs))


def application(flow: Flow) -> Application:
    """What is asked, leg by leg; it is sent what was answered."""
    conversation: list[Any] = []
    before: list[Any] = []
    answer: Reply | RouterError | None = None
    for leg in flow.legs:
        own = own_words(leg.row, leg.recorded) or Asked(leg.call.messages, {})
        recorded = list(own.messages)
        goes_on = 0 < len(before) < len(recorded) and recorded[: len(before)] == before
        conversation = [*conversation, *_turn(answer, recorded[len(before) :])] if goes_on else recorded
        answer = yield Asked(tuple(conversation), own.params)
        before = recorded


def _turn(
    answer: Reply | RouterError | None, recorded: Sequence[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """What is appended to a conversation: the answer as it was given, and what followed it in the recording."""
    assert isinstance(answer, Reply), "a conversation goes on from an answer"
    asked, *rest = recorded
    assert asked["role"] == "assistant"
    names = [call["id"] for call in asked.get("tool_calls") or ()]
    ids = dict(zip(names, (call["id"] for call in answer.tool_calls), strict=True))
    yield answer.message
    for message in rest:
        told = message.get("tool_call_id")
        yield {**message, "tool_call_id": ids.get(told, told)} if told else message


# --- Played -----------------------------------------------------------------------------------------------------------


def played_sync(plan: Plan, flow: Flow) -> tuple[list[Any], list[Came | RouterError]]:
    heard: list[Any] = []
    came: list[Came | RouterError] = []
    wire = CassetteTransport.play(flow.tape(heard), suspends=False)
    with Router.open(plan, transport=wire, state="memory", cache="memory") as router:
        app = application(flow)
        asked = next(app)
        for leg in range(len(flow.legs)):
            answer = _asked_sync(router, flow, leg, asked)
            came.append(_came(answer, run_inline(router.ports.ledger.rows())))
            asked = _send(app, answer)
    return heard, came


def _asked_sync(router: Router, flow: Flow, leg: int, asked: Asked) -> Reply | RouterError:
    try:
        if not flow.streams(leg):
            return router.complete(asked.messages, policy=flow.policy, **asked.params)
        with router.stream(asked.messages, policy=flow.policy, **asked.params) as stream:
            return stream.reply()
    except RouterError as error:
        return error


async def played(plan: Plan, flow: Flow) -> tuple[list[Any], list[Came | RouterError]]:
    heard: list[Any] = []
    came: list[Came | RouterError] = []
    wire = CassetteTransport.play(flow.tape(heard), suspends=True)
    async with AsyncRouter.open(plan, transport=wire, state="memory", cache="memory") as router:
        app = application(flow)
        asked = next(app)
        for leg in range(len(flow.legs)):
            answer = await _asked(router, flow, leg, asked)
            came.append(_came(answer, await router.ports.ledger.rows()))
            asked = _send(app, answer)
    return heard, came


async def _asked(router: AsyncRouter, flow: Flow, leg: int, asked: Asked) -> Reply | RouterError:
    try:
        if not flow.streams(leg):
            return await router.complete(asked.messages, policy=flow.policy, **asked.params)
        async with router.stream(asked.messages, policy=flow.policy, **asked.params) as stream:
            return await stream.reply()
    except RouterError as error:
        return error


def _send(app: Application, answer: Reply | RouterError) -> Asked:
    try:
        return app.send(answer)
    except StopIteration:
        return Asked((), {})


def _came(answer: Reply | RouterError, rows: Sequence[Any]) -> Came | RouterError:
    return answer if isinstance(answer, RouterError) else Came(whole(answer), answer, rows[-1])


# --- Outcomes ---------------------------------------------------------------------------------------------------------


def flow_outcomes(folder: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """(file, leg) -> (how it was asked, what came of it); sync and async must agree."""
    every = list(flows(folder))
    plan = load_plan(document([leg for flow in every for leg in flow.legs]))[0]
    waited = asyncio.run(_all_played(plan, every))
    found = {}
    for flow, beside in zip(every, waited, strict=True):
        for leg, results in enumerate(
            zip(_told(flow, played_sync(plan, flow)), _told(flow, beside), strict=True)
        ):
            alone, other = results
            found[flow.file, str(leg)] = alone if alone == other else (f"sync: {alone}", f"async: {other}")
    return found


async def _all_played(plan: Plan, every: Sequence[Flow]) -> list[tuple[list[Any], list[Came | RouterError]]]:
    return [await played(plan, flow) for flow in every]


def _told(flow: Flow, found: tuple[list[Any], list[Came | RouterError]]) -> Iterator[tuple[str, str]]:
    heard, came = found
    sent = iter(heard)
    for leg, each in zip(flow.legs, came, strict=True):
        result = outcome(leg, each)
        bodies = [] if result == "other_endpoint" else [next(sent)]
        read = own_words(leg.row, leg.recorded) is not None
        asked = sameness(leg.row.path, json_of(leg.recorded.request.body), bodies) if read else "other_form"
        yield asked, result


def read_table() -> dict[tuple[str, str], tuple[str, ...]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file, delimiter="\t")
    assert tuple(header) == COLUMNS
    return {(line[0], line[1]): tuple(line[2:]) for line in lines}


if __name__ == "__main__":
    recorded_folder = recordings_folder()
    if recorded_folder is None:
        sys.exit("there are no recordings: set ROUTER_RECORDINGS")
    with TABLE.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((*key, *told) for key, told in flow_outcomes(recorded_folder).items())
