"""Answers of a given form: how each target is asked, what is made of its answer, and what a misfit leads to."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from router import DeadlineExceeded, RequestError, Router, TargetsExhausted
from router import events as ev
from router.adapters.clocks import ManualClock
from router.adapters.objects import output_of
from router.adapters.scripted_transport import Says, Script, ScriptedTransport
from router.client.inline import run_inline
from router.decide.bounds import policy_bounds
from router.plan import CacheRule, Ceiling, Limit, RetryRule
from router.values import Kind, Misfit, Usage
from tests.build import PLACE, lexical, plan, policy, price, target
from tests.world import World


class City(BaseModel):
    name: str
    people: int = Field(gt=0)


@dataclass
class Point:
    x: int
    y: int


class Pair(TypedDict):
    left: str
    right: str


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
PARIS = '{"name": "Paris", "people": 2000000}'
HALF = '{"name": "Paris"}'


def places(*supports: frozenset[str] | None, attempts: int = 2) -> Any:
    names = [f"openai/{chr(97 + at)}" for at in range(len(supports))]
    retry = RetryRule(attempts=attempts, base_s=0.1, max_s=1.0, on=frozenset({Kind.OVERLOADED}))
    found = policy("main", *names, lexical=lexical(retry=retry), ceiling=Ceiling(output_tokens=100))
    known = [target(name, supports=each) for name, each in zip(names, supports, strict=True)]
    return plan(found, targets=tuple(known))


JSON, TOOLS, NOTHING = frozenset({"json"}), frozenset({"tools"}), frozenset[str]()


@pytest.mark.parametrize(
    ("model", "text", "made"),
    [
        (City, PARIS, City(name="Paris", people=2000000)),
        (Point, '{"x": 1, "y": 2}', Point(1, 2)),
        (Pair, '{"left": "a", "right": "b"}', {"left": "a", "right": "b"}),
        (list[int], "[1, 2]", [1, 2]),
        (SCHEMA, '{"n": 3}', {"n": 3}),
    ],
    ids=["pydantic", "dataclass", "typed-dict", "list", "schema"],
)
def test_an_object_is_made_of_the_answer(model: Any, text: str, made: Any) -> None:
    world = World(places(JSON), Says(text))
    reply = world.call(output=output_of(model))
    assert (reply.object, reply.text) == (made, text)


def test_a_target_is_asked_by_what_it_can() -> None:
    script = {
        "openai/a": Says(HALF),
        "openai/b": Says("", tool_calls=({"id": "c", "function": {"name": "City", "arguments": HALF}},)),
        "openai/c": Says(f"```json\n{PARIS}\n```"),
    }
    world = World(places(JSON, TOOLS, None, attempts=1), script)
    reply = world.call(output=output_of(City))
    assert (reply.object.name, reply.text, reply.target) == ("Paris", PARIS, "openai/c")
    by_schema, by_tool, by_words = world.transport.calls
    form = by_schema.params["response_format"]["json_schema"]
    assert (form["name"], form["schema"]) == ("City", City.model_json_schema())
    assert by_tool.params["tool_choice"] == {"type": "function", "function": {"name": "City"}}
    assert "response_format" not in by_words.params
    assert json.dumps(City.model_json_schema()["properties"]["people"], separators=(",", ":")) in str(
        by_words.messages[-1]["content"]
    )
    assert [len(call.messages) for call in world.transport.calls] == [1, 1, 2]


def test_the_answer_by_a_tool_reads_like_any_other() -> None:
    said = Says("", tool_calls=({"id": "c", "function": {"name": "City", "arguments": PARIS}},))
    reply = World(places(TOOLS), said).call(output=output_of(City))
    assert (reply.text, reply.tool_calls, reply.finish_reason) == (PARIS, (), "stop")
    assert reply.object == City(name="Paris", people=2000000)


def test_a_model_is_told_what_is_wrong_and_each_repair_is_paid_for() -> None:
    world = World(places(JSON), [Says(HALF, usage=Usage(input_tokens=5, output_tokens=5)), Says(PARIS)])
    reply = world.call(output=output_of(City))
    assert reply.object == City(name="Paris", people=2000000)
    first, second = world.transport.calls
    assert second.messages[: len(first.messages)] == first.messages
    answer, told = second.messages[len(first.messages) :]
    assert answer == {"role": "assistant", "content": HALF}
    assert "people: Field required" in told["content"]
    rows = world.rows()
    assert [row.how for row in rows] == ["reported", "reported"]
    assert all(row.cost_nusd > 0 for row in rows)
    assert world.facts(ev.Reserved)[1].input_tokens > world.facts(ev.Reserved)[0].input_tokens
    assert world.clock.mono_s() == 0, "a repair does not wait"


def test_repairs_count_among_the_sends_to_a_target_and_then_the_next_is_tried() -> None:
    world = World(places(JSON, JSON, attempts=3), {"openai/a": Says(HALF), "openai/b": Says(PARIS)})
    reply = world.call(output=output_of(City))
    assert world.targets() == ["openai/a", "openai/a", "openai/a", "openai/b"]
    assert reply.target == "openai/b"
    assert len(world.transport.calls[-1].messages) == 1, "what another model said is no news to this one"
    assert [event.repairable for event in world.facts(ev.OutputMisfit)] == [True, True, True]


def test_an_answer_that_was_cut_is_not_repaired() -> None:
    cut = Says(HALF, finish_reason="length")
    world = World(places(JSON, JSON), {"openai/a": cut, "openai/b": Says(PARIS)})
    assert world.call(output=output_of(City)).target == "openai/b"
    assert world.targets() == ["openai/a", "openai/b"]


def test_a_transcript_that_grows_beyond_a_ceiling_is_not_sent() -> None:
    whole = places(JSON, JSON)
    tight = plan(
        policy("main", "openai/a", "openai/b", ceiling=Ceiling(input_tokens=90, output_tokens=100)),
        targets=tuple(whole.targets.values()),
    )
    world = World(tight, {"openai/a": Says("x" * 200), "openai/b": Says(PARIS)})
    assert world.call(output=output_of(City)).target == "openai/b"
    assert world.targets() == ["openai/a", "openai/b"]


def test_no_event_and_no_message_holds_what_was_answered() -> None:
    world = World(places(JSON), Says('{"name": "a secret word", "people": "a secret word"}'))
    with pytest.raises(TargetsExhausted) as caught:
        world.call(output=output_of(City))
    assert "secret" not in str(caught.value) + repr(world.seen)
    assert {each.kind for each in caught.value.attempts} == {Kind.INVALID_OUTPUT}


@pytest.mark.parametrize("text", ["", "no JSON", "[1", "null", '{"people": 0}', '{"n": "3"}', "NaN"])
@pytest.mark.parametrize("model", [City, SCHEMA])
def test_what_has_not_the_form_is_a_misfit(text: str, model: Any) -> None:
    with pytest.raises(Misfit) as caught:
        output_of(model).read(text)
    assert caught.value.faults


@pytest.mark.parametrize("model", [{"type": "nothing"}, 3, lambda: None, object()])
def test_what_is_no_form_is_refused(model: Any) -> None:
    with pytest.raises(RequestError, match="`response_model`"):
        output_of(model)


def test_only_schemas_that_every_provider_takes_are_strict() -> None:
    assert output_of(Point).strict
    assert output_of(Point).schema["additionalProperties"] is False
    assert not output_of(City).strict, "`exclusiveMinimum` is not in every provider's subset"
    assert not output_of(SCHEMA | {"patternProperties": {}}).strict


OPEN: dict[str, Any] = {
    "version": 1,
    "providers": {"openai": {}},
    "policies": {
        "kept": {
            "targets": ["openai/gpt-5-nano"],
            "ceiling": {"input_tokens": "5k", "output_tokens": 100},
            "cache": {"ttl": "1h", "sampled": True},
        }
    },
}


def opened(script: Script) -> tuple[Router, ScriptedTransport]:
    clock = ManualClock()
    wire = ScriptedTransport(script, clock=clock)
    return Router.open(OPEN, transport=wire, clock=clock, state="memory", cache="memory"), wire


def test_a_stored_answer_becomes_an_object_again_and_other_forms_are_apart() -> None:
    router, wire = opened(Says(PARIS))
    with router:
        first = router.complete("Paris?", policy="kept", response_model=City)
        again = router.complete("Paris?", policy="kept", response_model=City)
        assert (again.cached, again.object) == (True, first.object)
        assert again.object is not first.object
        assert router.complete("Paris?", policy="kept").cached is False
        assert router.complete("Paris?", policy="kept", response_model=dict[str, Any]).cached is False
    assert len(wire.calls) == 3


def test_errors_may_come_as_replies() -> None:
    router, _ = opened(Says("no JSON"))
    with router:
        reply = router.complete("Paris?", policy="kept", response_model=City, raise_errors=False)
        assert (reply.ok, reply.text, reply.object) == (False, "", None)
        assert isinstance(reply.error, TargetsExhausted)
        assert reply.cost_nusd == sum(each.cost_nusd for each in reply.error.attempts) > 0
        assert router.complete("Paris?", policy="kept", raise_errors=False).ok
        with pytest.raises(RequestError):
            router.complete("Paris?", policy="nobody", raise_errors=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"response_format": {"type": "json_object"}}, "both say what form"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: dict[str, Any], message: str) -> None:
    router, wire = opened(Says(PARIS))
    with router, pytest.raises(RequestError, match=message):
        router.complete("Paris?", policy="kept", response_model=City, **arguments)
    assert wire.calls == []


@given(
    texts=st.lists(st.sampled_from([PARIS, HALF, "", "x" * 300, "[]"]), min_size=12, max_size=12),
    attempts=st.integers(1, 4),
    most=st.none() | st.integers(1, 5),
    inputs=st.integers(60, 2000),
)
def test_repairs_stay_within_the_bounds_that_are_printed(
    texts: Sequence[str], attempts: int, most: int | None, inputs: int
) -> None:
    retry = RetryRule(attempts=attempts, base_s=0.1, max_s=1.0, on=frozenset({Kind.OVERLOADED}))
    ceiling = Ceiling(input_tokens=inputs, output_tokens=50, attempts=most)
    main = policy("main", "openai/a", "openai/b", lexical=lexical(retry=retry), ceiling=ceiling)
    known = [target(name, supports=JSON, prices=price(7, 11)) for name in ("openai/a", "openai/b")]
    whole = plan(main, targets=tuple(known))
    printed = policy_bounds(whole, main)[0]
    world = World(whole, [Says(text) for text in texts])
    try:
        reply = world.call(output=output_of(City))
        assert reply.object == City(name="Paris", people=2000000)
    except TargetsExhausted:
        assert world.facts(ev.OutputMisfit)
    assert printed.cost_nusd is not None
    reserved = world.facts(ev.Reserved)
    assert sum(event.worst_nusd for event in reserved) <= printed.cost_nusd
    assert all(event.input_tokens <= inputs for event in reserved)
    assert len(reserved) <= printed.sends


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": {1, 2}}, "not JSON serializable"),
        ({"$ref": "#/$defs/missing"}, "missing"),
        ({"properties": {"a": {"$ref": "http://127.0.0.1:9/x.json"}}}, "127.0.0.1"),
    ],
    ids=["not-json", "nowhere", "elsewhere"],
)
def test_a_schema_that_leads_nowhere_is_refused_before_anything_is_sent(schema: Any, why: str) -> None:
    with pytest.raises(RequestError, match=f"`response_model` is no JSON Schema: .*{why}"):
        output_of(schema)


def test_a_schema_of_several_documents_is_not_fetched() -> None:
    named = {"$id": "http://127.0.0.1:9/a.json", "properties": {"n": {"$ref": "b.json"}}}
    with pytest.raises(RequestError, match="is no JSON Schema: "):
        output_of(named).read('{"n": 1}')


def test_a_schema_may_refer_to_itself_and_speak_of_references() -> None:
    tree = {
        "type": "object",
        "properties": {"child": {"$ref": "#"}, "leaf": {"$ref": "#/$defs/leaf"}},
        "$defs": {"leaf": {"const": {"$ref": "x"}}},
    }
    assert output_of(tree).read('{"child": {"leaf": {"$ref": "x"}}}') == {"child": {"leaf": {"$ref": "x"}}}


def test_the_name_of_a_type_is_no_type() -> None:
    with pytest.raises(RequestError, match="`response_model` is text, not a type"):
        output_of("City")


# --- Streams ----------------------------------------------------------------------------------------------------------


def test_a_stream_shows_what_has_come_of_its_object_and_ends_with_it() -> None:
    said = '{"name": "Paris", "people": 2000000}'
    world = World(places(JSON), Says(said))
    stream = world.stream(output=output_of(City))
    seen = [stream.partial for _ in stream]
    whole = {"name": "Paris", "people": 2_000_000}
    assert seen == [{}, {"name": "Paris"}, {"name": "Paris"}, whole, whole]
    assert stream.reply().object == City(name="Paris", people=2_000_000)
    assert stream.partial == {"name": "Paris", "people": 2_000_000}
    (sent,) = world.transport.calls
    assert (sent.stream, sent.params["response_format"]["json_schema"]["name"]) == (True, "City")


def test_a_partial_object_is_there_however_the_target_was_asked() -> None:
    fenced = World(places(None), Says(f"```json\n{PARIS}\n```")).stream(output=output_of(City))
    assert [fenced.partial for _ in fenced][-1] == json.loads(PARIS)
    assert fenced.reply().text == PARIS
    called = Says("", tool_calls=({"id": "c", "function": {"name": "City", "arguments": PARIS}},))
    by_tool = World(places(TOOLS), called).stream(output=output_of(City))
    assert [by_tool.partial for _ in by_tool][-1] == json.loads(PARIS)
    assert (by_tool.reply().object.name, by_tool.reply().tool_calls) == ("Paris", ())
    words = World(places(JSON), Says("no JSON at all")).stream()
    assert [words.partial for _ in words] == [None] * 5


def test_a_stream_that_misses_its_form_is_mended_by_whole_answers() -> None:
    world = World(places(JSON, JSON), [Says(HALF), Says("{}"), Says(PARIS)])
    stream = world.stream(output=output_of(City))
    assert "".join(chunk.text for chunk in stream) == HALF
    reply = stream.reply()
    assert (reply.object, reply.text, reply.target) == (
        City(name="Paris", people=2_000_000),
        PARIS,
        "openai/b",
    )
    assert (stream.target, stream.partial) == ("openai/a", json.loads(PARIS))
    assert [(call.target, call.stream) for call in world.transport.calls] == [
        ("openai/a", True),
        ("openai/a", False),
        ("openai/b", False),
    ]
    assert "people: Field required" in world.transport.calls[1].messages[-1]["content"]
    assert [row.state for row in world.rows()] == ["settled"] * 3


def test_where_nothing_mends_it_the_stream_ends_in_that_error() -> None:
    world = World(places(JSON), Says(HALF))
    stream = world.stream(output=output_of(City))
    read = [next(stream)]
    with pytest.raises(TargetsExhausted, match="invalid_output") as raised:
        read += list(stream)
    assert raised.value.trace
    for again in (lambda: next(stream), stream.reply):
        with pytest.raises(TargetsExhausted):
            again()
    stream.close()
    assert len(world.transport.calls) == 2
    assert {row.state for row in world.rows()} == {"settled"}
    assert len(world.facts(ev.RequestFailed)) == 1


def test_a_repair_begins_within_the_time_of_the_request_only() -> None:
    slow = Says(HALF, chunk_s=4.0)
    world = World(places(JSON), [slow, Says(PARIS)])
    stream = world.stream(output=output_of(City), timeout_s=10.0)
    with pytest.raises(DeadlineExceeded):
        stream.reply()
    assert len(world.transport.calls) == 1


def test_the_object_of_a_stream_is_kept_and_made_anew_from_the_cache() -> None:
    whole = places(JSON)
    rule = CacheRule(ttl_s=60.0, sampled=True)
    kept = replace(whole, policies={"main": replace(whole.policies["main"], cache=rule)})
    world = World(kept, [Says(HALF), Says(PARIS)])
    first = world.stream(output=output_of(City)).reply()
    again = world.stream(output=output_of(City))
    assert next(again).text
    assert again.partial == json.loads(PARIS)
    assert (again.reply().cached, again.reply().object) == (True, first.object)
    assert len(world.transport.calls) == 2


def test_a_stream_of_objects_holds_its_place_until_it_is_mended() -> None:
    most = Limit(
        owner="policy:main", unit="concurrent_requests", window_s=0.0, at_most=1, place=PLACE, text="one"
    )
    whole = places(JSON)
    limited = replace(whole, policies={"main": replace(whole.policies["main"], limits=(most,))})
    world = World(limited, [Says(HALF), Says(PARIS)])
    used = lambda: run_inline(world.ports.limiter.used((most,), now_s=world.clock.now_s()))  # noqa: E731
    stream = world.stream(output=output_of(City))
    assert set(used().values()) == {1}
    assert stream.reply().object.name == "Paris"
    assert set(used().values()) == {0}
