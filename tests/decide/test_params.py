"""Parameters that a target does not take: what keeps it out, what it is called without, and how that is told."""

from typing import Any

import pytest

from router import NoRoute, RequestError
from router import events as ev
from router.client.calls import build_request
from router.decide.params import untaken
from router.plan import Ceiling
from tests.build import lexical, plan, policy, target
from tests.decide.test_match import matched, names, only, reasons
from tests.world import World

GPT_5 = frozenset({"stop", "temperature!=1", "top_p", "reasoning_effort=none", "reasoning_effort=xhigh"})
GPT_5_1 = frozenset({"temperature!=1 with reasoning", "top_p with reasoning", "logprobs with reasoning"})
THINKS = frozenset({"reasoning_effort=high within 4096"})
CLAUDE = frozenset({"n", "seed", "logprobs", "top_logprobs", "tool_choice=none"})


@pytest.mark.parametrize(
    ("refuses", "params", "told"),
    [
        (GPT_5, {"temperature": 0.2}, ["`temperature` other than 1"]),
        (GPT_5, {"temperature": 1, "seed": 7}, []),
        (GPT_5, {"temperature": 1.0}, []),
        (GPT_5, {"reasoning_effort": "none"}, ["`reasoning_effort: none`"]),
        (GPT_5, {"reasoning_effort": "high"}, []),
        (GPT_5_1, {"temperature": 0.2}, []),
        (GPT_5_1, {"temperature": 0.2, "reasoning_effort": "none"}, []),
        (GPT_5_1, {"temperature": 1, "reasoning_effort": "low"}, []),
        (
            GPT_5_1,
            {"temperature": 0.2, "top_p": 0.9, "reasoning_effort": "low"},
            ["`temperature` other than 1 while it reasons", "`top_p` while it reasons"],
        ),
        (frozenset({"top_p by default"}), {"top_p": 0.9}, ["`top_p` unless `reasoning_effort` is `none`"]),
        (CLAUDE, {"tool_choice": "none", "tools": [{}]}, ["`tool_choice: none`"]),
        (CLAUDE, {"tool_choice": "required", "tools": [{}]}, []),
        (
            frozenset({"tool_choice=function"}),
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            ["`tool_choice: function`"],
        ),
        (frozenset({"response_format"}), {"response_format": {"type": "json_object"}}, ["`response_format`"]),
        (
            frozenset({"response_format=json_schema"}),
            {"response_format": {"type": "json_object"}},
            [],
        ),
        (frozenset(), {"temperature": 0.2, "n": 3}, []),
        (THINKS, {"reasoning_effort": "high", "max_tokens": 4_097}, []),
        (THINKS, {"reasoning_effort": "low", "max_tokens": 400}, []),
        (THINKS, {"reasoning_effort": "high"}, []),
        (
            THINKS,
            {"reasoning_effort": "high", "max_tokens": 4_096},
            ["`reasoning_effort: high` within 4096 tokens of output, as it thinks for up to 4096"],
        ),
    ],
)
def test_what_is_not_taken_is_told_as_its_author_wrote_it(
    refuses: frozenset[str], params: dict[str, Any], told: list[str]
) -> None:
    found = untaken(params, refuses)
    assert ([*found.left_out.values(), *found.kept.values()] if found else []) == told


@pytest.mark.parametrize(
    "params",
    [
        {"n": 1},
        {"frequency_penalty": 0},
        {"frequency_penalty": 0.0},
        {"logprobs": False},
        {"response_format": {"type": "text"}},
        {"tool_choice": "auto"},
    ],
)
@pytest.mark.parametrize("unsupported", ["error", "drop"])
def test_what_holds_anyway_is_not_sent_and_loses_nothing(params: dict[str, Any], unsupported: str) -> None:
    deaf = target("anthropic/a", refuses=frozenset({*params}))
    whole = plan(
        policy("main", "anthropic/a", lexical=lexical(params_unsupported=unsupported)),
        targets=(deaf,),
    )
    result = matched(whole, params=params)
    assert [(each.params, each.left_out) for each in result.route.candidates] == [({}, ())]


def chain(unsupported: str = "error", **params: Any) -> Any:
    """`openai/a` takes all, `anthropic/b` no seed, no more than one choice, and no tools that are forbidden."""
    return plan(
        policy(
            "main",
            "anthropic/b",
            "openai/a",
            lexical=lexical(params=params, params_unsupported=unsupported),
        ),
        targets=(target("anthropic/b", refuses=CLAUDE), target("openai/a")),
    )


def test_a_target_that_does_not_take_a_parameter_is_passed_over_and_says_which() -> None:
    result = matched(chain(), params={"seed": 7})
    assert names(result) == ["openai/a"]
    (drop,) = result.dropped
    assert (drop.target, drop.reason, drop.detail) == (
        "anthropic/b",
        "parameter",
        "it does not take `seed`",
    )


def test_with_drop_it_is_called_without_and_the_others_with_it() -> None:
    result = matched(chain("drop"), params={"seed": 7, "temperature": 0.5})
    first, second = result.route.candidates
    assert (first.target.name, first.params, first.left_out) == (
        "anthropic/b",
        {"temperature": 0.5},
        ("seed",),
    )
    assert (second.params, second.left_out) == ({"seed": 7, "temperature": 0.5}, ())


@pytest.mark.parametrize(
    "params", [{"n": 2}, {"tools": [{}], "tool_choice": "none"}, {"seed": 7, "n": 2}], ids=str
)
def test_what_an_answer_is_made_by_is_never_left_out(params: dict[str, Any]) -> None:
    whole = chain("drop", n=2)
    assert reasons(matched(whole, params=params)) == {"anthropic/b": "parameter"}


def test_a_parameter_of_the_files_is_judged_as_one_of_the_caller() -> None:
    assert reasons(matched(chain(seed=7))) == {"anthropic/b": "parameter"}
    found = matched(chain("drop", seed=7), only=("anthropic/b",))
    assert only(found).left_out == ("seed",)


def test_nothing_left_names_what_each_target_does_not_take() -> None:
    world = World(chain())
    with pytest.raises(NoRoute) as caught:
        world.call(params={"seed": 7}, only=("anthropic/b",))
    assert "it does not take `seed`" in str(caught.value)
    assert world.targets() == []


def test_what_was_left_out_is_an_event_and_is_not_sent() -> None:
    world = World(chain("drop"))
    world.call(params={"seed": 7, "temperature": 0.5})
    (fact,) = world.facts(ev.ParamsLeftOut)
    assert (fact.target, fact.policy, fact.params) == ("anthropic/b", "main", ("seed",))
    assert [dict(call.params) for call in world.transport.calls] == [{"temperature": 0.5}]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        (
            {"reasoning_effort": "hihg"},
            "`reasoning_effort` must be one of none, minimal, low, .*, not `hihg`",
        ),
        ({"extra_body": {"top_k": 1}}, "unknown parameter `extra_body`"),
        ({"top_k": 5}, "unknown parameter `top_k`.*did you mean `top_p`"),
        ({"thinking": {"type": "enabled"}}, "unknown parameter `thinking`"),
        ({"store": True}, "unknown parameter `store`"),
        ({"prediction": {}}, "`prediction` is not supported by this version"),
        ({"modalities": ["audio"]}, "`modalities` is not supported by this version"),
    ],
)
def test_a_name_or_word_that_no_call_can_carry_is_refused_before_anything(
    params: dict[str, Any], told: str
) -> None:
    with pytest.raises(RequestError, match=told):
        build_request(chain(), "r1", "hi", policy="main", params=params)


def test_thinking_that_leaves_no_room_under_the_ceiling_passes_a_target_over_or_is_left_out() -> None:
    thinker = target("anthropic/a", refuses=THINKS)
    for unsupported, tried in (("error", []), ("drop", ["anthropic/a"])):
        settings = lexical(params_unsupported=unsupported)
        whole = plan(
            policy("main", "anthropic/a", lexical=settings, ceiling=Ceiling(output_tokens=400)),
            targets=(thinker,),
        )
        result = matched(whole, params={"reasoning_effort": "high"})
        assert names(result) == tried
    assert (only(result).params, only(result).left_out) == ({"max_tokens": 400}, ("reasoning_effort",))
