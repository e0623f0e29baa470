"""Images, sound and files of recorded exchanges leave over their own wire format as they were recorded, or it was known
before that they would not. Each is bounded in tokens by tests/test_token_bounds.py."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.decide.needs import needs_of
from router.decide.parts import forms_of, not_carried, part_fault, parts_of
from router.policy.kinds import KINDS
from router.ports import WireCall
from tests.token_exchanges import Exchange, exchanges
from tests.wire_capture import WIRES, all_sent

pytestmark = pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning")

NEEDS = {"image": "vision", "image by URL": "vision", "audio": "audio", "file": "files"}
OWN_TYPES = {"document", "image", "search_result", "server_tool_use", "thinking", "web_search_tool_result"}
"""Of providers' own formats, which a call can't hold: documents for citations, thoughts and searches handed back."""


_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"  # Bedrock's own format names no MIME type


@pytest.fixture(scope="module")
def shown(recordings: Path) -> list[Exchange]:
    """Exchanges whose messages are more than text, but for answers at other endpoints than chat."""
    return [
        each
        for each in exchanges(recordings)
        if any(part.get("type") != "text" for part in parts_of(each.messages))
        and "/responses_" not in each.id
    ]


def sayable(each: Exchange) -> bool:
    return not any(part_fault(part) for part in parts_of(each.messages))


def test_most_can_be_said_in_openais_words_and_the_rest_has_types_of_its_provider(
    shown: list[Exchange],
) -> None:
    types = {part.get("type") for each in shown for part in parts_of(each.messages) if part_fault(part)}
    assert types == OWN_TYPES
    assert sum(map(sayable, shown)) >= 34


def test_what_a_request_needs_is_found_in_its_parts(shown: list[Exchange]) -> None:
    forms: Counter[str] = Counter()
    for each in filter(sayable, shown):
        forms.update(forms_of(each.messages))
        assert {NEEDS[form] for form in forms_of(each.messages)} <= needs_of(each.messages, each.params)
    assert forms.keys() == {"image", "image by URL", "audio", "file"}


def test_each_part_leaves_as_it_was_recorded_and_nothing_is_fetched(shown: list[Exchange]) -> None:
    called = [
        each
        for each in shown
        if sayable(each)
        and each.kind != "vertex_ai"
        and not forms_of(each.messages) & not_carried(each.kind, each.model)
    ]
    for each, sent in zip(called, all_sent([_call(each) for each in called]), strict=True):
        assert sent.others == [], each.id
        body = json.dumps(sent.post)
        lost = [part for part in parts_of(each.messages) if not all(held in body for held in _held(part))]
        assert not lost, each.id
    assert len(called) >= 32
    assert len({each.kind for each in called}) >= 10


def _call(each: Exchange) -> WireCall:
    needs_address = KINDS[each.kind].base_url_needed or KINDS[each.kind].base_url is not None
    return WireCall(
        attempt="a1",
        target=f"{each.kind}/{each.model}",
        kind=each.kind,
        model=each.model,
        messages=tuple(json.loads(json.dumps(each.messages).replace("application/xlsx", _XLSX))),
        params={},
        timeout_s=10.0,
        base_url="http://provider.test/v1" if needs_address else None,
        wire=WIRES.get(each.kind, {}),
    )


def _held(part: Any) -> Iterator[str]:
    """What of a part must be in the request: its bytes in base64, or where they are."""
    match part.get("type"):
        case "image_url":
            address = part["image_url"]["url"] if isinstance(part["image_url"], dict) else part["image_url"]
            yield address.partition(";base64,")[2] or address
        case "input_audio":
            yield part["input_audio"]["data"]
        case "file":
            file = part["file"]
            yield file.get("file_id") or file["file_data"].partition(",")[2]
