"""The table of what models don't take says what the litellm in use says. `python -m tests.params` asks it all;
here a model or two of each kind are, and one of each group of OpenAI's and Anthropic's."""

import json
from collections.abc import Iterator
from importlib.metadata import version

import pytest

from router.adapters.param_book import TABLE, ParamBook
from router.adapters.price_file import PriceFile
from router.decide.params import CHAT_PARAMS, KEPT, VALUES, words_of
from router.policy.kinds import KINDS
from router.policy.load import load_text
from tests.params.ask import BY_EFFORT, EFFORTS, PLAIN, refused

KINDS_OF = json.loads(TABLE.read_text(encoding="utf-8"))["kinds"]
ASKED_WHOLE = ("openai", "anthropic")


def sampled() -> Iterator[tuple[str, str]]:
    book = PriceFile.load()
    for kind, of in KINDS_OF.items():
        groups = sorted(of["some"], key=lambda each: -len(each["models"]))
        for group in groups if kind in ASKED_WHOLE else groups[:1]:
            yield kind, group["models"][len(group["models"]) // 2]
        known = {model for group in groups for model in group["models"]}
        yield from ((kind, model) for model in book.models(kind)[:1] if model not in known)


def test_the_table_was_made_with_the_litellm_in_use_and_knows_every_kind() -> None:
    assert json.loads(TABLE.read_text(encoding="utf-8"))["litellm"] == version("litellm"), (
        "python -m tests.params"
    )
    assert KINDS_OF.keys() == KINDS.keys()


def test_litellm_says_the_same() -> None:
    import router.adapters.litellm_env  # noqa: F401 - litellm, made quiet

    book, asked = ParamBook.load(), dict.fromkeys(sampled())
    assert len(asked) > 40
    differing = {
        (kind, model): sorted(refused(kind, model) ^ book.refuses(kind, [model]))
        for kind, model in asked
        if refused(kind, model) != book.refuses(kind, [model])
    }
    assert differing == {}


def test_every_parameter_is_asked_about_and_every_word_is_one_that_a_request_can_meet() -> None:
    asked = {word.partition(" ")[0].partition("=")[0].rstrip("!") for word in _words()}
    assert asked == CHAT_PARAMS.keys() - {"max_completion_tokens"}  # which is sent as `max_tokens`
    assert VALUES["reasoning_effort"] == EFFORTS
    assert CHAT_PARAMS.keys() >= KEPT
    meant = {
        word
        for question in (*PLAIN, *BY_EFFORT)
        for name, value in question.params.items()
        for effort in ("by default", "without reasoning", "with reasoning")
        for word, _ in words_of(name, value, effort)  # type: ignore[arg-type]
    }
    written = {word for of in KINDS_OF.values() for word in of["any"]}
    written |= {word for of in KINDS_OF.values() for group in of["some"] for word in group["refuses"]}
    plain = {word for word in written if " within " not in word}
    assert plain <= meant
    assert {word.partition(" ")[0] for word in written - plain} <= meant


def _words() -> set[str]:
    return {question.word for question in (*PLAIN, *BY_EFFORT)}


@pytest.mark.parametrize(
    ("kind", "model", "takes", "refuses"),
    [
        ("openai", "gpt-4.1-mini", "temperature", "verbosity"),
        ("openai", "gpt-5-nano", "seed", "temperature!=1"),
        ("anthropic", "claude-haiku-4-5", "temperature", "seed"),
        ("bedrock", "us.anthropic.claude-3-5-haiku-20241022-v1:0", "temperature", "seed"),
        ("azure", "a-deployment-of-ones-own", "seed", ""),
        ("cohere", "a-newer-model", "seed", "logit_bias"),
        ("no-such-kind", "m", "seed", ""),
    ],
)
def test_a_model_is_found_as_its_price_is(kind: str, model: str, takes: str, refuses: str) -> None:
    found = PriceFile.load().refuses(kind, model)
    assert takes not in found
    assert not refuses or refuses in found


@pytest.mark.parametrize(
    ("model", "advised"),
    [("openai/gpt-5-nano", False), ("openai/gpt-4.1-mini", True)],
    ids=["refuses", "takes"],
)
def test_a_cache_is_advised_no_temperature_that_its_target_refuses(model: str, advised: bool) -> None:
    text = f"""version: 1
providers: {{openai: {{}}}}
policies:
  main: {{targets: [{model}], ceiling: {{output_tokens: 400}}, cache: {{ttl: 1h}}}}
"""
    (told,) = load_text(text, PriceFile.load()).problems
    assert told.code == "sampled-cache"
    assert ("temperature: 0" in told.help) is advised
