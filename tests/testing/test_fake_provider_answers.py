"""Good answers in the three formats, streamed and not: what is asked for is what comes."""

import json

import jsonschema
import pytest

from router.testing import Answer, ContentFilter, FakeProvider, ToolCall
from tests.testing.raw_http import Client, ask, body_for, streamed_text, text_of

FORMATS = ["openai", "anthropic", "gemini"]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 3}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOLS = {
    "openai": [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}],
    "anthropic": [{"name": "get_weather", "input_schema": SCHEMA}],
    "gemini": [{"functionDeclarations": [{"name": "get_weather", "parametersJsonSchema": SCHEMA}]}],
}
FORCED = {
    "openai": {"tool_choice": "required"},
    "anthropic": {"tool_choice": {"type": "any"}},
    "gemini": {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
}
NAMED = {
    "openai": {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
    "anthropic": {"tool_choice": {"type": "tool", "name": "get_weather"}},
    "gemini": {
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}}
    },
}
IN_JSON = {
    "openai": {"response_format": {"type": "json_schema", "json_schema": {"name": "trip", "schema": SCHEMA}}},
    "anthropic": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    "gemini": {"generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}},
}


def _limit(format, tokens):
    if format == "gemini":
        return {"generationConfig": {"maxOutputTokens": tokens}}
    return {"max_tokens": tokens}


def _finish(format, body):
    if format == "openai":
        return body["choices"][0]["finish_reason"]
    return body["stop_reason"] if format == "anthropic" else body["candidates"][0]["finishReason"]


def _calls(format, body):
    """(name, arguments) of the tool calls of an answer."""
    if format == "openai":
        calls = body["choices"][0]["message"].get("tool_calls") or []
        return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]
    if format == "anthropic":
        return [(part["name"], part["input"]) for part in body["content"] if part["type"] == "tool_use"]
    parts = [
        part["functionCall"] for part in body["candidates"][0]["content"]["parts"] if "functionCall" in part
    ]
    return [(part["name"], part["args"]) for part in parts]


def _streamed_calls(format, events):
    if format == "gemini":
        return [call for event in events for call in _calls("gemini", event)]
    if format == "anthropic":
        starts = [event["content_block"] for event in events if event["type"] == "content_block_start"]
        pieces = [
            event["delta"].get("partial_json", "")
            for event in events
            if event["type"] == "content_block_delta"
        ]
        return [
            (start["name"], json.loads("".join(pieces))) for start in starts if start["type"] == "tool_use"
        ]
    deltas = [event["choices"][0]["delta"] for event in events if event != "[DONE]" and event["choices"]]
    calls = [delta["tool_calls"][0]["function"] for delta in deltas if "tool_calls" in delta]
    return [(calls[0]["name"], json.loads("".join(call["arguments"] for call in calls)))]


def _usage(format, body):
    """(input, output) as billed."""
    if format == "openai":
        return body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"]
    if format == "anthropic":
        return body["usage"]["input_tokens"], body["usage"]["output_tokens"]
    return body["usageMetadata"]["promptTokenCount"], body["usageMetadata"]["candidatesTokenCount"]


@pytest.mark.parametrize("format", FORMATS)
def test_the_default_answer_speaks_of_the_question_and_never_changes(fake_provider, format):
    first, second = (ask(fake_provider.url, format).json() for _ in range(2))
    assert "Why is the sea salty?" in text_of(format, first)
    assert text_of(format, first) == text_of(format, second)
    assert _usage(format, first) == _usage(format, second)
    assert all(tokens > 0 for tokens in _usage(format, first))
    assert _finish(format, first) in ("stop", "end_turn", "STOP")


@pytest.mark.parametrize("format", FORMATS)
def test_a_stream_says_the_same_in_pieces(fake_provider, format):
    told = text_of(format, ask(fake_provider.url, format).json())
    response = ask(fake_provider.url, format, stream=True)
    assert response.whole
    assert response.headers["content-type"].startswith("text/event-stream")
    events = response.events()
    assert streamed_text(format, events) == told
    assert len(events) > 5
    assert (
        events[-1] == "[DONE]"
        or events[-1].get("type") == "message_stop"
        or _finish("gemini", events[-1]) == "STOP"
    )


@pytest.mark.parametrize("format", FORMATS)
def test_scripted_text_and_numbers_are_sent_as_they_are(fake_provider, format):
    fake_provider.script("*", Answer("hi", input_tokens=1234, output_tokens=99_999))
    body = ask(fake_provider.url, format, **_limit(format, 5)).json()
    assert text_of(format, body) == "hi"
    assert _usage(format, body) == (1234, 99_999)


@pytest.mark.parametrize("format", FORMATS)
def test_the_output_limit_cuts_and_says_so(fake_provider, format):
    body = ask(fake_provider.url, format, **_limit(format, 5)).json()
    assert _finish(format, body) in ("length", "max_tokens", "MAX_TOKENS")
    assert _usage(format, body)[1] == 5


@pytest.mark.parametrize("format", FORMATS)
def test_a_stop_sequence_ends_the_text(fake_provider, format):
    fake_provider.script("*", Answer("one two three two"))
    stops = {"openai": {"stop": ["two"]}, "anthropic": {"stop_sequences": ["two"]}}
    more = stops.get(format, {"generationConfig": {"stopSequences": ["two"]}})
    body = ask(fake_provider.url, format, **more).json()
    assert text_of(format, body) == "one "
    assert _finish(format, body) in ("stop", "stop_sequence", "STOP")
    assert body.get("stop_sequence", "two") == "two"


@pytest.mark.parametrize("format", FORMATS)
def test_json_mode_fits_the_schema(fake_provider, format):
    body = ask(fake_provider.url, format, **IN_JSON[format]).json()
    jsonschema.validate(json.loads(text_of(format, body)), SCHEMA)
    events = ask(fake_provider.url, format, stream=True, **IN_JSON[format]).events()
    assert json.loads(streamed_text(format, events)) == json.loads(text_of(format, body))


def test_json_mode_without_a_schema_is_still_json(fake_provider):
    body = ask(fake_provider.url, response_format={"type": "json_object"}).json()
    assert "Why is the sea salty?" in json.loads(text_of("openai", body))["answer"]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("choice", [FORCED, NAMED])
def test_a_forced_tool_is_called_with_arguments_that_fit(fake_provider, format, choice):
    more = {"tools": TOOLS[format], **choice[format]}
    body = ask(fake_provider.url, format, **more).json()
    [(name, arguments)] = _calls(format, body)
    assert name == "get_weather"
    jsonschema.validate(arguments, SCHEMA)
    assert _finish(format, body) in ("tool_calls", "tool_use", "STOP")
    events = ask(fake_provider.url, format, stream=True, **more).events()
    assert _streamed_calls(format, events) == [(name, arguments)]


@pytest.mark.parametrize("format", FORMATS)
def test_scripted_tool_calls_are_made_where_the_request_has_tools(fake_provider, format):
    scripted = Answer(
        "Let me look.", tool_calls=[ToolCall("get_weather", arguments={"city": "Rome"}), "get_weather"]
    )
    fake_provider.script("*", scripted)
    with_tools = ask(fake_provider.url, format, tools=TOOLS[format]).json()
    assert [name for name, _ in _calls(format, with_tools)] == ["get_weather", "get_weather"]
    assert _calls(format, with_tools)[0][1] == {"city": "Rome"}
    without = ask(fake_provider.url, format).json()
    assert _calls(format, without) == []
    assert text_of(format, without) == "Let me look."


@pytest.mark.parametrize("format", FORMATS)
def test_tools_alone_force_nothing(fake_provider, format):
    assert _calls(format, ask(fake_provider.url, format, tools=TOOLS[format]).json()) == []


def test_a_tool_result_is_answered():
    turns = [
        {"role": "user", "content": "weather in Rome?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c", "type": "function", "function": {}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "sunny, 31 degrees"},
    ]
    with FakeProvider() as provider:
        assert "sunny, 31 degrees" in text_of("openai", ask(provider.url, messages=turns).json())


@pytest.mark.parametrize("format", ["openai", "gemini"])
def test_several_choices_differ_and_are_all_billed(fake_provider, format):
    more = {"n": 3} if format == "openai" else {"generationConfig": {"candidateCount": 3}}
    one, three = ask(fake_provider.url, format).json(), ask(fake_provider.url, format, **more).json()
    choices = three["choices" if format == "openai" else "candidates"]
    assert [choice["index"] for choice in choices] == [0, 1, 2]
    assert len({json.dumps(choice) for choice in choices}) == 3
    assert _usage(format, three)[1] > 2 * _usage(format, one)[1]


def test_several_choices_are_streamed():
    with FakeProvider(default=Answer("a b")) as provider:
        events = ask(provider.url, stream=True, n=2).events()
    choices = [event["choices"][0] for event in events if event != "[DONE]"]
    texts = ["".join(c["delta"].get("content", "") for c in choices if c["index"] == at) for at in (0, 1)]
    assert texts == ["a b", "a b"]
    assert [c["index"] for c in choices if c["finish_reason"] == "stop"] == [0, 1]


@pytest.mark.parametrize("format", FORMATS)
def test_more_input_is_more_tokens(fake_provider, format):
    short, long = (
        _usage(format, ask(fake_provider.url, format, text=text).json())[0] for text in ("hi", "hi " * 50)
    )
    assert long == short + 49


@pytest.mark.parametrize("format", FORMATS)
def test_tools_images_and_calls_are_counted(fake_provider, format):
    plain = _usage(format, ask(fake_provider.url, format).json())[0]
    assert _usage(format, ask(fake_provider.url, format, tools=TOOLS[format]).json())[0] > plain
    image = {
        "openai": {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
        "anthropic": {"type": "image", "source": {"type": "base64", "data": "AA"}},
        "gemini": {"inlineData": {"mimeType": "image/png", "data": "AA"}},
    }[format]
    key = "contents" if format == "gemini" else "messages"
    turn = {"role": "user", ("parts" if format == "gemini" else "content"): [image]}
    assert _usage(format, ask(fake_provider.url, format, **{key: [turn]}).json())[0] >= 85


def test_each_format_reports_cached_written_and_reasoning_tokens_its_own_way(fake_provider):
    answer = Answer(
        "x", input_tokens=100, output_tokens=50, cached_tokens=30, cache_write_tokens=20, reasoning_tokens=40
    )
    fake_provider.script("*", answer)
    openai = ask(fake_provider.url, "openai").json()["usage"]
    assert (openai["prompt_tokens"], openai["prompt_tokens_details"]["cached_tokens"]) == (100, 30)
    assert (openai["completion_tokens"], openai["completion_tokens_details"]["reasoning_tokens"]) == (50, 40)
    anthropic = ask(fake_provider.url, "anthropic").json()["usage"]
    assert anthropic["input_tokens"] == 50
    assert (anthropic["cache_read_input_tokens"], anthropic["cache_creation_input_tokens"]) == (30, 20)
    gemini = ask(fake_provider.url, "gemini").json()["usageMetadata"]
    assert (gemini["promptTokenCount"], gemini["cachedContentTokenCount"]) == (100, 30)
    assert (gemini["candidatesTokenCount"], gemini["thoughtsTokenCount"], gemini["totalTokenCount"]) == (
        10,
        40,
        150,
    )


@pytest.mark.parametrize(("include", "chunks"), [(True, 1), (False, 0)])
def test_openai_sends_usage_in_a_stream_when_asked(fake_provider, include, chunks):
    events = ask(fake_provider.url, stream=True, stream_options={"include_usage": include}).events()
    found = [event["usage"] for event in events if event != "[DONE]" and event.get("usage")]
    assert len(found) == chunks
    assert not include or (events[-2]["choices"] == [] and found[0]["completion_tokens"] > 0)


@pytest.mark.parametrize("kind", ["mistral", "deepseek", "openrouter"])
def test_some_providers_send_usage_in_a_stream_unasked(fake_provider, kind):
    with Client(fake_provider.url) as client:
        events = client.call(f"/{kind}/v1/chat/completions", body_for("openai", stream=True)).events()
    assert [bool(event.get("usage")) for event in events if event != "[DONE]"].count(True) == 1


@pytest.mark.parametrize("format", FORMATS)
def test_a_refusal_is_told_in_the_formats_own_way(fake_provider, format):
    fake_provider.script("*", Answer(refusal="I can't help with that."))
    body = ask(fake_provider.url, format).json()
    if format == "openai":
        assert body["choices"][0]["message"]["refusal"] == "I can't help with that."
    else:
        assert text_of(format, body) == "I can't help with that."
    assert _finish(format, body) in ("stop", "refusal", "STOP")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_filtered_answer_has_the_finish_reason_and_no_text(fake_provider, format, stream):
    fake_provider.script("*", ContentFilter(where="answer"))
    response = ask(fake_provider.url, format, stream=stream)
    shown = response.body.decode()
    assert any(reason in shown for reason in ('"content_filter"', '"refusal"', '"SAFETY"'))
    assert "sea" not in shown


def test_gemini_without_sse_streams_a_json_array(fake_provider):
    path = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
    with Client(fake_provider.url) as client:
        response = client.call(path, body_for("gemini"))
    assert "Why is the sea salty?" in "".join(text_of("gemini", part) for part in response.json())
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("stream", [False, True])
def test_an_instant_answer_is_rendered_once_for_each_model(format, stream):
    with FakeProvider(default=Answer("pong", instant=True)) as provider:
        one, two = (ask(provider.url, format, text=text, stream=stream) for text in ("a", "b c d"))
        assert one.body == two.body
        assert one.headers == two.headers
        assert b"pong" in one.body
        assert provider.request_count == 2
        if format != "gemini":
            assert b'"other-model"' in ask(provider.url, format, model="other-model", stream=stream).body


def test_with_a_fixed_clock_every_run_gives_the_same_bytes():
    def run():
        with FakeProvider(wall_clock=lambda: 1_700_000_000.0) as provider:
            return [ask(provider.url, each, stream=stream) for each in FORMATS for stream in (False, True)]

    assert run() == run()
