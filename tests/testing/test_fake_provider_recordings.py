"""The fake provider's bodies against real ones: every field it sends a real provider sends too, and none is missing
that all the real ones have."""

import json

import pytest
import yaml

from router.testing import (
    Answer,
    ContextTooLong,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    ServerError,
    ToolCall,
    Unauthorized,
)
from tests.testing.raw_http import Client, body_for

pytestmark = pytest.mark.recordings

PATHS = {
    "anthropic": "/anthropic/v1/messages",
    "azure": "/azure/openai/deployments/m/chat/completions",
    "gemini": "/gemini/v1beta/models/gemini-2.5-flash:generateContent",
}
FAMILIES = [
    "openai",
    "anthropic",
    "gemini",
    "groq",
    "mistral",
    "xai",
    "deepseek",
    "azure",
    "openrouter",
    "cerebras",
]
TOOL = {"type": "object", "properties": {"city": {"type": "string"}}}

# Fields of real bodies that the fake one leaves out: of some models only, of one account, or copies of headers.
NOT_SENT = {
    ("gemini", "candidates[].avgLogprobs"),
    ("gemini", "error.details[].links[]"),
    ("gemini", "error.details[].links[].description"),
    ("gemini", "error.details[].links[].url"),
    ("gemini", "error.details[].links"),
    ("openrouter", "user_id"),
    ("openrouter", "error.metadata.headers"),
    ("openrouter", "error.metadata.headers.X-RateLimit-Limit"),
    ("openrouter", "error.metadata.headers.X-RateLimit-Remaining"),
    ("openrouter", "error.metadata.headers.X-RateLimit-Reset"),
}


def _format(kind):
    return kind if kind in ("anthropic", "gemini") else "openai"


def _tools(format):
    if format == "openai":
        return [{"type": "function", "function": {"name": "look", "parameters": TOOL}}]
    if format == "anthropic":
        return [{"name": "look", "input_schema": TOOL}]
    return [{"functionDeclarations": [{"name": "look", "parametersJsonSchema": TOOL}]}]


def _fake(provider, kind, **more):
    path = PATHS.get(kind, f"/{kind}/v1/chat/completions")
    with Client(provider.url) as client:
        return client.call(path, body_for(_format(kind), **more))


def _fields(value, at=""):
    """The paths of a JSON value; what a model or a tool makes up is not looked into."""
    if isinstance(value, list):
        return {path for item in value for path in _fields(item, f"{at}[]")}
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, inner in value.items():
        path = f"{at}.{key}".lstrip(".")
        found.add(path)
        if not path.endswith((".args", ".input", "content_filter_results")):
            found |= _fields(inner, path)
    return found


def _recorded(folder, kind, pattern):
    """The parsed bodies of a provider's recordings of one behaviour."""
    bodies = []
    for file in sorted((folder / kind).glob(pattern)):
        for exchange in yaml.load(file.read_text(), yaml.CSafeLoader)["interactions"]:
            text = exchange["response"]["body"].get("string") or ""
            found = _parsed(text if isinstance(text, str) else text.decode("utf-8", "replace"))
            if isinstance(found, dict):
                bodies.append(found)
    return bodies


def _parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def _missing(kind, real, sent):
    """What all the real ones have and the fake one has not."""
    return {field for field in set.intersection(*real) - sent if (kind, field) not in NOT_SENT}


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_good_answer_has_the_fields_of_a_real_one(fake_provider, recordings, kind):
    real = [_fields(body) for body in _recorded(recordings, kind, "chat_plain__*")]
    every = [_fields(body) for body in _recorded(recordings, kind, "chat_*") if "error" not in body]
    assert real
    sent = _fields(_fake(fake_provider, kind).json())
    assert sent - set.union(*every) == set()
    assert _missing(kind, real, sent) == set()


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_tool_call_has_the_fields_of_a_real_one(fake_provider, recordings, kind):
    every = [_fields(body) for body in _recorded(recordings, kind, "*tool_call*") if "error" not in body]
    fake_provider.script("*", Answer(tool_calls=[ToolCall("look")]))
    sent = _fields(_fake(fake_provider, kind, tools=_tools(_format(kind))).json())
    plain = [_fields(body) for body in _recorded(recordings, kind, "chat_*") if "error" not in body]
    assert sent - set.union(*every, *plain) == set()
    mark = {
        "openai": "tool_calls[].function.arguments",
        "anthropic": "content[].input",
        "gemini": "functionCall.args",
    }
    assert any(field.endswith(mark[_format(kind)]) for field in sent)


@pytest.mark.parametrize(
    ("kind", "fault", "pattern"),
    [
        ("openai", Unauthorized(), "error_401*"),
        ("openai", RateLimited(), "error_429*"),
        ("openai", NotFound(), "error_404*"),
        ("openai", ContextTooLong(), "error_400_context*"),
        ("anthropic", Unauthorized(), "error_401*"),
        ("anthropic", RateLimited(), "error_429*"),
        ("anthropic", NotFound(), "error_404*"),
        ("anthropic", ContextTooLong(), "error_400_context*"),
        ("anthropic", QuotaExceeded(), "error_400_insufficient*"),
        ("anthropic", Overloaded(), "error_529*"),
        ("gemini", Unauthorized(), "error_400_invalid_key*"),
        ("gemini", RateLimited(), "error_429_insufficient*"),
        ("gemini", NotFound(), "error_404*"),
        ("gemini", ContextTooLong(), "error_400_context*"),
        ("gemini", QuotaExceeded(), "error_429_insufficient*"),
        ("groq", Unauthorized(), "error_401*"),
        ("groq", NotFound(), "error_404*"),
        ("mistral", RateLimited(), "error_429*"),
        ("mistral", ServerError(), "error_500*"),
        ("xai", Unauthorized(), "error_400_invalid_key*"),
        ("xai", NotFound(), "error_404*"),
        ("xai", Overloaded(), "error_503*"),
        ("deepseek", Unauthorized(), "error_401*"),
        ("deepseek", ContextTooLong(), "error_400_context*"),
        ("azure", Unauthorized(), "error_401*"),
        ("azure", NotFound(), "error_404*gpt-5-nano*"),
        ("openrouter", Unauthorized(), "error_401*"),
        ("openrouter", RateLimited(), "error_429*"),
        ("openrouter", ContextTooLong(), "error_400_context*"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_error_has_the_status_and_fields_of_a_real_one(fake_provider, recordings, kind, fault, pattern):
    [*real] = _recorded(recordings, kind, pattern)
    assert real
    fake_provider.script("*", fault)
    response = _fake(fake_provider, kind)
    assert f"_{response.status}_" in pattern.replace("*", "_")
    sent = _fields(response.json())
    fields = [_fields(body) for body in real]
    assert sent - set.union(*fields) <= {"request_id"}  # older recordings of Anthropic have none
    assert _missing(kind, fields, sent) == set()


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            "openai",
            ["x-request-id", "openai-version", "openai-processing-ms", "x-ratelimit-remaining-tokens"],
        ),
        (
            "anthropic",
            [
                "request-id",
                "anthropic-ratelimit-requests-remaining",
                "anthropic-ratelimit-input-tokens-reset",
            ],
        ),
        ("groq", ["x-request-id", "x-groq-region", "x-ratelimit-limit-requests", "x-ratelimit-reset-tokens"]),
        ("mistral", ["mistral-correlation-id", "x-ratelimit-remaining-tokens-minute"]),
        ("gemini", ["server-timing", "x-content-type-options"]),
        ("azure", ["apim-request-id", "x-ratelimit-remaining-requests"]),
    ],
)
def test_headers_have_the_names_of_real_ones(fake_provider, recordings, kind, names):
    sent = _fake(fake_provider, kind).headers
    assert set(names) <= set(sent)
    real = set()
    for file in (recordings / kind).glob("chat_*"):
        for exchange in yaml.load(file.read_text(), yaml.CSafeLoader)["interactions"]:
            real |= {name.lower() for name in exchange["response"]["headers"]}
    assert set(names) <= real


@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini", "groq", "mistral", "xai", "deepseek"])
def test_a_stream_has_the_fields_of_a_real_one(fake_provider, recordings, kind):
    real = set()
    for file in (recordings / kind).glob("chat_stream*"):
        for exchange in yaml.load(file.read_text(), yaml.CSafeLoader)["interactions"]:
            text = exchange["response"]["body"].get("string") or ""
            lines = (text if isinstance(text, str) else text.decode("utf-8", "replace")).split("\n")
            real |= {
                field for line in lines for field in _fields(_parsed(line.removeprefix("data:").strip()))
            }
    more = (
        {"stream": True, "stream_options": {"include_usage": True}}
        if _format(kind) == "openai"
        else {"stream": True}
    )
    if kind == "gemini":
        with Client(fake_provider.url) as client:
            path = "/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
            events = client.call(path, body_for("gemini")).events()
    else:
        events = _fake(fake_provider, kind, **more).events()
    sent = {field for event in events if event != "[DONE]" for field in _fields(event)}
    assert len(events) > 2
    assert sent - real == set()
