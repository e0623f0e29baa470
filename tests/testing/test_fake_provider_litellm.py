"""litellm itself against the fake provider: answers, streams, and the exception class of every fault."""

import asyncio
import gc
import json
import os

import pytest

from router.testing import (
    KINDS,
    Answer,
    BadRequest,
    ContentFilter,
    ContextTooLong,
    CutStream,
    Drip,
    DropConnection,
    EmptyStream,
    ErrorInStream,
    FakeProvider,
    Malformed,
    NeverAnswer,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    ServerError,
    Unauthorized,
)

# Both come from litellm's own use of pydantic while it reads a stream.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings(
        "ignore:Accessing the 'model_(computed_)?fields' attribute:DeprecationWarning"
    ),
    # It leaves some of its own sessions open, whatever it is asked; they must not be found by a later test.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

MODELS = {
    "anthropic": "claude-haiku-4-5",
    "azure": "gpt-5-nano",
    "cerebras": "qwen-3-32b",
    "deepseek": "deepseek-chat",
    "fireworks_ai": "accounts/fireworks/models/qwen3-8b",
    "gemini": "gemini-2.5-flash",
    "groq": "openai/gpt-oss-20b",
    "hosted_vllm": "qwen3-8b",
    "mistral": "mistral-small-latest",
    "openai": "gpt-5-nano",
    "openrouter": "anthropic/claude-haiku-4.5",
    "perplexity": "sonar",
    "together_ai": "Qwen/Qwen3-8B",
    "xai": "grok-3",
}
QUESTION = [{"role": "user", "content": "Why is the sea salty?"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(autouse=True)
def _leftovers_end_here():
    yield
    gc.collect()


@pytest.fixture(scope="module")
def litellm():
    """litellm as the project uses it: offline, no retries of its own, no tokenizer fetched."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("LOCAL_MODEL_COST_MAP", "LOCAL_ANTHROPIC_BETA_HEADERS"):
            patch.setenv(f"LITELLM_{name}", "True")
        patch.setenv("LITELLM_MODE", "PRODUCTION")
        patch.setenv("LITELLM_RUST", "false")
        patch.delenv("TIKTOKEN_CACHE_DIR", raising=False)  # litellm sets it; this puts it back afterwards
        import litellm

        patch.setattr(litellm, "suppress_debug_info", True)
        patch.setattr(litellm, "disable_hf_tokenizer_download", True)
        yield litellm


def _call(litellm, provider, kind, **more):
    """One call on a loop of its own; litellm's clients are closed with it."""
    options = {"api_base": provider.base_url(kind), "api_key": "sk-test", "timeout": 5, **more}
    options["_skip_mcp_handler"] = True  # with tools litellm imports `mcp`, which only its extras bring
    if kind == "azure":
        options["api_version"] = "2024-12-01-preview"

    async def run():
        try:
            answer = await litellm.acompletion(
                model=f"{kind}/{MODELS[kind]}", messages=QUESTION, num_retries=0, max_retries=0, **options
            )
            return [chunk async for chunk in answer] if options.get("stream") else answer
        finally:
            await litellm.close_litellm_async_clients()

    return asyncio.run(run())


def _streamed(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


@pytest.mark.parametrize("kind", KINDS)
def test_the_base_url_of_every_kind_is_what_litellm_needs(litellm, fake_provider, kind):
    answer = _call(litellm, fake_provider, kind)
    assert "Why is the sea salty?" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.completion_tokens > 0
    [request] = fake_provider.requests
    assert (request.kind, request.format) == (kind, KINDS[kind].format)
    assert request.model == MODELS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_gives_the_same_text_and_usage(litellm, fake_provider, kind):
    whole = _call(litellm, fake_provider, kind)
    chunks = _call(litellm, fake_provider, kind, stream=True, stream_options={"include_usage": True})
    assert _streamed(chunks) == whole.choices[0].message.content
    usage = next(chunk.usage for chunk in chunks if getattr(chunk, "usage", None))
    assert (usage.prompt_tokens, usage.completion_tokens) == (
        whole.usage.prompt_tokens,
        whole.usage.completion_tokens,
    )


FOUR = ["openai", "anthropic", "gemini", "groq"]
BROKEN = dict.fromkeys(FOUR, ("InternalServerError", 500)) | {"gemini": ("APIConnectionError", 500)}
FORBIDDEN = dict.fromkeys(FOUR, ("BadRequestError", 403)) | {"anthropic": ("PermissionDeniedError", 403)}

# What litellm makes of each fault, by provider: (class, status). It follows the body's words as often as the status.
RAISED = {
    RateLimited(retry_after=2): dict.fromkeys(FOUR, ("RateLimitError", 429)),
    ServerError(): dict.fromkeys(FOUR, ("InternalServerError", 500)),
    ServerError(status=502): dict.fromkeys(FOUR, ("BadGatewayError", 502)) | {"gemini": ("APIConnectionError", 500)},
    ServerError(status=504): dict.fromkeys(FOUR, ("Timeout", 504)),
    Overloaded(): {
        "openai": ("ServiceUnavailableError", 503),
        "groq": ("ServiceUnavailableError", 503),
        "anthropic": ("InternalServerError", 500),
        "gemini": ("InternalServerError", 500),
    },
    Unauthorized(): dict.fromkeys(FOUR, ("AuthenticationError", 401)) | {"groq": ("BadRequestError", 401)},
    Unauthorized(status=403): FORBIDDEN,
    QuotaExceeded(): dict.fromkeys(FOUR, ("RateLimitError", 429)) | {"anthropic": ("BadRequestError", 400)},
    QuotaExceeded(status=402): dict.fromkeys(FOUR, ("PaymentRequiredError", 402))
    | {"openai": ("APIError", 402), "groq": ("APIError", 402)},
    NotFound(): dict.fromkeys(FOUR, ("NotFoundError", 404)),
    BadRequest(): dict.fromkeys(FOUR, ("BadRequestError", 400)),
    ContextTooLong(): dict.fromkeys(FOUR, ("ContextWindowExceededError", 400)),
    ContentFilter(): dict.fromkeys(["openai", "anthropic", "groq"], ("ContentPolicyViolationError", 400)),
    DropConnection(): BROKEN,
    DropConnection(after_bytes=150): BROKEN,
    DropConnection(reset=True): BROKEN,
    CutStream(): BROKEN,
} | {
    Malformed(body=body): {
        "openai": ("InternalServerError", 500),
        "anthropic": ("APIConnectionError", 500),
        "groq": ("APIConnectionError", 500),
        "gemini": ("BadRequestError", 422),
    }
    for body in ("json", "html", "empty")
}  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "kind", "raised"),
    [(fault, kind, raised) for fault, by_kind in RAISED.items() for kind, raised in by_kind.items()],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_every_fault_raises_the_class_that_the_real_one_does(litellm, fake_provider, fault, kind, raised):
    fake_provider.script("*", fault)
    with pytest.raises(Exception) as caught:
        _call(litellm, fake_provider, kind)
    assert (type(caught.value).__name__, caught.value.status_code) == raised
    assert type(caught.value).__module__.startswith("litellm")
    assert fake_provider.request_count == _sends(fault, kind)


def _sends(fault, kind):
    """litellm's own HTTP client takes a reset for a failed connect and sends once more; nothing turns that off."""
    return 2 if fault == DropConnection(reset=True) and kind != "openai" else 1


@pytest.mark.parametrize("kind", FOUR)
def test_the_wait_reaches_the_caller(litellm, fake_provider, kind):
    fake_provider.script("*", RateLimited(retry_after=2))
    with pytest.raises(litellm.RateLimitError) as caught:
        _call(litellm, fake_provider, kind)
    assert caught.value.litellm_response_headers["retry-after"] == "2"


@pytest.mark.parametrize("kind", FOUR)
def test_a_filtered_answer_has_its_finish_reason(litellm, fake_provider, kind):
    fake_provider.script("*", ContentFilter(where="answer"))
    answer = _call(litellm, fake_provider, kind)
    assert answer.choices[0].finish_reason == "content_filter"
    assert not answer.choices[0].message.content


def test_a_prompt_that_gemini_blocks_is_an_answer_without_content(litellm, fake_provider):
    fake_provider.script("*", ContentFilter())
    assert _call(litellm, fake_provider, "gemini").choices[0].finish_reason == "content_filter"


@pytest.mark.parametrize("kind", FOUR)
@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_call_arrives(litellm, fake_provider, kind, stream):
    fake_provider.script("*", Answer(tool_calls=["get_weather"]))
    answer = _call(litellm, fake_provider, kind, tools=[TOOL], stream=stream)
    if stream:
        answer = litellm.stream_chunk_builder(answer)
    [call] = answer.choices[0].message.tool_calls
    assert call.function.name == "get_weather"
    assert set(json.loads(call.function.arguments)) == {"city"}
    assert answer.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("kind", FOUR)
def test_a_forced_tool_is_called(litellm, fake_provider, kind):
    choice = {"type": "function", "function": {"name": "get_weather"}}
    answer = _call(litellm, fake_provider, kind, tools=[TOOL], tool_choice=choice)
    assert answer.choices[0].message.tool_calls[0].function.name == "get_weather"


@pytest.mark.parametrize("kind", FOUR)
def test_structured_output_fits(litellm, fake_provider, kind):
    shape = {
        "name": "trip",
        "schema": TOOL["function"]["parameters"] | {"additionalProperties": False},
        "strict": True,
    }
    answer = _call(
        litellm, fake_provider, kind, response_format={"type": "json_schema", "json_schema": shape}
    )
    assert set(json.loads(answer.choices[0].message.content)) == {"city"}


@pytest.mark.parametrize("kind", ["openai", "gemini"])
def test_several_choices_arrive(litellm, fake_provider, kind):
    answer = _call(litellm, fake_provider, kind, n=2)
    assert len({choice.message.content for choice in answer.choices}) == 2


@pytest.mark.parametrize("kind", FOUR)
@pytest.mark.parametrize("fault", [CutStream(), ErrorInStream()], ids=["cut", "error"])
def test_a_stream_that_breaks_raises(litellm, fake_provider, kind, fault):
    fake_provider.script("*", fault)
    with pytest.raises(Exception) as caught:
        _call(litellm, fake_provider, kind, stream=True)
    foreign = kind == "groq" and isinstance(
        fault, ErrorInStream
    )  # litellm takes the code, a word, for a number
    assert type(caught.value).__module__.startswith("builtins" if foreign else "litellm")


@pytest.mark.parametrize("kind", FOUR)
def test_a_stream_without_content_is_read_without_content(litellm, fake_provider, kind):
    fake_provider.script("*", EmptyStream())
    assert _streamed(_call(litellm, fake_provider, kind, stream=True)) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_the_environment_alone_points_litellm_here(litellm, monkeypatch, kind):
    with FakeProvider() as provider:
        for name in os.environ:
            if name.endswith(("_API_KEY", "_API_BASE", "_BASE_URL")):
                monkeypatch.delenv(name)
        for name, value in provider.environment().items():
            monkeypatch.setenv(name, value)
        answer = _call(litellm, provider, kind, api_base=None, api_key=None)
        assert answer.choices[0].message.content
        assert provider.requests[0].kind == kind


@pytest.mark.parametrize("kind", FOUR)
def test_a_call_given_up_at_its_deadline_is_seen_to_close_its_socket(litellm, fake_provider, kind):
    fake_provider.script("*", [Drip(head_s=0.02), NeverAnswer()])

    async def run():
        for _ in range(2):
            call = litellm.acompletion(
                model=f"{kind}/{MODELS[kind]}",
                messages=QUESTION,
                api_base=fake_provider.base_url(kind),
                api_key="sk-test",
                num_retries=0,
                max_retries=0,
            )
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(call, 0.1)
        await asyncio.sleep(0.02)
        seen = fake_provider.requests
        await litellm.close_litellm_async_clients()
        return seen

    seen = asyncio.run(run())
    assert [request.closed_by_client for request in seen] == [True, True]
    assert all(request.closed_at_s - request.received_at_s < 0.2 for request in seen)
