"""Counting before sending: exact where tiktoken is the tokenizer, never below what others make of the same text."""

import hashlib
import importlib.util
import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.adapters import encodings
from router.adapters.encodings import encoding
from router.adapters.tiktoken_tokens import ENCODED_CHARS, TiktokenTokens
from router.adapters.token_families import FAMILIES, always_searches, token_class
from router.errors import StoreError
from router.plan import TokenClass
from router.values import InputEstimate
from tests.recordings import CHECKOUT

SAMPLES = json.loads(Path(__file__).with_name("scripts.json").read_text(encoding="utf-8"))
"""A sentence in each of many scripts, and the sorts of text that tokenizers differ over."""

EXACT = token_class("openai", "gpt-5-nano")
CLAUDE = token_class("anthropic", "claude-haiku-4-5")
NARROWEST = token_class("groq", "llama-3.3-70b-versatile")
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather at a place",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}


def user(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **fields}


def estimate(
    *messages: dict[str, Any], tokens: TokenClass = EXACT, context: int | None = 200_000, **params: Any
) -> InputEstimate:
    return TiktokenTokens().reader(messages).estimate(params, tokens, context_tokens=context)


def more(part: dict[str, Any], *, tokens: TokenClass = EXACT) -> int:
    """What a part of content adds to the bound."""
    with_part = estimate(user([{"type": "text", "text": "look"}, part]), tokens=tokens)
    return with_part.bound - estimate(user([{"type": "text", "text": "look"}]), tokens=tokens).bound


def png(width: int, height: int) -> str:
    head = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return "data:image/png;base64," + b64encode(head + bytes(40)).decode()


def image(url: str, **fields: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **fields}}


# --- encodings ----------------------------------------------------------------------------------------------------


def tokenizers_folder() -> Path:
    spec = importlib.util.find_spec("litellm")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations))) / "litellm_core_utils" / "tokenizers"


def test_nothing_is_loaded_before_it_is_used_and_the_environment_stays():
    code = """
import os, sys
before = dict(os.environ)
from router.adapters.tiktoken_tokens import TiktokenTokens
tokens = TiktokenTokens()
assert "tiktoken" not in sys.modules
assert tokens.count_text("hello world", "o200k_base") == 2
assert dict(os.environ) == before
print(sorted({"litellm", "yaml", "requests"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=CHECKOUT, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base"])
def test_an_encoding_is_tiktokens_own(name, monkeypatch):
    from tiktoken_ext import openai_public

    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tokenizers_folder()))
    theirs = getattr(openai_public, name)()
    ours = encoding(name)
    assert ours.name == name
    assert ours._pat_str == theirs["pat_str"]
    assert ours._mergeable_ranks == theirs["mergeable_ranks"]
    assert ours._special_tokens == theirs["special_tokens"]


def test_a_damaged_file_is_an_error_and_is_not_replaced_from_the_network(tmp_path, monkeypatch):
    url = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
    (tmp_path / hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()).write_bytes(b"aGVsbG8= 0\n")
    monkeypatch.setattr(encodings, "_folder", lambda: tmp_path)
    with pytest.raises(StoreError, match="is damaged") as caught:
        encoding.__wrapped__("o200k_base")
    assert caught.value.port == "tokens"


def test_an_unknown_or_missing_encoding_is_an_error(tmp_path, monkeypatch):
    with pytest.raises(StoreError):
        encoding("no_such_base")
    monkeypatch.setattr(encodings, "_folder", lambda: tmp_path)
    with pytest.raises(StoreError):
        encoding.__wrapped__("cl100k_base")


def test_threads_that_race_count_alike():
    tokens = TiktokenTokens()
    with ThreadPoolExecutor(8) as pool:
        counts = set(
            pool.map(lambda _: tokens.count_text("The quick brown fox. " * 50, "cl100k_base"), range(32))
        )
    assert len(counts) == 1


# --- text ---------------------------------------------------------------------------------------------------------


def test_text_of_openais_models_is_counted_exactly_with_a_few_tokens_a_message():
    text = "Fallback chains, budgets and limits, one file."
    counted = TiktokenTokens().count_text(text, "o200k_base")
    assert estimate(user(text)).bound == counted + 4 + 5
    assert estimate(user([{"type": "text", "text": text}])).bound == counted + 4 + 5
    assert estimate(user(text), user(text)).bound == 2 * (counted + 5) + 4
    assert estimate(user(text)).unbounded == ()


def test_older_models_use_the_older_encoding():
    text = "ნამდვილად სხვა დამწერლობაა"
    old, new = token_class("openai", "gpt-3.5-turbo"), token_class("openai", "gpt-4o")
    assert estimate(user(text), tokens=old).bound > estimate(user(text), tokens=new).bound


def test_markers_of_a_chat_format_are_text():
    assert TiktokenTokens().count_text("<|endoftext|>", "o200k_base") > 1
    assert estimate(user("<|endoftext|><|im_start|>")).bound > 10


@pytest.mark.parametrize("text", ["", " ", "\ud83d", "\0"])
def test_odd_text_is_counted(text):
    for tokens in (EXACT, CLAUDE):
        assert estimate(user(text), tokens=tokens).bound >= 9


@pytest.fixture(scope="module")
def others() -> dict[str, Callable[[str], int]]:
    """Two that nothing is counted with: an OpenAI one of half the size, and Anthropic's own old one."""
    from tokenizers import Tokenizer

    old_claude = Tokenizer.from_file(str(tokenizers_folder() / "anthropic_tokenizer.json"))
    return {
        "cl100k": lambda text: len(encoding("cl100k_base").encode_ordinary(text)),
        "claude 2": lambda text: len(old_claude.encode(text, add_special_tokens=False).ids),
    }


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_bound_covers_other_tokenizers_in_every_script(sample, others):
    text = SAMPLES[sample]
    assert estimate(user(text), tokens=NARROWEST).bound - 50 >= others["cl100k"](text)
    assert estimate(user(text), tokens=CLAUDE).bound - 15 >= others["claude 2"](text)


@given(
    st.lists(st.tuples(st.sampled_from(sorted(SAMPLES)), st.integers(0, 60), st.integers(1, 60)), max_size=6)
)
@settings(max_examples=150, deadline=None)
def test_the_bound_covers_any_mixture(pieces):
    text = "".join(SAMPLES[name][start : start + size] for name, start, size in pieces)
    counted = len(encoding("cl100k_base").encode_ordinary(text))
    assert estimate(user(text), tokens=CLAUDE).bound >= counted


def test_single_digits_are_reserved_for_tokenizers_that_split_numbers():
    digits = "31415926535897932384626433832795" * 10
    assert estimate(user(digits), tokens=NARROWEST).bound >= len(digits)


def test_a_word_that_is_one_token_here_may_be_two_elsewhere():
    """A recorded prompt of a thousand times `farewell` was billed at twice the count."""
    counted = TiktokenTokens().count_text("farewell " * 1024, "o200k_base")
    assert estimate(user("farewell " * 1024), tokens=CLAUDE).bound >= 2 * counted


@given(st.text(max_size=200), st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_more_text_never_lowers_a_bound_and_no_bound_is_below_its_estimate(first, second):
    for tokens in (EXACT, CLAUDE):
        one, two = estimate(user(first), tokens=tokens), estimate(user(first), user(second), tokens=tokens)
        assert one.bound < two.bound
        assert one.tokens <= one.bound
        assert two.tokens <= two.bound


@pytest.mark.parametrize("text", ["1234567890" * 50, SAMPLES["amharic"], "ა" * 500, " \n" * 300])
def test_no_bound_of_text_is_above_its_bytes(text):
    assert estimate(user(text), tokens=CLAUDE).bound <= len(text.encode()) + 15


# --- very long text -----------------------------------------------------------------------------------------------


def test_what_is_beyond_the_limit_is_bounded_by_its_bytes():
    head, rest = "word " * (ENCODED_CHARS // 5), "überlang " * 1000
    short, long = estimate(user(head)), estimate(user(head + rest))
    assert long.bound - short.bound == len(rest.encode())
    assert long.tokens - short.tokens == len(rest.encode()) // 4


def test_the_limit_is_on_the_whole_request():
    text = "word " * (ENCODED_CHARS // 5)
    assert estimate(user(text), user(text)).bound >= estimate(user(text)).bound + len(text)


def test_text_in_pieces_is_bounded_as_well_as_whole():
    text = "The committee agreed that the new bridge opens in spring. " * 2500
    whole = len(encoding("o200k_base").encode_ordinary(text))
    assert whole <= estimate(user(text)).bound <= whole * 1.01


def test_the_count_of_a_very_long_text_is_carried_on():
    text = "word " * (ENCODED_CHARS // 5)
    tokens = TiktokenTokens()
    assert tokens.count_text(text * 3, "o200k_base") == pytest.approx(
        3 * tokens.count_text(text, "o200k_base"), rel=0.01
    )


def test_one_endless_word_is_counted_in_bounded_time():
    assert estimate(user("a" * 1_000_000)).bound >= 800_000


# --- everything else in a message -----------------------------------------------------------------------------------


def test_names_tool_calls_ids_and_unknown_fields_count():
    bare = estimate({"role": "assistant", "content": "yes"}).bound
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"place": "Ulm"}'},
    }
    for field in (
        {"name": "planner"},
        {"tool_calls": [call]},
        {"function_call": {"name": "get_weather", "arguments": "{}"}},
        {"tool_call_id": "call_1"},
        {"reasoning_content": "First I look at the map."},
        {"thinking_blocks": [{"type": "thinking", "thinking": "First the map.", "signature": "A" * 90}]},
        {"refusal": "I can't help with that."},
        {"a_field_of_tomorrow": {"deep": ["words", "that", "count"]}},
    ):
        assert estimate({"role": "assistant", "content": "yes", **field}).bound > bare, field


def test_empty_fields_cost_nothing():
    bare = estimate({"role": "assistant", "content": "yes"})
    empty = {
        "tool_calls": None,
        "function_call": None,
        "refusal": None,
        "cache_control": {"type": "ephemeral"},
    }
    assert estimate({"role": "assistant", "content": "yes", **empty}) == bare
    assert estimate({"role": "assistant"}).bound == 9


def test_tools_and_a_schema_count_by_family():
    bare, with_tool = estimate(user("hi")).bound, estimate(user("hi"), tools=[TOOL]).bound
    assert bare + 100 < with_tool < bare + 250
    claude = estimate(user("hi"), tokens=CLAUDE, tools=[TOOL]).bound
    assert claude > with_tool + 500
    schema = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
    assert estimate(user("hi"), response_format=schema).bound > bare + 30
    assert estimate(user("hi"), response_format={"type": "text"}).bound == bare
    assert estimate(user("hi"), tools=[]).bound == bare


def test_custom_tools_and_the_old_functions_are_tools():
    custom = {"type": "custom", "custom": {"name": "calc", "format": {"type": "text"}}}
    assert estimate(user("hi"), tools=[custom]).bound > estimate(user("hi"), tools=[TOOL]).bound
    old = estimate(user("hi"), functions=[TOOL["function"]])
    assert old.unbounded == ()
    assert old.bound > estimate(user("hi")).bound + 90


def test_asking_for_reasoning_adds_the_prompt_for_it():
    bare = estimate(user("hi"), tokens=CLAUDE).bound
    assert estimate(user("hi"), tokens=CLAUDE, reasoning_effort="high").bound > bare
    assert estimate(user("hi"), tokens=CLAUDE, thinking={"type": "enabled"}).bound > bare
    assert (
        estimate(user("hi"), tokens=CLAUDE, reasoning_effort="none", thinking={"type": "disabled"}).bound
        == bare
    )


# --- images, sound, files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "size", "tokens"),
    [
        ("gpt-4o", (60, 30), 255),
        ("gpt-4o", (1024, 1024), 765),
        ("gpt-4o", (9000, 9000), 1445),
        ("gpt-4o-mini", (60, 30), 8500),
        ("gpt-5-nano", (60, 30), 255 + 6),
    ],
)
def test_an_image_costs_by_its_size(model, size, tokens):
    assert more(image(png(*size)), tokens=token_class("openai", model)) == tokens


def test_an_image_of_unknown_size_costs_the_most_there_is():
    tokens = token_class("openai", "gpt-4o")
    for url in ("https://example.org/cat.png", "data:image/png;base64,AAAA", "data:image/tiff;base64,////"):
        assert more(image(url), tokens=tokens) == 1445
    assert more(image("https://example.org/cat.png", detail="low"), tokens=tokens) == 85
    assert more({"type": "image_url", "image_url": "https://example.org/cat.png"}, tokens=tokens) == 1445


def test_a_larger_image_never_costs_less():
    for model in ("gpt-4o", "gpt-5", "gpt-4o-mini"):
        tokens = token_class("openai", model)
        costs = [more(image(png(side, side)), tokens=tokens) for side in (1, 100, 513, 1500, 5000, 2**31)]
        assert costs == sorted(costs)


def test_sound_costs_by_its_length():
    def sound(format: str, body: bytes) -> dict[str, Any]:
        return {"type": "input_audio", "input_audio": {"data": b64encode(body).decode(), "format": format}}

    head = b"RIFF" + bytes(4) + b"WAVEfmt " + bytes(12) + (16_000).to_bytes(4, "little")
    ten_seconds = more(sound("wav", head + bytes(160_000)))
    assert 120 <= ten_seconds <= 150
    assert more(sound("mp3", bytes(160_000))) >= 10 * ten_seconds


def test_a_text_file_counts_as_its_text():
    body = b64encode(b"region,q1,q2\nnorth,1,2\n").decode()
    file = {"type": "file", "file": {"file_data": f"data:text/csv;base64,{body}", "filename": "sales.csv"}}
    found = estimate(user([file]))
    assert found.unbounded == ()
    assert 100 < found.bound < 160


def test_a_file_of_unknown_length_is_bounded_by_the_context_window_alone():
    pdf = {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0xLjQK"}}
    assert estimate(user([pdf]), context=128_000).bound == 128_000
    unknown = estimate(user([pdf]), context=None)
    assert "context window" in unknown.unbounded[0]
    for part in (
        {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"},
        },
        {"type": "a_part_of_tomorrow", "body": "?"},
    ):
        assert estimate(user([part]), context=128_000).bound == 128_000


def test_the_window_class_reserves_the_window():
    window = TokenClass(method="window")
    assert estimate(user("hi"), tokens=window, context=32_000).bound == 32_000
    assert estimate(user("hi"), tokens=window, context=None).unbounded


# --- what can't be bounded ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "named"),
    [
        (
            {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
            "server-side tool `web_search_20250305`",
        ),
        ({"tools": [{"googleSearch": {}}]}, "server-side tool `googleSearch`"),
        (
            {"tools": [{"type": "openrouter:web_search", "parameters": {}}]},
            "server-side tool `openrouter:web_search`",
        ),
        ({"web_search_options": {}}, "server-side search"),
        ({"cached_content": "cachedContents/1"}, "content cached at the provider"),
        ({"previous_response_id": "resp_1"}, "a conversation kept at the provider"),
        ({"plugins": [{"id": "web"}]}, "server-side plugins"),
    ],
)
def test_parameters_that_make_a_provider_add_input_are_named(params, named):
    assert estimate(user("hi"), **params).unbounded == (named,)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "input_file", "file_url": "https://example.org/a.pdf"},
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "document", "source": {"type": "url", "url": "https://example.org/a.pdf"}},
        {"type": "video_url", "video_url": {"url": "https://example.org/a.mp4"}},
    ],
)
def test_a_file_that_is_only_named_is_fetched_by_the_provider(part):
    assert estimate(user([part])).unbounded == ("a file that the provider fetches",)


def test_a_cache_written_for_an_hour_is_told_and_one_of_another_length_is_named():
    def text(**control: str) -> dict[str, Any]:
        return {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral", **control}}

    def said(messages: Any, **params: Any) -> tuple[bool, tuple[str, ...]]:
        found = estimate(messages, **params)
        return found.for_an_hour, found.unbounded

    tool = {
        "type": "function",
        "function": {"name": "f"},
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
    }
    assert said(user([text()])) == (False, ())
    assert said(user([text(ttl="5m")])) == (False, ())
    assert said(user([text(ttl="1h"), text(ttl="5m")])) == (True, ())
    assert said(user("hi", cache_control={"ttl": "1h"})) == (True, ())
    assert said(user("hi"), tools=[tool]) == (True, ())
    assert said(user("hi"), cache_control={"type": "ephemeral", "ttl": "1h"}) == (True, ())
    assert said(user([text(ttl="2h"), text(ttl="2h")])) == (False, ("a cache written for 2h",))


def test_models_that_search_and_bill_what_they_find_are_named():
    assert estimate(user("hi"), tokens=token_class("openai", "o4-mini-deep-research")).unbounded == (
        "server-side search",
    )
    assert estimate(user("hi"), tokens=token_class("openrouter", "openai/gpt-4o:online")).unbounded
    assert estimate(user("hi"), tokens=token_class("groq", "compound-mini")).unbounded
    assert estimate(user("hi"), tokens=token_class("openai", "gpt-4o")).unbounded == ()


# --- families -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "model", "method", "family"),
    [
        ("openai", "gpt-4o-mini-2024-07-18", "exact", "gpt-4o-mini"),
        ("openai", "gpt-4.1", "exact", "gpt-4o"),
        ("openai", "gpt-4.1-nano", "exact", "openai"),
        ("openai", "o3", "exact", "gpt-4o"),
        ("openai", "o4-mini", "exact", "openai"),
        ("openai", "gpt-5.1-codex-mini", "exact", "openai"),
        ("openai", "gpt-4-turbo", "exact", "gpt-4"),
        ("azure", "gpt-35-turbo", "exact", "gpt-4"),
        ("openrouter", "openai/gpt-4o", "exact", "gpt-4o"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::1", "exact", "gpt-4o-mini"),
        ("openai", "gpt-6-sol", "margin", ""),
        ("groq", "openai/gpt-oss-20b", "margin", "gpt-oss"),
        ("anthropic", "claude-haiku-4-5", "margin", "claude"),
        ("bedrock", "us.anthropic.claude-3-7-sonnet-20250219-v1:0", "margin", "claude"),
        ("openrouter", "anthropic/claude-opus-4.7", "margin", "claude-5"),
        ("anthropic", "claude-sonnet-5", "margin", "claude-5"),
        ("gemini", "gemini-2.5-flash", "margin", "gemini-2"),
        ("vertex_ai", "gemini-3-pro-preview", "margin", "gemini"),
        ("ollama", "llama3.1", "margin", "llama"),
        ("ollama", "phi4", "margin", ""),
        ("ollama", "qwen3", "margin", "qwen"),
        ("ollama", "deepseek-r1", "margin", "deepseek"),
        ("groq", "meta-llama/llama-4-scout-17b-16e-instruct", "margin", "llama-4"),
        ("xai", "grok-4", "margin", "grok-4"),
        ("xai", "grok-4-fast-reasoning", "margin", "grok"),
        ("cohere", "command-a-03-2025", "margin", "command"),
        ("bedrock", "us.amazon.nova-2-lite-v1:0", "margin", "nova"),
        ("huggingface", "AIDC-AI/Marco-o1", "margin", ""),
        ("hosted_vllm", "my-own-model", "margin", ""),
    ],
)
def test_a_model_belongs_to_a_family_by_its_name(kind, model, method, family):
    found = token_class(kind, model)
    assert (found.method, found.family) == (method, family)


def test_a_model_of_no_family_has_the_widest_reserves():
    unknown = token_class("hosted_vllm", "my-own-model")
    assert unknown.margin_percent == 60
    assert TokenClass(method="margin", margin_percent=60).family == unknown.family
    assert estimate(user("hi"), tokens=TokenClass(method="margin", margin_percent=60)).bound >= 200
    assert all(family.tools_tokens <= 1500 for family in FAMILIES.values())


@pytest.mark.parametrize(
    ("kind", "model", "always"),
    [
        ("perplexity", "sonar-pro", True),
        ("openai", "gpt-4o-search-preview", True),
        ("perplexity", "sonar-deep-research", False),
        ("openai", "gpt-4o", False),
    ],
)
def test_models_that_search_on_every_call_for_a_fee(kind, model, always):
    assert always_searches(kind, model) is always
