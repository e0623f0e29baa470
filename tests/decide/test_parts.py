"""The parts of a message: their forms, what is wrong with one, and who can't be sent it."""

import re
from pathlib import Path
from typing import Any

import pytest

from router import NoRoute, RequestError
from router.client.calls import build_request
from router.decide.parts import forms_of, not_carried, part_fault
from router.policy.kinds import KINDS
from tests.build import plan, policy, target
from tests.world import World

PNG = "data:image/png;base64,iVBORw0KGgo="
IMAGE = {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}
LINK = {"type": "image_url", "image_url": {"url": "https://example.test/a.png"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
PDF = {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}}
KEPT = {"type": "file", "file": {"file_id": "file-1"}}
FETCHED = {"type": "file", "file": {"file_id": "https://example.test/a.pdf"}}
TEXT = {"type": "text", "text": "What is this?"}


def said(*parts: Any) -> tuple[dict[str, Any], ...]:
    return ({"role": "system", "content": "Be brief."}, {"role": "user", "content": [TEXT, *parts]})


def test_each_part_has_its_form() -> None:
    forms = {
        "image": IMAGE,
        "image by URL": LINK,
        "audio": SOUND,
        "file": PDF,
        "file by id": KEPT,
        "file by URL": FETCHED,
    }
    assert all(forms_of(said(part)) == {form} for form, part in forms.items())
    assert forms_of(said(*forms.values())) == set(forms)
    assert forms_of(said()) == forms_of(({"role": "user", "content": "hi"},)) == set()


@pytest.mark.parametrize(
    "part", [TEXT, IMAGE, LINK, SOUND, PDF, KEPT, FETCHED, {"type": "refusal", "refusal": "No."}]
)
def test_what_can_be_sent_has_no_fault(part: dict[str, Any]) -> None:
    assert part_fault(part) is None


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("hi", "must be a map with a `type`"),
        ({"text": "hi"}, "has the type `None`; types are text, "),
        ({"type": "video_url", "video_url": {"url": "x"}}, "has the type `video_url`"),
        ({"type": "image", "source": {}}, "has the type `image`"),
        ({"type": "text"}, "has no text in `text`"),
        ({"type": "image_url"}, "has no `url`"),
        (
            {"type": "image_url", "image_url": {"url": "pictures/a.png"}},
            "has a `url` that is neither a `data:` URL nor",
        ),
        ({"type": "image_url", "image_url": {"url": "data:text/plain;base64,aGk="}}, "is no image"),
        ({"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg/>"}}, "is no image"),
        ({"type": "input_audio", "input_audio": {"data": "UklGRg=="}}, "needs `input_audio: "),
        (
            {"type": "input_audio", "input_audio": {"data": "data:audio/wav;base64,", "format": "wav"}},
            "holds a URL",
        ),
        ({"type": "file", "file": {"filename": "a.pdf"}}, "needs either `file_data`"),
        ({"type": "file", "file": {"file_data": "JVBERi0="}}, "needs either `file_data`"),
        ({"type": "file", "file": {**PDF["file"], **KEPT["file"]}}, "needs either `file_data`"),  # type: ignore[dict-item]
    ],
)
def test_what_can_not_be_sent_is_refused_by_its_place(part: Any, told: str) -> None:
    whole = plan(policy("main", "openai/a"))
    with pytest.raises(RequestError) as caught:
        build_request(whole, "r1", said(part), policy="main", params={})
    assert caught.value.message.startswith(f"`messages[1].content[1]` {told}")


def test_a_target_whose_requests_do_not_carry_a_part_is_passed_over_and_says_so() -> None:
    world = World(plan(policy("main", "gemini/a", "anthropic/b", "openai/c")))
    assert world.call_with(said(LINK)).target == "anthropic/b"
    assert world.call_with(said(SOUND)).target == "gemini/a"
    assert world.call_with(said(LINK, SOUND)).target == "openai/c"
    world = World(plan(policy("main", "gemini/a", "bedrock/b")))
    with pytest.raises(NoRoute) as caught:
        world.call_with(said(LINK))
    told = "its requests carry no image by URL; as a `data:` URL it is sent with the request"
    assert [(each.reason, each.detail) for each in caught.value.dropped] == [("capability", told)] * 2
    assert world.call_with(said(IMAGE)).target == "gemini/a"


def test_claude_is_sent_files_wherever_it_is() -> None:
    claude, other = (target(f"azure_ai/{name}") for name in ("claude-haiku-4-5", "phi-4"))
    world = World(plan(policy("main", other.name, claude.name), targets=(claude, other)))
    assert world.call_with(said(PDF)).target == claude.name


def test_what_a_model_is_said_to_do_is_asked_first() -> None:
    blind = target("openai/a", supports=frozenset({"audio"}))
    world = World(plan(policy("main", blind.name), targets=(blind,)))
    with pytest.raises(NoRoute) as caught:
        world.call_with(said(IMAGE))
    assert "it has no vision" in str(caught.value)


def test_the_page_says_who_carries_what() -> None:
    page = (Path(__file__).parents[2] / "docs" / "params.md").read_text(encoding="utf-8")
    table = page.partition("<!-- carried -->")[2].partition("<!-- /carried -->")[0]
    told = {
        kind: set(forms.split(", "))
        for kinds, forms in re.findall(r"^\| (`.*?|all others) \| (.*) \|$", table, re.MULTILINE)
        for kind in re.findall(r"`(\w+)`", kinds) or ["others"]
    }
    assert told.pop("others") == not_carried("openai", "gpt-4o")
    assert not_carried("azure_ai", "Claude-x") == not_carried("anthropic", "")
    assert told == {
        kind: not_carried(kind, "m") for kind in KINDS if not_carried(kind, "m") != not_carried("openai", "")
    }
