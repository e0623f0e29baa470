"""What comes next: the order of keys, retries and targets, and the bounds that no order may cross."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.classify import FAILURES, TRANSIENT
from router.decide.step import Failure, Health, Progress, Stop, Try, Wait, next_step, passed_over
from router.plan import RetryRule
from router.values import Kind
from tests.build import candidate, lexical, route

A, B = candidate("openai/a"), candidate("groq/b")
HEALTH = Health(keys={"openai": ("k1", "k2"), "groq": ("g1",)})


def after(
    *failures: Failure, now_s: float = 1.0, waited_after: int = 0, **fields: object
) -> Try | Wait | Stop:
    progress = Progress(started_s=0.0, failures=failures, waited_after=waited_after)
    return next_step(route(A, B, **fields), progress, HEALTH, now_s=now_s, draw=0.5)


def test_it_starts_with_the_first_candidate_and_its_best_key() -> None:
    assert after(now_s=0.0) == Try(index=0, key="k1", timeout_s=5.0, others=("k2",))


@pytest.mark.parametrize("kind", [kind for kind, rule in FAILURES.items() if rule.another_key])
def test_a_failure_of_a_key_goes_to_another_key_at_once(kind: Kind) -> None:
    assert after(Failure(index=0, key="k1", kind=kind)) == Try(index=0, key="k2", timeout_s=5.0)


def test_a_transient_failure_waits_then_sends_again_then_goes_on() -> None:
    first = Failure(index=0, key="k1", kind=Kind.OVERLOADED)
    assert after(first) == Wait(delay_s=pytest.approx(0.15), why="backoff")
    assert after(first, waited_after=1) == Try(index=0, key="k1", timeout_s=5.0, others=("k2",))
    assert after(first, first) == Try(index=1, key="g1", timeout_s=5.0)


def test_the_last_targets_failure_ends_the_request() -> None:
    failures = [
        Failure(index=0, key="k1", kind=Kind.NOT_FOUND),
        Failure(index=1, key="g1", kind=Kind.NOT_FOUND),
    ]
    assert after(*failures) == Stop(why="exhausted")


def test_a_bad_request_is_not_sent_to_anyone_else() -> None:
    assert after(Failure(index=0, key="k1", kind=Kind.BAD_REQUEST)) == Stop(why="failed")


def test_retry_after_is_waited_for_to_the_letter() -> None:
    last = Failure(index=1, key="g1", kind=Kind.RATE_LIMITED, retry_after_s=1.5)
    assert after(last) == Wait(delay_s=1.5, why="retry_after")


def test_a_retry_after_beyond_the_rule_means_the_next_target() -> None:
    failures = (
        Failure(index=0, key="k1", kind=Kind.RATE_LIMITED, retry_after_s=7.0),
        Failure(index=0, key="k2", kind=Kind.RATE_LIMITED, retry_after_s=7.0),
    )
    assert after(*failures) == Try(index=1, key="g1", timeout_s=5.0)


def test_what_was_never_sent_uses_up_no_attempt() -> None:
    broke = Failure(index=0, key="k1", kind=Kind.OVER_BUDGET, sent=False)
    once = route(A, candidate("groq/b", attempts_ceiling=1))
    step = next_step(once, Progress(started_s=0.0, failures=(broke,)), HEALTH, now_s=0.1, draw=0.0)
    assert step == Try(index=1, key="g1", timeout_s=5.0)


def test_the_ceiling_on_attempts_counts_over_targets() -> None:
    one = route(candidate("openai/a", attempts_ceiling=1), candidate("groq/b", attempts_ceiling=1))
    progress = Progress(started_s=0.0, failures=(Failure(index=0, key="k1", kind=Kind.OVERLOADED),))
    assert next_step(one, progress, HEALTH, now_s=0.1, draw=0.0) == Stop(why="attempts")


def test_a_tight_ceiling_on_one_path_does_not_end_the_others() -> None:
    one = route(candidate("openai/a", attempts_ceiling=1), candidate("groq/b", attempts_ceiling=2))
    progress = Progress(started_s=0.0, failures=(Failure(index=0, key="k1", kind=Kind.OVERLOADED),))
    step = next_step(one, progress, HEALTH, now_s=0.1, draw=0.0)
    assert step == Try(index=1, key="g1", timeout_s=5.0)


def test_an_attempt_gets_no_more_than_the_time_left() -> None:
    assert after(Failure(index=0, key="k1", kind=Kind.NOT_FOUND), now_s=58.0) == Try(
        index=1, key="g1", timeout_s=2.0
    )
    assert after(Failure(index=0, key="k1", kind=Kind.NOT_FOUND), now_s=60.0) == Stop(why="deadline")


def test_a_nested_policy_out_of_time_is_passed_over() -> None:
    both = route(A, candidate("groq/b", total_s=0.5), candidate("groq/c"))
    progress = Progress(started_s=0.0, failures=(Failure(index=0, key="k1", kind=Kind.NOT_FOUND),))
    assert next_step(both, progress, HEALTH, now_s=1.0, draw=0.0) == Try(index=2, key="g1", timeout_s=5.0)


KINDS = st.sampled_from([kind for kind in Kind if kind is not Kind.INVALID_OUTPUT])


@given(
    kinds=st.lists(st.tuples(KINDS, st.none() | st.floats(0, 20)), min_size=60, max_size=60),
    attempts=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    ceiling=st.none() | st.integers(1, 6),
    total_s=st.floats(0.5, 30),
    took_s=st.floats(0.001, 5),
    draws=st.lists(st.floats(0, 0.999), min_size=60, max_size=60),
)
def test_any_run_ends_within_its_attempts_and_starts_nothing_after_its_deadline(
    kinds: Sequence[tuple[Kind, float | None]],
    attempts: Sequence[int],
    ceiling: int | None,
    total_s: float,
    took_s: float,
    draws: Sequence[float],
) -> None:
    candidates = [
        candidate(
            f"p{position}/m",
            total_s=total_s,
            attempts_ceiling=ceiling,
            lexical=lexical(retry=RetryRule(attempts=count, base_s=0.2, max_s=2.0, on=TRANSIENT)),
        )
        for position, count in enumerate(attempts)
    ]
    health = Health(keys={f"p{position}": ("k1", "k2") for position in range(len(attempts))})
    whole = route(*candidates, total_s=total_s)
    progress, now_s, sends = Progress(started_s=0.0), 0.0, 0
    for (kind, retry_after_s), draw in zip(kinds, draws, strict=True):
        step = next_step(whole, progress, health, now_s=now_s, draw=draw)
        if isinstance(step, Stop):
            break
        if isinstance(step, Wait):
            assert 0 <= step.delay_s <= 2.0
            now_s += step.delay_s
            progress = Progress(
                started_s=0.0, failures=progress.failures, waited_after=len(progress.failures)
            )
            continue
        assert now_s < total_s
        assert 0 < step.timeout_s <= total_s - now_s
        sends += 1
        failure = Failure(index=step.index, key=step.key, kind=kind, retry_after_s=retry_after_s)
        progress = Progress(
            started_s=0.0, failures=(*progress.failures, failure), waited_after=progress.waited_after
        )
        now_s += min(took_s, step.timeout_s)
    else:
        pytest.fail("it did not end")
    assert sends <= min(sum(attempts), ceiling or sum(attempts))
    for position, count in enumerate(attempts):
        assert sum(failure.index == position for failure in progress.failures) <= count


def test_a_key_that_failed_at_one_model_is_not_the_first_at_the_next_of_its_provider() -> None:
    one = route(A, candidate("openai/c"))
    failed = Failure(index=0, key="k1", kind=Kind.QUOTA)
    gone = Failure(index=0, key="k2", kind=Kind.NOT_FOUND)
    progress = Progress(started_s=0.0, failures=(failed, gone))
    assert next_step(one, progress, HEALTH, now_s=1.0, draw=0.0) == Try(index=1, key="k2", timeout_s=5.0)
    both = Progress(started_s=0.0, failures=(failed, Failure(index=0, key="k2", kind=Kind.QUOTA)))
    assert next_step(one, both, HEALTH, now_s=1.0, draw=0.0) == Try(index=1, key="k1", timeout_s=5.0)


def shut(*indexes: int) -> Health:
    return Health(keys=HEALTH.keys, shut=dict.fromkeys(indexes, 99.0))


def test_a_target_that_its_breaker_refuses_is_passed_over() -> None:
    one, fresh = route(A, B), Progress(started_s=0.0)
    step = next_step(one, fresh, shut(0), now_s=0.0, draw=0.0)
    assert step == Try(index=1, key="g1", timeout_s=5.0)
    assert passed_over(fresh, shut(0, 1), step) == [0]
    stop = next_step(one, fresh, shut(0, 1), now_s=0.0, draw=0.0)
    assert stop == Stop(why="exhausted")
    assert passed_over(fresh, shut(0, 1), stop) == [0, 1]


def test_a_target_whose_breaker_has_opened_is_sent_nothing_more() -> None:
    broke = Progress(started_s=0.0, failures=(Failure(index=0, key="k1", kind=Kind.SERVER_ERROR),))
    step = next_step(route(A, B), broke, shut(0), now_s=1.0, draw=0.0)
    assert step == Try(index=1, key="g1", timeout_s=5.0)
    assert passed_over(broke, shut(0), step) == []  # it was tried
    picky = candidate("openai/a", lexical=lexical(fall_back_on=frozenset()))
    assert next_step(route(picky, B), broke, shut(0), now_s=1.0, draw=0.0) == Stop(why="failed")
