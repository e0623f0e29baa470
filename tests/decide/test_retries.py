"""Retry budgets: never more than the share, never fewer than a few, in any ten seconds."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from router.decide.retries import LEAST, WINDOW_S, RetryCounts, allowed, with_request, with_retry

TENTH = 10_000  # 10%


def after(requests: int, *, at_s: float = 0.0) -> RetryCounts:
    counts = RetryCounts()
    for _ in range(requests):
        counts = with_request(counts, at_s)
    return counts


def retries(counts: RetryCounts, share: int, now_s: float) -> int:
    """How many more may be sent."""
    number = 0
    while (more := with_retry(counts, share, now_s)) is not None:
        counts, number = more, number + 1
    return number


def test_a_few_may_always_be_sent_again() -> None:
    assert retries(RetryCounts(), TENTH, 0.0) == LEAST
    assert retries(after(10), TENTH, 0.0) == LEAST


def test_of_many_a_share_may() -> None:
    assert retries(after(100), TENTH, 5.0) == 10
    assert retries(after(100), 25_500, 5.0) == 25


def test_what_is_ten_seconds_old_counts_no_more() -> None:
    assert retries(after(100, at_s=0.5), TENTH, 9.9) == 10
    assert retries(after(100, at_s=0.5), TENTH, 10.0) == LEAST


STEPS = st.lists(st.tuples(st.booleans(), st.sampled_from((0.0, 0.1, 0.5, 1.0, 4.0, 11.0))), max_size=60)


@given(steps=STEPS, share=st.integers(1, 100_000))
def test_no_history_gets_more_than_its_share(steps: Sequence[tuple[bool, float]], share: int) -> None:
    counts, now_s = RetryCounts(), 100.0
    log: list[tuple[int, bool]] = []
    for is_retry, gap_s in steps:
        now_s += gap_s
        log = [each for each in log if each[0] > now_s - WINDOW_S]
        if not is_retry:
            counts = with_request(counts, now_s)
            log.append((int(now_s), False))
            continue
        asked = [again for _, again in log]
        more = with_retry(counts, share, now_s)
        assert (more is not None) == (asked.count(True) < allowed(asked.count(False), share))
        if more is not None:
            counts = more
            log.append((int(now_s), True))
        assert len(counts.seconds) <= WINDOW_S + 1
