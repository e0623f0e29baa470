"""One conversation with tools over two providers of different wire formats, by real litellm over loopback: every
request that either receives keeps its own rules, and says what the application said."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

import pytest

from router import Reply, Router
from router.testing import Answer, FakeProvider, Overloaded, ToolCall
from tests.wire_rules import Turn, read

MODELS = {
    "openai": "gpt-5-nano",
    "anthropic": "claude-haiku-4-5",
    "gemini": "gemini-2.5-flash",
    "mistral": "mistral-small-latest",
    "groq": "openai/gpt-oss-20b",
}
IDS = {
    "openai": ("call_NEvGoF86nhPQfXRoJd5SOyLd", "call_q8Q2du4gAMQLrGTgWgfwfbDZ"),
    "anthropic": ("01TjHdHxyQNDy4DipRieJU5n", "01QHFWAkMuVLb3VgS4EDGUGY"),
    "gemini": (None, None),
    "mistral": ("8JctI49Z3", "D681PevKs"),
    "groq": ("functions.weather:0", "functions.time:1"),
}
SIGNATURE = "CmMBDDnWx5C7A+v6lK4KXnx4BJZC/BPRktQb+wRaq=="
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"The {name} of a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
    for name in ("weather", "time")
]
QUESTION = {"role": "user", "content": "What are weather and time in Rome, and the weather in Oslo?"}
PAIRS = list(permutations(MODELS, 2))

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        yield running


@pytest.fixture(scope="module")
def router(provider: FakeProvider) -> Iterator[Router]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in provider.environment().items():
            patch.setenv(name, value)
        with Router.open(policies(provider), state="memory", cache="memory") as opened:
            yield opened


@pytest.fixture(autouse=True)
def fresh(provider: FakeProvider) -> None:
    provider.reset()


def policies(provider: FakeProvider) -> dict[str, Any]:
    """One policy for each pair, and for each alone."""
    targets = {kind: f"{kind}/{model}" for kind, model in MODELS.items()}
    alone = {kind: {"targets": [target]} for kind, target in targets.items()}
    pairs = {"-".join(pair): {"targets": [targets[kind] for kind in pair], "retry": "off"} for pair in PAIRS}
    return {
        "version": 1,
        "providers": {kind: {"base_url": provider.base_url(kind)} for kind in MODELS},
        "policies": {**alone, **pairs},
    }


def called(kind: str) -> tuple[ToolCall, ToolCall]:
    """Two calls at once, with ids as that provider makes them."""
    signature = SIGNATURE if kind == "gemini" else None
    first, second = IDS[kind]
    return (
        ToolCall("weather", arguments={"city": "Rome"}, id=first, signature=signature),
        ToolCall("time", arguments={}, id=second),
    )


def script(provider: FakeProvider, first: str, second: str) -> None:
    """The first asks for two tools, fails, and concludes; the second asks for one tool in between."""
    again = ToolCall("weather", arguments={"city": "Oslo"}, id=IDS[second][0])
    provider.script(MODELS[first], [Answer(tool_calls=called(first)), Overloaded(), Answer("Both are fine.")])
    provider.script(MODELS[second], [Answer("Now Oslo.", tool_calls=[again])])


def results(reply: Reply, *contents: Any) -> list[dict[str, Any]]:
    return [
        {"role": "tool", "tool_call_id": call["id"], "content": content}
        for call, content in zip(reply.tool_calls, contents, strict=True)
    ]


PARTS = [{"type": "text", "text": "10"}, {"type": "text", "text": ":00"}]


def played(router: Router, policy: str, *, streamed: bool = False) -> tuple[list[Any], list[Reply]]:
    """The application: it appends every message, and what its tools say, and asks again."""

    def ask() -> Reply:
        if not streamed:
            return router.complete(conversation, policy=policy, tools=TOOLS)
        with router.stream(conversation, policy=policy, tools=TOOLS) as stream:
            return stream.reply()

    conversation: list[Any] = [QUESTION]
    asked = ask()
    conversation += [asked.message, *results(asked, "sunny", PARTS)]
    again = ask()
    conversation += [again.message, *results(again, "rain")]
    last = ask()
    return conversation, [asked, again, last]


SAID = [
    Turn("user", str(QUESTION["content"])),
    Turn("assistant", calls=(("weather", '{"city": "Rome"}'), ("time", "{}"))),
    Turn("user", results=(("weather", "sunny"), ("time", "10:00"))),
    Turn("assistant", "Now Oslo.", calls=(("weather", '{"city": "Oslo"}'),)),
    Turn("user", results=(("weather", "rain"),)),
]


def without_ids(turns: Sequence[Turn]) -> list[Turn]:
    return [Turn(turn.role, turn.text, turn.calls, turn.results) for turn in turns]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("first", "second"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_a_conversation_with_tools_goes_over_to_another_provider_and_back(
    provider: FakeProvider, router: Router, first: str, second: str, streamed: bool
) -> None:
    script(provider, first, second)
    conversation, replies = played(router, f"{first}-{second}", streamed=streamed)
    assert [reply.target.split("/")[0] for reply in replies] == [first, second, first]
    assert json.loads(json.dumps(conversation)) == conversation
    bodies = [(request.kind, request.body) for request in provider.requests]
    assert [kind for kind, _ in bodies] == [first, first, second, first]
    told = [read(kind, body) for kind, body in bodies]
    assert [without_ids(turns) for turns in told] == [SAID[:1], SAID[:3], SAID[:3], SAID]
    assert told[1] == told[3][:3]  # the same beginning, for whoever caches it
    own = [each for turn in told[3][:2] for each in turn.ids]
    assert own == ([] if first == "gemini" else [call["id"] for call in replies[0].tool_calls])


def test_the_thought_that_gemini_signed_comes_back_to_it_alone(
    provider: FakeProvider, router: Router
) -> None:
    script(provider, "gemini", "openai")
    played(router, "gemini-openai")
    for request in provider.requests[1:]:
        text = json.dumps(request.body)
        assert text.count(SIGNATURE) == (request.kind == "gemini")
        assert "__thought__" not in text


@pytest.mark.parametrize("kind", MODELS)
def test_a_streamed_answer_with_tools_is_the_whole_one(
    provider: FakeProvider, router: Router, kind: str
) -> None:
    provider.script(MODELS[kind], Answer("One moment.", tool_calls=called(kind)))
    with router.stream([QUESTION], policy=kind, tools=TOOLS) as stream:
        streamed = stream.reply()
    whole = router.complete([QUESTION], policy=kind, tools=TOOLS)
    made_up = kind == "gemini"  # by litellm, at random
    assert _message(streamed, made_up) == _message(whole, made_up)
    assert streamed.finish_reason == whole.finish_reason == "tool_calls"


def _message(reply: Reply, made_up: bool) -> Mapping[str, Any]:
    calls = [
        {**call, "id": call["id"].partition("__")[2] if made_up else call["id"]} for call in reply.tool_calls
    ]
    return {**reply.message, "tool_calls": calls}


TIME = {"type": "function", "function": {"name": "time"}}
FORCED = {
    "openai": ("required", "none", TIME),
    "groq": ("required", "none", TIME),
    "anthropic": ({"type": "any"}, {"type": "none"}, {"type": "tool", "name": "time"}),
    "gemini": ({"mode": "ANY"}, {"mode": "NONE"}, {"mode": "ANY", "allowed_function_names": ["time"]}),
}


@pytest.mark.parametrize("kind", FORCED)
def test_a_forced_choice_is_told_in_each_providers_words(
    provider: FakeProvider, router: Router, kind: str
) -> None:
    for choice in FORCED["openai"]:
        router.complete([QUESTION], policy=kind, tools=TOOLS, tool_choice=choice)
    bodies = [request.body for request in provider.requests]
    chosen = [body.get("tool_choice") or body["toolConfig"]["functionCallingConfig"] for body in bodies]
    assert tuple(chosen) == FORCED[kind]
