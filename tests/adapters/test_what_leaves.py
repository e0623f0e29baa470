"""Every parameter and every part over every wire format: it leaves, translated or as it is, or it was known before that
it would not."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from router.adapters.param_book import ParamBook
from router.decide.params import untaken
from router.decide.parts import Form, forms_of, not_carried
from router.ports import WireCall
from tests.decide.test_parts import FETCHED, IMAGE, KEPT, LINK, PDF, PNG, SOUND, TEXT
from tests.params.ask import BY_EFFORT, PLAIN, Question
from tests.wire_capture import MODELS, Sent, all_sent, call_of

pytestmark = pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning")

HELLO = ({"role": "user", "content": "Say hi"},)
OTHERS = ("azure", "gemini", "bedrock", "mistral", "cohere", "ollama")
ASKED = (*PLAIN, *(each for each in BY_EFFORT if each.word.endswith("by default")))
PARTS: dict[Form, tuple[dict[str, Any], str]] = {
    "image": (IMAGE, PNG.partition(",")[2]),
    "image by URL": (LINK, "https://example.test/a.png"),
    "audio": (SOUND, "UklGRg=="),
    "file": (PDF, "JVBERi0="),
    "file by id": (KEPT, "file-1"),
    "file by URL": (FETCHED, "https://example.test/a.pdf"),
}
"""Each with what of it must leave."""


NEEDS_PACKAGE = {("xai", "web_search_options")}
"""litellm takes these over another endpoint, for which it needs a package that the router does not depend on."""


def differing(wire: str) -> Iterator[str]:
    kind, model = MODELS[wire]
    refuses = ParamBook.load().refuses(kind, [model])
    calls: list[WireCall] = []
    for each in ASKED:
        calls += [call_of(wire, HELLO, each.beside), call_of(wire, HELLO, {**each.beside, **each.params})]
    sent = all_sent(calls)
    for each, without, with_it in zip(ASKED, sent[::2], sent[1::2], strict=True):
        if (wire, each.word) in NEEDS_PACKAGE:
            assert "lacks a package" in (with_it.refused or "")
            continue
        known = untaken({**each.beside, **each.params}, refuses)
        if without.refused is None and _leaves(each, without, with_it) != (known is None):
            yield f"{wire} {each.word}: refused ahead {known is not None}, litellm sends {with_it}"


def _leaves(question: Question, without: Sent, with_it: Sent) -> bool:
    if with_it.refused is not None:
        return False
    return question.unsaid or with_it.post != without.post


@pytest.mark.parametrize("wire", ["openai", "anthropic", "groq", "xai", "openrouter", *OTHERS])
def test_a_parameter_leaves_or_is_known_not_to(wire: str) -> None:
    assert list(differing(wire)) == []


@pytest.mark.parametrize("wire", [wire for wire in MODELS if wire != "vertex"])
def test_a_part_leaves_or_is_known_not_to_and_nothing_is_fetched(wire: str) -> None:
    kind, model = MODELS[wire]
    carried = {form: each for form, each in PARTS.items() if form not in not_carried(kind, model)}
    calls = [call_of(wire, ({"role": "user", "content": [TEXT, part]},)) for part, _ in carried.values()]
    for (form, (part, body)), sent in zip(carried.items(), all_sent(calls), strict=True):
        assert forms_of(({"role": "user", "content": [part]},)) == {form}
        assert sent.others == []
        assert body in json.dumps(sent.post), form


@pytest.mark.parametrize("wire", ["anthropic", "bedrock", "mistral", "ollama"])
def test_litellm_would_leave_parts_out_without_a_word(wire: str) -> None:
    """Why they are refused here: the day that one of them is sent, the table should say so."""
    (sent,) = all_sent([call_of(wire, ({"role": "user", "content": [TEXT, SOUND]},))])
    assert "audio" in not_carried(*MODELS[wire])
    assert PARTS["audio"][1] not in json.dumps(sent.post)
