"""The chat rows of the index of recordings, each as the call that a router's user would have made, and its outcome."""

import csv
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from router.adapters.cassette_tape import Interaction, Tape, read_tape
from router.adapters.cassette_transport import CassetteTransport
from router.errors import ProviderError
from router.ports import Transport, WireCall, WireChunk, WireReply
from router.values import Kind, Usage, Wire
from tests.recorded_reader import Answer, Choice, Counts, Failure, OtherFormat, read
from tests.recorded_requests import Asked, NotRead, asked, told

PASS = "pass"
REASONS: Mapping[str, str] = {
    PASS: "text, tool calls and usage as recorded; an error as the right kind",
    "other_endpoint": "litellm asks another path of this provider than the recorded one",
    "needs_package": "litellm needs a package that the router does not depend on",
    "not_built": "litellm refuses to build the request on this route",
    "unreadable": "litellm does not read this answer",
    "usage_lost": "litellm drops a part of the reported usage",
    "cut_lost": "litellm does not say that a limit cut the answer",
    "text_changed": "litellm takes reasoning out of the text",
}
COLUMNS = ("file", "interaction", "provider", "status", "streaming", "asked", "routed", "outcome")
"""`outcome` is that of the transport alone, `routed` that of a whole router, sync and async; `asked` is how what that
router sent differs from the recorded request (recorded_requests.DIFFERENCES)."""
TABLE = Path(__file__).with_name("recordings.tsv")

_NOT_CHAT = re.compile("embeddings|responses|completion")
_FREE_TIER = "gemini/error_429_insufficient_quota__gemini-2.0-flash__ruby-llm.yaml"


@dataclass(frozen=True)
class Row:
    """One chat exchange of the index; `interaction` is its number in its file, from 0."""

    file: str
    interaction: int
    provider: str
    path: str
    status: int
    streaming: str
    behaviour: str
    model: str

    @property
    def key(self) -> tuple[str, str]:
        return (self.file, str(self.interaction))


def chat_rows(folder: Path) -> list[Row]:
    """Every row of the index that is a chat exchange at an endpoint of litellm's or of its shape."""
    seen: Counter[str] = Counter()
    rows = []
    with (folder / "INDEX.tsv").open(encoding="utf-8", newline="") as index:
        for line in csv.DictReader(index, delimiter="\t"):
            number = seen[line["file"]]
            seen[line["file"]] += 1
            if line["litellm_endpoint"] in ("exact", "api_base") and not _NOT_CHAT.match(line["behaviour"]):
                rows.append(_row(line, number))
    return rows


def _row(line: Mapping[str, str], number: int) -> Row:
    return Row(
        file=line["file"],
        interaction=number,
        provider=line["provider"],
        path=unquote(line["path"].partition("?")[0]),
        status=int(line["status"]),
        streaming=line["streaming"],
        behaviour=line["behaviour"],
        model=line["model"],
    )


# --- The call ---------------------------------------------------------------------------------------------------------


def call_for(row: Row, recorded: Interaction, *, by: Wire = "auto") -> WireCall:
    """The call whose request `by` sends to where this exchange was recorded."""
    body = json_of(recorded.request.body)
    at = urlsplit(recorded.request.uri)
    origin, base = (
        f"{at.scheme}://{at.netloc}",
        f"{at.scheme}://{at.netloc}{at.path.removesuffix('/chat/completions')}",
    )
    kind, model, base_url, wire = _address(
        row, body.get("model") or row.model, origin, base, dict(parse_qsl(at.query))
    )
    last = row.path.rpartition("/")[2]
    own = own_words(row, recorded) or Asked(({"role": "user", "content": "hi"},), {})
    return WireCall(
        attempt="1",
        target=f"{row.provider}/{model}",
        kind=kind,
        model=model,
        messages=own.messages,
        params={**own.params, **({"n": body["n"]} if body.get("n") else {})},
        timeout_s=10.0,
        stream=bool(body.get("stream")) or "tream" in last,
        base_url=base_url,
        wire=wire,
        by=by,
    )


def own_words(row: Row, recorded: Interaction) -> Asked | None:
    """What was asked, where it can be said in OpenAI's words."""
    body = json_of(recorded.request.body)
    try:
        told(row.path, body)  # as a whole: some were recorded for what is wrong with them
        return asked(row.path, body)
    except NotRead:
        return None


def _address(
    row: Row, model: str, origin: str, base: str, query: Mapping[str, str]
) -> tuple[str, str, str | None, Mapping[str, str]]:
    """(kind, model, base_url, wire) of a provider as a policy would declare it."""
    path = row.path
    match row.provider:
        case "azure":
            deployment = re.search(r"/deployments/([^/]+)", path)
            wire = {"api_version": query.get("api-version", "2024-10-21")}
            return "azure", deployment[1] if deployment else model, origin, wire
        case "azure_ai":
            return "azure_ai", model, f"{origin}/anthropic" if "/anthropic" in path else origin, {}
        case "bedrock":
            route, name = (
                ("invoke/" if "/invoke" in path else "converse/"),
                path.split("/model/")[1].rpartition("/")[0],
            )
            return "bedrock", route + name, None, {"aws_region_name": origin.split(".")[1]}
        case "databricks" | "deepseek" | "fireworks" | "together" | "zai":
            return row.provider, model, base, {}
        case "gemini":
            return "gemini", re.split(r"[/:]", path)[-2], None, {}
        case "huggingface" if path != "/v1/chat/completions":
            return "huggingface", model, base.removesuffix("/v1"), {}
        case "ollama":
            return ("ollama", model, origin, {}) if path == "/api/chat" else ("openai", model, base, {})
        case "vertex":
            place = re.search(r"/projects/([^/]+)/locations/([^/]+)/publishers/[^/]+/models/([^:]+)", path)
            assert place is not None
            return "vertex", place[3], None, {"vertex_project": place[1], "vertex_location": place[2]}
        case _:
            return row.provider, model, None, {}


def json_of(body: bytes | None) -> dict[str, Any]:
    try:
        asked = json.loads(body or b"{}")
    except ValueError:
        return {}
    return asked if isinstance(asked, dict) else {}


# --- What was recorded, and what came ---------------------------------------------------------------------------------


def expected(row: Row, recorded: Interaction) -> Answer | Kind | None:
    """From the recorded bytes and the index alone. None: no chat format."""
    headers = {name.lower(): values[0] for name, values in (recorded.response["headers"] or {}).items()}
    try:
        found = read(row.path, row.status, recorded.response["body"]["string"], headers)
    except OtherFormat:
        return None
    if isinstance(found, Answer):
        return found
    return _kind_by_index(row) if row.status >= 400 else _kind_inside(found)


def _kind_by_index(row: Row) -> Kind:
    """The index names what each error is about; these five it names by their status, and the body says more."""
    said_more = {
        "anthropic/error_400_invalid_request__claude-3-5-haiku-20241022__ruby-llm-2.yaml": Kind.CONTEXT_WINDOW,  # 10 MB
        "bedrock/error_400_invalid_request__anthropic.claude-3-5-haiku-20241__ruby-llm.yaml": Kind.CONTEXT_WINDOW,
        "groq/error_400_invalid_request__mistral-saba-24b__req-llm.yaml": Kind.NOT_FOUND,  # decommissioned
        "groq/error_400_invalid_request__qwen-qwq-32b__req-llm.yaml": Kind.NOT_FOUND,
        _FREE_TIER: Kind.RATE_LIMITED,  # a quota per minute: its body says to come back in 23 s
    }
    about = {
        "bad_schema": Kind.BAD_REQUEST,
        "context_length": Kind.CONTEXT_WINDOW,
        "insufficient_quota": Kind.QUOTA,
        "invalid_key": Kind.AUTH,
        "invalid_request": Kind.BAD_REQUEST,
        "model_not_found": Kind.NOT_FOUND,
        "rate_limit": Kind.RATE_LIMITED,
        "tool_use_failed": Kind.INVALID_OUTPUT,
        "unsupported_param": Kind.BAD_REQUEST,
    }
    by_status = {401: Kind.AUTH, 403: Kind.AUTH, 422: Kind.BAD_REQUEST, 500: Kind.SERVER_ERROR}
    by_status |= {503: Kind.OVERLOADED, 529: Kind.OVERLOADED}
    named = about.get(re.sub(r"^error_\d+_", "", row.behaviour))
    return said_more.get(row.file) or named or by_status[row.status]


def _kind_inside(failure: Failure) -> Kind:
    """An error inside a success, by its type or code."""
    said = failure.said
    if said.get("type") == "overloaded_error":
        return Kind.OVERLOADED
    malformed = "Malformed function call" in str(said.get("metadata"))
    return Kind.INVALID_OUTPUT if said.get("code") == "tool_use_failed" or malformed else Kind.SERVER_ERROR


def came_from(reply: WireReply) -> Answer:
    choices = [
        Choice(choice["message"].get("content") or "", tools_of(choice["message"]), choice["finish_reason"])
        for choice in reply.choices
    ]
    return Answer(tuple(choices), counts_of(reply.usage))


def tools_of(message: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    calls = [*message.get("tool_calls", ())]
    if "function_call" in message:
        calls.append({"function": message["function_call"]})
    return tuple(_tool(call) for call in calls)


def _tool(call: Mapping[str, Any]) -> tuple[str, Any]:
    if "custom" in call:
        return (call["custom"]["name"], call["custom"]["input"])
    return (call["function"]["name"], _arguments(call["function"]["arguments"]))


def _arguments(text: str) -> Any:
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def counts_of(usage: Usage | None) -> Counts | None:
    if usage is None:
        return None
    return Counts(
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
    )


async def play(transport: Transport, call: WireCall) -> Answer:
    """The answer of a call, whole or streamed. Raises ProviderError."""
    result = await _result(transport, transport.start(call))
    if isinstance(result, WireReply):
        return came_from(result)
    chunks: list[WireChunk] = []
    try:
        while not chunks or not chunks[-1].done:
            chunk = await _result(transport, transport.next(result))
            assert isinstance(chunk, WireChunk)
            chunks.append(chunk)
    finally:
        await transport.close(result)
    return _put_together(chunks)


async def _result(transport: Transport, pending: Any) -> Any:
    assert await transport.wait([pending], 20.0) is pending
    return transport.result(pending)


def _put_together(chunks: list[WireChunk]) -> Answer:
    messages: dict[int, dict[str, Any]] = {}
    finishes: dict[int, str] = {}
    for chunk in chunks[:-1]:
        message = messages.setdefault(chunk.index, {"content": "", "calls": {}})
        message["content"] += chunk.delta.get("content") or ""
        for call in [*chunk.delta.get("tool_calls", ()), *_legacy(chunk.delta)]:
            held = message["calls"].setdefault(call["index"], {"name": "", "arguments": ""})
            held["name"] += call["function"].get("name") or ""
            held["arguments"] += call["function"].get("arguments") or ""
        if chunk.finish_reason:
            finishes[chunk.index] = chunk.finish_reason
    choices = [
        Choice(message["content"], tools_of({"tool_calls": [{"function": c} for c in message["calls"].values()]}),
               finishes.get(index))
        for index, message in sorted(messages.items())
    ]  # fmt: skip
    return Answer(tuple(choices), counts_of(chunks[-1].usage))


def _legacy(delta: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"index": "function", "function": delta["function_call"]}] if "function_call" in delta else []


# --- The outcome ------------------------------------------------------------------------------------------------------


async def outcome(row: Row, tape: Tape, recorded: Interaction) -> str:
    """`pass`, the reason why not, or, for what should not happen, a sentence that no table holds."""
    transport = CassetteTransport.play(tape.only(row.interaction), suspends=True)
    wanted = expected(row, recorded)
    try:
        came = await play(transport, call_for(row, recorded, by="litellm"))
    except ProviderError as error:
        return outcome_of_failure(error.kind, error.message, wanted, sent=transport.tape.unplayed == 0)
    finally:
        await transport.aclose()
    return outcome_of_answer(came, wanted)


def outcome_of_failure(kind: Kind, message: str, wanted: Answer | Kind | None, *, sent: bool) -> str:
    if "no recording answers" in message:
        return "other_endpoint"
    if not sent:
        return "needs_package" if "lacks a package" in message else "not_built"
    if isinstance(wanted, Answer):
        return "unreadable"
    return PASS if kind == wanted else f"{kind} instead of {wanted}"


def outcome_of_answer(came: Answer, wanted: Answer | Kind | None) -> str:
    if not isinstance(wanted, Answer):
        return f"an answer instead of {wanted}"
    if [choice.tools for choice in came.choices] != [choice.tools for choice in wanted.choices]:
        return f"tool calls {[choice.tools for choice in came.choices]}"
    if [choice.text for choice in came.choices] != [choice.text for choice in wanted.choices]:
        return "text_changed"
    if any(
        _cut(wanted.choices[n].finish) != (choice.finish == "length") for n, choice in enumerate(came.choices)
    ):
        return "cut_lost"
    return PASS if _same_usage(came.usage, wanted.usage) else "usage_lost"


def _cut(finish: str | None) -> bool:
    return (finish or "").lower() in ("length", "max_tokens")


def _same_usage(came: Counts | None, wanted: Counts | None) -> bool:
    if came is None or wanted is None:
        return came is wanted
    reasoning = wanted.reasoning or came.reasoning  # litellm counts it where the provider does not say it
    return came == Counts(wanted.input, wanted.output, wanted.cached, wanted.written, reasoning)


async def outcomes(folder: Path) -> dict[tuple[str, str], str]:
    """(file, interaction) -> what came of it, for every chat row."""
    found = {}
    tapes: dict[str, Tape] = {}
    for row in chat_rows(folder):
        tape = tapes.setdefault(row.file, read_tape(folder / row.file))
        found[row.key] = await outcome(row, tape, tape.interactions[row.interaction])
    return found


def read_table() -> dict[tuple[str, str], tuple[str, ...]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file, delimiter="\t")
    assert tuple(header) == COLUMNS
    return {(line[0], line[1]): tuple(line) for line in lines}
