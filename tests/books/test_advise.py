"""Advice: only what the recorded rows would really have saved."""

from router.books.advise import advise
from router.plan import Ceiling
from router.values import Kind, Usage
from tests.build import plan, policy, price, target
from tests.tools.rows import row

DEAR, CHEAP = price(10 * 10**12, 40 * 10**12), price(10**12, 4 * 10**12)
USAGE = Usage(input_tokens=1000, output_tokens=500)
COST = 1000 * 10_000 + 500 * 40_000


def two(**fields: object):
    targets = (target("openai/a", prices=DEAR), target("openai/b", prices=CHEAP))
    return plan(policy("main", "openai/a", "openai/b", **fields), targets=targets)


def test_a_cheaper_target_of_the_same_policy_first() -> None:
    rows = [row(1.0, COST, usage=USAGE) for _ in range(4)]
    (found,) = advise(two(), rows)
    assert (found.kind, found.rows, found.spent_nusd) == ("cheaper_first", 4, 4 * COST)
    assert found.saved_nusd == 4 * COST * 9 // 10
    assert found.yaml == "targets: [openai/b, openai/a]"


def test_no_advice_where_the_first_one_is_the_cheapest_or_prices_are_unknown() -> None:
    rows = [row(1.0, COST, usage=USAGE) for _ in range(4)]
    unknown = plan(policy("main", "openai/a", "openai/b"), targets=(target("openai/b", prices=None),))
    assert advise(unknown, rows) == ()
    cheap_first = plan(
        policy("main", "openai/a", "openai/b"),
        targets=(target("openai/a", prices=CHEAP), target("openai/b", prices=DEAR)),
    )
    assert advise(cheap_first, rows) == ()


def test_attempts_without_an_answer_are_charged_for_the_whole_allowance() -> None:
    one = plan(
        policy("main", "openai/a", ceiling=Ceiling(output_tokens=4000)),
        targets=(target("openai/a", prices=DEAR),),
    )
    answers = [row(1.0, COST, usage=USAGE) for _ in range(20)]
    late = row(2.0, 4000 * 40_000, usage=None, how="worst_case", kind=Kind.TIMEOUT)
    (found,) = advise(one, [*answers, late])
    assert (found.kind, found.yaml) == ("lower_output_ceiling", "ceiling: {output_tokens: 700}")
    assert found.saved_nusd == 3300 * 40_000
    assert advise(one, [*answers[:19], late]) == ()


def test_second_sends_that_never_help() -> None:
    failed = {"kind": Kind.TIMEOUT, "how": "worst_case", "usage": None}
    rows = [row(1.0, 10**9, request_id=f"r{number}", **failed) for number in range(3) for _ in range(2)]
    found = {each.kind: each for each in advise(two(), rows)}
    assert found["fewer_retries"].saved_nusd == 3 * 10**9
    assert found["fewer_retries"].yaml == "retry: off"
    answered = [*rows, *(row(3.0, COST, usage=USAGE, request_id=f"r{number}") for number in range(3))]
    assert "fewer_retries" not in {each.kind for each in advise(two(), answered)}


def test_less_than_a_tenth_of_a_cent_is_no_advice_and_policies_that_are_gone_get_none() -> None:
    assert advise(two(), [row(1.0, 900, usage=Usage(input_tokens=1, output_tokens=1))]) == ()
    assert advise(two(), [row(1.0, COST, usage=USAGE, policy="gone")]) == ()
