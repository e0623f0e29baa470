"""The matrix: what follows each fault at each target."""

import pytest

from router.adapters.tiktoken_tokens import TiktokenTokens
from router.errors import RequestError
from router.testing.cases.matrix import FAULTS, Cell, Matrix, matrix
from router.values import Request
from tests.testing.cases.parts import the_plan

HELLO = ({"role": "user", "content": "Hello."},)


def found(policy: str = "fast", **fields: object) -> Matrix:
    return matrix(the_plan(), Request(id="", policy=policy, messages=HELLO, **fields), TiktokenTokens())  # type: ignore[arg-type]


def cell(of: Matrix, target: str, fault: str) -> Cell:
    (one,) = [each for each in of.cells if (each.target, each.fault) == (target, fault)]
    return one


def test_every_fault_stands_at_every_target_once() -> None:
    of = found()
    assert of.targets == ("openai/small", "anthropic/haiku", "gemini/flash")
    assert [(each.target, each.fault) for each in of.cells] == [
        (target, fault) for target in of.targets for fault in FAULTS
    ]


@pytest.mark.parametrize(
    ("target", "fault", "outcome", "how", "sends", "waits_s", "took_s"),
    [
        ("openai/small", "server_error", "anthropic/haiku", "answered", 3, 1.0, 1.0),
        ("openai/small", "rate_limited for 1h", "anthropic/haiku", "answered", 2, 0, 0),
        ("openai/small", "never_answers", "anthropic/haiku", "answered", 3, 1.0, 17.0),
        ("openai/small", "bad_request", "TargetsExhausted", "failed", 1, 0, 0),
        ("openai/small", "truncated", "openai/small", "truncated", 1, 0, 0),
        ("anthropic/haiku", "auth", "gemini/flash", "answered", 3, 0, 0),  # both of its keys, then the next
        ("anthropic/haiku", "not_found", "gemini/flash", "answered", 2, 0, 0),
        (
            "gemini/flash",
            "server_error",
            "TargetsExhausted",
            "failed",
            1,
            0,
            0,
        ),  # written in `spare`: retry off
    ],
)
def test_what_follows(
    target: str, fault: str, outcome: str, how: str, sends: int, waits_s: float, took_s: float
) -> None:
    one = cell(found(), target, fault)
    assert (one.outcome, one.how, one.sends) == (outcome, how, sends)
    assert (one.waits_s, one.took_s) == (waits_s, took_s)


def test_what_may_have_been_worked_on_is_charged() -> None:
    of = found()
    refused, cut = cell(of, "gemini/flash", "connection_refused"), cell(of, "gemini/flash", "connection_cut")
    assert refused.cost_nusd == 0
    assert (cut.cost_nusd or 0) > 0


def test_it_is_asked_by_somebody_who_may() -> None:
    assert (found().tenant, found().user) == ("acme", None)
    law = found(tenant="acme/law")
    assert (law.tenant, law.user) == ("acme/law", "someone")
    assert found(tenant="acme/law", user="ann").user == "ann"


def test_a_call_without_a_list_says_why() -> None:
    of = found(tenant="nobody")
    assert of.cells == ()
    assert of.refused == "unknown tenant `nobody`"
    closed = found(tags=("closed",))
    assert (closed.cells, closed.refused) == ((), "policy `fast` rejects this request: not today")


def test_a_policy_that_does_not_exist() -> None:
    with pytest.raises(RequestError, match="unknown policy `fats`"):
        found("fats")


def test_it_is_the_same_twice() -> None:
    assert found() == found()
