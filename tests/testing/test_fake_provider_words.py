"""Texts and token counts: deterministic, and never more tokens than the tokenizer would bill."""

import importlib.util
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from router.testing.fake_provider_words import count_tokens, cut_to_tokens, pieces, story

WORDS = [
    *("the", "don't", "we'll", "x1", "v2.0", "3,000", "snake_case", "camelCase", "HTTPServer"),
    *("12345678", "U.S.A.", "O'Brien", "naïve", "你好", "नमस्ते", "½²"),
]
TEXTS = st.one_of(
    st.text(), st.lists(st.sampled_from(WORDS)).map(" ".join), st.text(alphabet="aB1 ²'\u2019é\u0301\n你न्")
)


@pytest.fixture(scope="module")
def encodings():
    """Both encodings from the files inside litellm's package: no network."""
    found = importlib.util.find_spec("litellm")
    assert found is not None
    assert found.origin is not None
    folder = Path(found.origin).parent / "litellm_core_utils" / "tokenizers"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
        return [tiktoken.get_encoding(name) for name in ("cl100k_base", "o200k_base")]


@settings(deadline=None, max_examples=300)
@given(text=TEXTS)
def test_the_count_is_never_above_the_tokenizers(encodings, text):
    counted = count_tokens(text)
    for encoding in encodings:
        assert counted <= len(encoding.encode(text, disallowed_special=()))


def test_the_count_is_plausible(encodings):
    text = "Please explain in two sentences why the sea is salty, and name the main source of the salt."
    assert count_tokens(text) >= 0.7 * len(encodings[1].encode(text))


@given(text=TEXTS, words=st.integers(1, 5))
def test_pieces_joined_are_the_text_again(text, words):
    assert "".join(pieces(text, words)) == text


@given(text=TEXTS, tokens=st.integers(0, 20))
def test_a_cut_is_the_longest_beginning_within_the_tokens(text, tokens):
    cut = cut_to_tokens(text, tokens)
    assert text.startswith(cut)
    assert count_tokens(cut) == min(tokens, count_tokens(text))


def test_a_story_quotes_the_question_and_each_choice_is_another():
    told = [story("openai/gpt-5-nano", "Why is {the} sea\n salty?", choice) for choice in range(6)]
    assert len(set(told)) == 6
    assert all("“Why is {the} sea salty?”" in text and "openai/" not in text for text in told)
    assert told[0] == story("gpt-5-nano", "Why is {the} sea\n salty?", 0)


def test_a_long_question_is_quoted_in_part():
    told = story("m", "word " * 200, 0)
    assert "…”" in told
    assert len(told) < 500
