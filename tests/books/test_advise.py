"""Advice: only what the recorded rows would really have saved."""

from dataclasses import replace
from datetime import date

from router.books.advise import advise
from router.plan import Ceiling, PriceChange
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


def test_what_batches_would_have_cost_where_the_price_file_states_it() -> None:
    halved = replace(DEAR, batch=(5 * 10**12, 20 * 10**12))
    found = plan(policy("main", "openai/a"), targets=(target("openai/a", prices=halved),))
    rows = [
        *(row(1.0, COST, usage=USAGE) for _ in range(4)),
        row(1.0, COST, usage=None, kind=Kind.TIMEOUT, how="worst_case"),
        row(1.0, COST // 3, usage=USAGE),  # cached input: cheaper than a batch
    ]
    (advice,) = advise(found, rows)
    assert (advice.kind, advice.rows, advice.spent_nusd, advice.saved_nusd) == (
        "batch",
        4,
        4 * COST,
        2 * COST,
    )
    assert advice.yaml == ""
    assert "the batch API of the provider itself" in advice.text
    assert advise(plan(policy("main", "openai/a"), targets=(target("openai/a", prices=DEAR),)), rows) == ()


def test_another_targets_price_is_that_of_the_day() -> None:
    change = PriceChange(day=date(2026, 12, 1), at_s=100.0, prices=CHEAP)
    targets = (
        target("openai/a", prices=DEAR),
        target("openai/b", prices=price(20 * 10**12, 80 * 10**12), price_changes=(change,)),
    )
    found = plan(policy("main", "openai/a", "openai/b"), targets=targets)
    assert advise(found, [row(99.0, COST, usage=USAGE) for _ in range(4)]) == ()
    (advice,) = advise(found, [row(100.0, COST, usage=USAGE) for _ in range(4)])
    assert advice.saved_nusd == 4 * COST * 9 // 10
