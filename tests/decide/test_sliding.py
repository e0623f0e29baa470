"""Sliding windows against a log that keeps every event."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from router.decide.sliding import BUCKETS, Slide, moved, permit_wait_s, room, slide_of, taken

EPOCH_S = 1_790_000_000.0
WINDOWS_S = (1.0, 60.0, 3600.0)

steps = st.lists(
    st.tuples(st.floats(0, 1.2), st.integers(1, 7)),  # (windows that pass, amount)
    max_size=60,
)


class Log:
    """What a limiter with endless memory would know. Times are exact, as fractions."""

    def __init__(self, window_s: float) -> None:
        self.window_s = Fraction(window_s)
        self.events: list[tuple[Fraction, int]] = []

    def held(self, now_s: float, *, length: Fraction | None = None) -> int:
        """In the half-open span (now - length, now]."""
        since = Fraction(now_s) - (length or self.window_s)
        return sum(amount for at, amount in self.events if since < at <= Fraction(now_s))

    def worst_span(self) -> int:
        ends = [at for at, _ in self.events]
        spans = [sum(a for at, a in self.events if end - self.window_s < at <= end) for end in ends]
        return max(spans, default=0)


def play(window_s: float, at_most: int, moves: list[tuple[float, int]]) -> tuple[Log, Slide | None]:
    """Admit what fits, and check each decision against the log."""
    log, slide, now_s = Log(window_s), None, EPOCH_S
    for windows, amount in moves:
        now_s += windows * window_s
        slide = moved(slide, window_s, now_s=now_s)
        found = room(slide, window_s, at_most, amount, now_s=now_s)
        if found.retry_after_s == 0.0:
            assert log.held(now_s) + amount <= at_most
            slide = taken(slide, found.at, amount)
            log.events.append((Fraction(now_s), amount))
            continue
        early = log.window_s * (BUCKETS + 1) / BUCKETS
        assert log.held(now_s, length=early + Fraction(1, 2**20)) + amount > at_most, "refused without need"
        if amount > at_most:
            assert found.retry_after_s is None
        else:
            later_s = now_s + found.retry_after_s
            again = room(moved(slide, window_s, now_s=later_s), window_s, at_most, amount, now_s=later_s)
            assert again.retry_after_s == 0.0, "waiting as long as told was not enough"
    return log, slide


@settings(max_examples=300, deadline=None)
@given(window_s=st.sampled_from(WINDOWS_S), at_most=st.integers(1, 20), moves=steps)
def test_no_span_holds_more_than_the_limit_and_refusals_are_hardly_early(
    window_s: float, at_most: int, moves: list[tuple[float, int]]
) -> None:
    log, _ = play(window_s, at_most, moves)
    assert log.worst_span() <= at_most


@settings(max_examples=200, deadline=None)
@given(
    window_s=st.sampled_from(WINDOWS_S),
    at_most=st.integers(1, 20),
    moves=st.lists(st.tuples(st.floats(0, 0.1), st.floats(0, 0.9), st.integers(1, 5)), max_size=60),
)
def test_stamps_that_come_late_are_still_bounded(
    window_s: float, at_most: int, moves: list[tuple[float, float, int]]
) -> None:
    """Callers read the clock before they meet the store, so stamps overtake one another: here by up to a window."""
    log, slide, now_s = Log(window_s), None, EPOCH_S
    for windows, late, amount in moves:
        now_s += windows * window_s
        stamp_s = now_s - late * window_s
        slide = moved(slide, window_s, now_s=stamp_s)
        found = room(slide, window_s, at_most, amount, now_s=stamp_s)
        if found.retry_after_s == 0.0:
            slide = taken(slide, found.at, amount)
            log.events.append((Fraction(stamp_s), amount))
    assert log.worst_span() <= at_most


def test_a_full_window_is_free_again_after_one_length_and_a_sixtieth() -> None:
    slide = moved(None, 60.0, now_s=EPOCH_S)
    found = room(slide, 60.0, 5, 5, now_s=EPOCH_S)
    slide = taken(slide, found.at, 5)
    refused = room(slide, 60.0, 5, 1, now_s=EPOCH_S + 59.0)
    assert refused.held == 5
    assert refused.retry_after_s is not None
    assert 1.0 <= refused.retry_after_s <= 2.1


def test_more_than_the_limit_never_fits_and_nothing_always_does() -> None:
    slide = taken(
        moved(None, 60.0, now_s=EPOCH_S),
        room(moved(None, 60.0, now_s=EPOCH_S), 60.0, 9, 0, now_s=EPOCH_S).at,
        12,
    )
    assert room(slide, 60.0, 9, 10, now_s=EPOCH_S).retry_after_s is None
    assert room(slide, 60.0, 9, 0, now_s=EPOCH_S).retry_after_s == 0.0


def test_a_correction_reaches_its_own_bucket_and_no_bucket_falls_below_nothing() -> None:
    slide = moved(None, 60.0, now_s=EPOCH_S)
    at = room(slide, 60.0, 100, 40, now_s=EPOCH_S).at
    slide = taken(slide, at, 40)
    slide = moved(slide, 60.0, now_s=EPOCH_S + 30)
    assert room(taken(slide, at, -30), 60.0, 100, 0, now_s=EPOCH_S + 30).held == 10
    assert room(taken(slide, at, -90), 60.0, 100, 0, now_s=EPOCH_S + 30).held == 0
    assert room(taken(slide, at, 2**40), 60.0, 100, 0, now_s=EPOCH_S + 30).held == 40 + 2**40
    gone = moved(slide, 60.0, now_s=EPOCH_S + 600)
    assert taken(gone, at, -30) == gone


def test_a_clock_set_back_by_a_day_does_not_close_a_limit_for_a_day() -> None:
    slide = moved(None, 60.0, now_s=EPOCH_S)
    slide = taken(slide, room(slide, 60.0, 5, 5, now_s=EPOCH_S).at, 5)
    minute_back = moved(slide, 60.0, now_s=EPOCH_S - 60)
    assert room(minute_back, 60.0, 5, 1, now_s=EPOCH_S - 60).retry_after_s != 0.0
    day_back = moved(slide, 60.0, now_s=EPOCH_S - 86400)
    assert room(day_back, 60.0, 5, 1, now_s=EPOCH_S - 86400).retry_after_s == 0.0


@settings(max_examples=100, deadline=None)
@given(moves=steps, at_most=st.integers(1, 20))
def test_a_slide_rebuilt_from_its_buckets_decides_alike(moves: list[tuple[float, int]], at_most: int) -> None:
    _, slide = play(60.0, at_most, moves)
    if slide is None:
        return
    first = slide.head - len(slide.counts) + 1
    rebuilt = slide_of((first + place, count) for place, count in enumerate(slide.counts) if count)
    for later_s in (0.0, 30.0, 61.0, 200.0):
        now_s = EPOCH_S + sum(windows for windows, _ in moves) * 60.0 + later_s
        one, other = (moved(each, 60.0, now_s=now_s) for each in (slide, rebuilt))
        assert room(one, 60.0, at_most, 1, now_s=now_s) == room(other, 60.0, at_most, 1, now_s=now_s)


def test_a_permit_waits_for_the_lease_that_makes_room() -> None:
    live = [(1, EPOCH_S + 30), (1, EPOCH_S + 10), (1, EPOCH_S + 20)]
    assert permit_wait_s(live, 4, 1, now_s=EPOCH_S) == 0.0
    wait_s = permit_wait_s(live, 2, 1, now_s=EPOCH_S)
    assert wait_s is not None
    assert 20 < wait_s < 20.01
    assert permit_wait_s([], 0, 1, now_s=EPOCH_S) is None
