"""Recorded exchanges as OpenAI messages and parameters, with the input tokens that the provider reported.

A reader of its own for each wire format, so that what is measured doesn't lean on what is measured with.
"""

import base64
import csv
import json
import re
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml

KINDS = {"fireworks": "fireworks_ai", "together": "together_ai", "vertex": "vertex_ai"}
NO_CHAT = re.compile(r"error_|embeddings|completion_|text_generation|flow_.*(?:embed)")

Json = Mapping[str, Any]
Chat = tuple[list[dict[str, Any]], dict[str, Any]]
"""(messages, params)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One answered chat call. `input_tokens` is all that was reported, cached and cache-written included."""

    id: str  # file and, in files of several exchanges, its place
    provider: str
    kind: str
    model: str
    messages: list[dict[str, Any]]
    params: dict[str, Any]
    input_tokens: int


def exchanges(folder: Path) -> Iterator[Exchange]:
    """Every chat exchange in INDEX.tsv that was answered and reports its input."""
    with (folder / "INDEX.tsv").open(encoding="utf-8", newline="") as index:
        rows = list(csv.DictReader(index, delimiter="\t"))
    places: Counter[str] = Counter()
    files = Counter(row["file"] for row in rows)
    for row in rows:
        place = places[row["file"]]
        places[row["file"]] += 1
        if row["status"] == "200" and not NO_CHAT.match(row["behaviour"]):
            name = row["file"] if files[row["file"]] == 1 else f"{row['file']}#{place + 1}"
            found = _exchange(name, row, _interaction(folder / row["file"], place))
            if found is not None:
                yield found


def _interaction(file: Path, place: int) -> Json:
    if file not in _OPEN:
        _OPEN.clear()  # rows of one file stand together
        _OPEN[file] = yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)["interactions"]
    return _OPEN[file][place]


_OPEN: dict[Path, list[Json]] = {}


def _exchange(name: str, row: Mapping[str, str], interaction: Json) -> Exchange | None:
    path = unquote(row["path"].split("?")[0])
    body = interaction["request"]["body"]
    events = list(_events(interaction["response"]["body"].get("string") or b""))
    reported = _reported(events, interaction["response"]["headers"])
    converter = next((convert for end, convert in WIRES if re.search(end, path)), None)
    if not body or not reported or converter is None:
        return None
    wanted = json.loads(body)
    messages, params = converter(wanted)
    return Exchange(
        id=name,
        provider=row["provider"],
        kind=KINDS.get(row["provider"], row["provider"]),
        model=_model(row, path, wanted, events),
        messages=messages,
        params={key: value for key, value in params.items() if value is not None},
        input_tokens=reported,
    )


def _model(row: Mapping[str, str], path: str, wanted: Json, events: list[Json]) -> str:
    """What a target would be called: a deployment is the model that it turned out to be, as `as:` says in a policy."""
    if row["provider"] == "azure":
        named = (event.get("model") or (event.get("response") or {}).get("model") for event in events)
        return next(filter(None, named), row["model"])
    in_path = re.search(r"/models?/([^:]+(?::\d[^/]*)?)(?::\w+|/(?:converse|invoke)[\w-]*)$", path)
    return wanted.get("model") or (in_path[1] if in_path else row["model"])


# --- what was reported --------------------------------------------------------------------------------------------


def _events(body: bytes | str) -> Iterator[Json]:
    """Every JSON object of a body: whole, a list, lines, server-sent events or AWS event stream frames."""
    raw = body.encode() if isinstance(body, str) else body
    if raw[:2] == b"\x00\x00":
        yield from _frames(raw)
        return
    text = raw.decode("utf-8", "replace")
    if text.lstrip().startswith(("data:", "event:", ":", "id:")):
        texts = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
    else:
        whole = _loads(text)
        texts = text.splitlines() if whole is None else []
        yield from whole if isinstance(whole, list) else [whole] if whole is not None else []
    yield from (event for event in map(_loads, texts) if isinstance(event, dict))


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _frames(raw: bytes) -> Iterator[Json]:
    at = 0
    while at < len(raw):
        size, headers = struct.unpack(">II", raw[at : at + 8])
        event = _loads(raw[at + 12 + headers : at + size - 4].decode()) or {}
        yield json.loads(base64.b64decode(event["bytes"])) if "bytes" in event else event
        at += size


def _reported(events: list[Json], headers: Json) -> int:
    """The most that any event says, since streams report early and again; 0 where none does."""
    counted = [_input_of(usage) for event in events for usage in _usages(event)]
    named = {key.lower(): value for key, value in (headers or {}).items()}
    stated = named.get("x-amzn-bedrock-input-token-count", 0)
    counted.append(int(stated[0] if isinstance(stated, list) else stated))
    return max(counted)


def _usages(event: Json) -> Iterator[Json]:
    places = (
        event,
        event.get("x_groq"),
        event.get("message"),
        event.get("response"),
        event.get("delta"),
        event.get("metadata"),
    )
    for place in places:
        if isinstance(place, Mapping):
            yield from (
                place[key] for key in ("usage", "usageMetadata") if isinstance(place.get(key), Mapping)
            )
    yield from (
        event[key]
        for key in ("meta", "amazon-bedrock-invocationMetrics")
        if isinstance(event.get(key), Mapping)
    )
    yield event


def _input_of(usage: Json) -> int:
    tokens = usage.get("tokens") or usage.get("billed_units")
    if isinstance(tokens, Mapping):
        usage = tokens
    if "promptTokenCount" in usage:
        return usage["promptTokenCount"] + (usage.get("toolUsePromptTokenCount") or 0)
    beside = (
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cacheReadInputTokens",
        "cacheWriteInputTokens",
    )
    whole = (
        "prompt_tokens",
        "input_tokens",
        "inputTokens",
        "inputTokenCount",
        "prompt_eval_count",
        "prompt_token_count",
        "inputTextTokenCount",
    )
    named = next((usage[key] for key in whole if isinstance(usage.get(key), int | float)), 0)
    openai = (
        "prompt_tokens" in usage
    )  # counts cached tokens within the whole, Anthropic and Bedrock beside it
    return int(named) + (0 if openai else sum(usage.get(key) or 0 for key in beside))


# --- what was asked -----------------------------------------------------------------------------------------------


def _data_url(mime: str, data: str) -> str:
    return f"data:{mime};base64,{data}"


def _part_of_data(mime: str, data: str) -> dict[str, Any]:
    if mime.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": _data_url(mime, data)}}
    if mime.startswith("audio/"):
        return {"type": "input_audio", "input_audio": {"data": data, "format": mime.removeprefix("audio/")}}
    return {"type": "file", "file": {"file_data": _data_url(mime, data)}}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _function(name: str, description: str | None, parameters: Any) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": name, "description": description or "", "parameters": parameters or {}},
    }


def _call(id: str, name: str, arguments: Any) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def _schema_format(schema: Any) -> dict[str, Any] | None:
    return schema and {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def _openai(body: Json) -> Chat:
    return list(body["messages"]), {
        key: value for key, value in body.items() if key not in ("messages", "model")
    }


def _anthropic(body: Json) -> Chat:
    system = body.get("system")
    messages = [{"role": "system", "content": system}] if system else []
    for message in body["messages"]:
        messages += _anthropic_turn(message)
    given = body.get("output_format") or (body.get("output_config") or {}).get("format") or {}
    return messages, {
        "tools": [_anthropic_tool(tool) for tool in body.get("tools", ())] or None,
        "tool_choice": body.get("tool_choice"),
        "response_format": _schema_format(given.get("schema")),
        "thinking": body.get("thinking"),
    }


def _anthropic_tool(tool: Json) -> Json:
    own = "input_schema" in tool
    return _function(tool["name"], tool.get("description"), tool["input_schema"]) if own else tool


def _anthropic_turn(message: Json) -> list[dict[str, Any]]:
    content = message["content"]
    blocks = (
        [_text(content)]
        if isinstance(content, str)
        else [content]
        if isinstance(content, Mapping)
        else content
    )
    results = [
        {"role": "tool", "tool_call_id": block["tool_use_id"], "content": block.get("content") or ""}
        for block in blocks
        if block["type"] == "tool_result"
    ]
    calls = [_call(b["id"], b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"]
    parts = [_anthropic_part(b) for b in blocks if b["type"] not in ("tool_result", "tool_use")]
    said = (
        [{"role": message["role"], "content": parts, **({"tool_calls": calls} if calls else {})}]
        if parts or calls
        else []
    )
    return results + said


def _anthropic_part(block: Json) -> dict[str, Any]:
    source = block.get("source") or {}
    match block["type"], source.get("type"):
        case "text", _:
            return dict(block)
        case (("image" | "document"), "base64"):
            return _part_of_data(source["media_type"], source["data"])
        case "document", "text":
            return _part_of_data("text/plain", base64.b64encode(source["data"].encode()).decode())
        case "image", "url":
            return {"type": "image_url", "image_url": {"url": source["url"]}}
        case "document", _:
            return {"type": "file", "file": {"file_id": source.get("url") or source.get("file_id")}}
    return dict(block)


def _gemini(body: Json) -> Chat:
    system = (body.get("systemInstruction") or {}).get("parts") or []
    messages = [{"role": "system", "content": [_text(part["text"]) for part in system]}] if system else []
    for turn in body["contents"]:
        parts = turn["parts"] if isinstance(turn["parts"], list) else [turn["parts"]]
        messages += _gemini_turn("assistant" if turn.get("role") == "model" else "user", parts)
    config = body.get("generationConfig") or {}
    schema = next((config[key] for key in ("responseJsonSchema", "responseSchema") if config.get(key)), None)
    return messages, {
        "tools": [tool for group in body.get("tools", ()) for tool in _gemini_tools(group)] or None,
        "response_format": _schema_format(schema),
        "cached_content": body.get("cachedContent"),
    }


def _gemini_tools(group: Json) -> Iterator[Json]:
    for key, value in group.items():
        if key != "functionDeclarations":
            yield {key: value}
            continue
        for tool in value:
            schema = next((tool[name] for name in tool if name.lower().startswith("parameters")), None)
            yield _function(tool["name"], tool.get("description"), schema)


def _gemini_turn(role: str, parts: list[Json]) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for part in parts:
        signature = part.get("thoughtSignature") or part.get("thought_signature")
        kept = {"provider_specific_fields": {"thought_signature": signature}} if signature else {}
        if (call := part.get("functionCall") or part.get("function_call")) is not None:
            calls.append({**_call(call.get("id", ""), call["name"], call.get("args") or {}), **kept})
        elif (result := part.get("functionResponse") or part.get("function_response")) is not None:
            name, answer = result["name"], json.dumps(result["response"])
            results.append({"role": "tool", "tool_call_id": name, "name": name, "content": answer})
        elif (data := part.get("inlineData") or part.get("inline_data")) is not None:
            said.append(_part_of_data(data.get("mimeType") or data["mime_type"], data["data"]))
        elif (file := part.get("fileData") or part.get("file_data")) is not None:
            said.append({"type": "file", "file": {"file_id": file.get("fileUri") or file["file_uri"]}})
        else:
            said.append(_text(part.get("text", "")))
    turn = (
        [{"role": role, "content": said, **({"tool_calls": calls} if calls else {})}] if said or calls else []
    )
    return results + turn


def _cohere_v1(body: Json) -> Chat:
    said = [
        {"role": turn["role"].lower(), "content": turn["message"]} for turn in body.get("chat_history", ())
    ]
    return [*said, {"role": "user", "content": body["message"]}], {}


def _converse(body: Json) -> Chat:
    system = [_text(block["text"]) for block in body.get("system", ()) if "text" in block]
    messages = [{"role": "system", "content": system}] if system else []
    for message in body["messages"]:
        messages += _converse_turn(message)
    specs = [
        tool["toolSpec"] for tool in (body.get("toolConfig") or {}).get("tools", ()) if "toolSpec" in tool
    ]
    tools = [_function(spec["name"], spec.get("description"), spec["inputSchema"]["json"]) for spec in specs]
    shape = ((body.get("outputConfig") or {}).get("textFormat") or {}).get("structure") or {}
    schema = (shape.get("jsonSchema") or {}).get("schema")
    return messages, {
        "tools": tools or None,
        "response_format": _schema_format(json.loads(schema) if isinstance(schema, str) else schema),
        "thinking": (body.get("additionalModelRequestFields") or {}).get("thinking"),
    }


def _converse_turn(message: Json) -> list[dict[str, Any]]:
    said, calls, results = [], [], []
    for block in message["content"]:
        if "toolUse" in block:
            use = block["toolUse"]
            calls.append(_call(use["toolUseId"], use["name"], use["input"]))
        elif "toolResult" in block:
            result = block["toolResult"]
            answer = "".join(part.get("text") or json.dumps(part.get("json")) for part in result["content"])
            results.append({"role": "tool", "tool_call_id": result["toolUseId"], "content": answer})
        elif "image" in block or "document" in block:
            thing = block.get("image") or block["document"]
            mime = f"image/{thing['format']}" if "image" in block else f"application/{thing['format']}"
            said.append(_part_of_data(mime, thing["source"]["bytes"]))
        elif "text" in block:
            said.append(_text(block["text"]))
        elif "cachePoint" not in block:
            said.append({"type": "other", "text": json.dumps(block)})
    turn = (
        [{"role": message["role"], "content": said, **({"tool_calls": calls} if calls else {})}]
        if said or calls
        else []
    )
    return results + turn


def _invoke(body: Json) -> Chat:
    if "prompt" in body:
        return [{"role": "user", "content": body["prompt"]}], {}
    if "schemaVersion" in body or any(
        "type" not in b for m in body["messages"] for b in m["content"] if isinstance(b, Mapping)
    ):
        return _converse(body)
    return _anthropic(body) if "anthropic_version" in body else _openai(body)


def _ollama(body: Json) -> Chat:
    if "prompt" in body:
        return [{"role": "user", "content": body["prompt"]}], {}
    return list(body["messages"]), {
        "tools": body.get("tools"),
        "response_format": _schema_format(body.get("format")),
    }


def _responses(body: Json) -> Chat:
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    instructions = body.get("instructions")
    messages = [{"role": "system", "content": instructions}] if instructions else []
    messages += [_responses_item(item) for item in items]
    shape = (body.get("text") or {}).get("format") or {}
    return messages, {
        "tools": [_responses_tool(tool) for tool in body.get("tools", ())] or None,
        "tool_choice": body.get("tool_choice"),
        "response_format": _schema_format(shape.get("schema")),
        "previous_response_id": body.get("previous_response_id"),
    }


def _responses_tool(tool: Json) -> Json:
    if tool["type"] != "function":
        return tool
    return _function(tool["name"], tool.get("description"), tool.get("parameters"))


def _responses_item(item: Json) -> dict[str, Any]:
    match item.get("type", "message"):
        case "message":
            content = item["content"]
            parts = content if isinstance(content, str) else [_responses_part(part) for part in content]
            return {"role": item["role"], "content": parts}
        case "function_call":
            call = {"name": item["name"], "arguments": item["arguments"]}
            return {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "", "type": "function", "function": call}],
            }
        case "function_call_output":
            return {"role": "tool", "tool_call_id": item["call_id"], "content": item["output"]}
    summary = "".join(part.get("text", "") for part in item.get("summary", ()))
    return {"role": "assistant", "content": summary, "encrypted": item.get("encrypted_content")}


def _responses_part(part: Json) -> dict[str, Any]:
    match part["type"]:
        case "input_image":
            return {
                "type": "image_url",
                "image_url": {"url": part.get("image_url"), "detail": part.get("detail", "auto")},
            }
        case "input_file":
            named = ("file_data", "file_id", "file_url", "filename")
            return {"type": "file", "file": {key: part[key] for key in named if part.get(key)}}
    return _text(part["text"])


WIRES = (
    (r"/chat/completions$", _openai),
    (r"/messages$|awPredict$", _anthropic),
    (r"enerateContent$", _gemini),
    (r"/v2/chat$", _openai),
    (r"/v1/chat$", _cohere_v1),
    (r"/converse(-stream)?$", _converse),
    (r"/invoke(-with-response-stream)?$", _invoke),
    (r"/api/(chat|generate)$", _ollama),
    (r"/responses$", _responses),
)
