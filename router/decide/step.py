"""What comes next in a request: one pure function over the route and what has happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from router.decide.backoff import retry_delay_s
from router.decide.classify import FAILURES
from router.plan import Candidate, Route
from router.values import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One thing that did not work at candidate `index`. `sent` counts as a send of that target and of the request."""

    index: int
    key: str | None
    kind: Kind
    retry_after_s: float | None = None
    sent: bool = True
    repairable: bool = False  # an answer of the wrong form, which the model can be told of


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What has happened so far. `waited_after` is the number of failures at the time of the last wait."""

    started_s: float  # monotonic
    failures: tuple[Failure, ...] = ()
    waited_after: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """`others` are the keys that may stand in for `key` where it is at a limit of its own, in order. `probe`: the place
    that a half-open breaker gave it."""

    index: int
    key: str | None
    timeout_s: float
    others: tuple[str, ...] = ()
    probe: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    delay_s: float
    why: str  # "backoff" | "retry_after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    why: str  # "deadline" | "attempts" | "failed" | "exhausted"


Keys = Mapping[str, Sequence[str]]
"""Per provider, the names of its healthy keys, best first; one at least, unless the provider needs none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is known of keys, and of the candidates that breakers refuse now: by index, until when (wall clock).
    `no_retries`: candidates of which as much was sent again lately as may be."""

    keys: Keys
    shut: Mapping[int, float] = field(default_factory=dict)
    no_retries: frozenset[int] = frozenset()


def next_step(
    route: Route, progress: Progress, health: Health, *, now_s: float, draw: float
) -> Try | Wait | Stop:
    """The next thing to do. `now_s` is monotonic, on the clock of `progress.started_s`; `draw` is in [0, 1)."""
    if not progress.failures:
        return _enter(route, 0, progress, health, now_s)
    last = progress.failures[-1]
    candidate = route.candidates[last.index]
    left_s = _left_s(route, candidate, progress, now_s)
    if now_s >= progress.started_s + route.total_s:
        return Stop(why="deadline")
    shut = last.index in health.shut
    again = None if shut else _again(route, candidate, progress, health, left_s, draw)
    if again is not None:
        return again
    if last.kind not in candidate.lexical.fall_back_on:
        return Stop(why="failed")
    return _enter(route, last.index + 1, progress, health, now_s)


def passed_over(progress: Progress, health: Health, step: Try | Wait | Stop) -> Sequence[int]:
    """The candidates that `step` leaves out because their breakers refuse them."""
    came_from = progress.failures[-1].index if progress.failures else -1
    match step:
        case Try(index=index):
            return [at for at in sorted(health.shut) if came_from < at < index]
        case Stop(why="exhausted"):
            return [at for at in sorted(health.shut) if came_from < at]
        case _:
            return ()


def _again(
    route: Route, candidate: Candidate, progress: Progress, health: Health, left_s: float, draw: float
) -> Try | Wait | None:
    """Another send to the target that failed last, if its retry rule and the time left allow one."""
    keys = health.keys
    last = progress.failures[-1]
    here = [failure for failure in progress.failures if failure.index == last.index and failure.sent]
    retry = candidate.lexical.retry
    if not last.sent or len(here) >= retry.attempts or left_s <= 0 or not _may_send(candidate, progress):
        return None
    timeout_s = _timeout_s(route, candidate, left_s)
    fresh = _fresh_key(route, candidate, progress, keys)
    if FAILURES[last.kind].another_key and fresh is not None:
        return _try(route, last.index, fresh, timeout_s, progress, keys)
    if last.repairable:  # told what is wrong, it need not wait
        same = _same_key(last.key, candidate, keys)
        return _try(route, last.index, same, timeout_s, progress, keys)
    if last.kind not in retry.on:
        return None
    if progress.waited_after == len(progress.failures):
        same = _same_key(last.key, candidate, keys)
        return _try(route, last.index, same, timeout_s, progress, keys)
    if last.index in health.no_retries:
        return None
    delay_s = retry_delay_s(retry, len(here), last.retry_after_s, left_s=left_s, draw=draw)
    if delay_s is None:
        return None
    return Wait(delay_s=delay_s, why="backoff" if last.retry_after_s is None else "retry_after")


def _enter(route: Route, index: int, progress: Progress, health: Health, now_s: float) -> Try | Stop:
    """The first candidate from `index` on that no breaker refuses, and that there is still time for."""
    for position, candidate in enumerate(route.candidates[index:], start=index):
        left_s = _left_s(route, candidate, progress, now_s)
        if position not in health.shut and left_s > 0 and _may_send(candidate, progress):
            key = _best_key(route, candidate, progress, health.keys)
            return _try(route, position, key, _timeout_s(route, candidate, left_s), progress, health.keys)
    if now_s >= progress.started_s + route.total_s:
        return Stop(why="deadline")
    refused = any(not _may_send(candidate, progress) for candidate in route.candidates[max(index - 1, 0) :])
    return Stop(why="attempts" if refused else "exhausted")


def _try(route: Route, index: int, key: str | None, timeout_s: float, progress: Progress, keys: Keys) -> Try:
    others = (each for each in _fresh_keys(route, route.candidates[index], progress, keys) if each != key)
    return Try(index=index, key=key, timeout_s=timeout_s, others=tuple(others))


def _left_s(route: Route, candidate: Candidate, progress: Progress, now_s: float) -> float:
    return progress.started_s + min(route.total_s, candidate.total_s) - now_s


def _timeout_s(route: Route, candidate: Candidate, left_s: float) -> float:
    """Of a stream: the time until its first content."""
    lexical = candidate.lexical
    bounds = (lexical.attempt_s, lexical.first_content_s if route.streams else None)
    return min([left_s, *(bound for bound in bounds if bound is not None)])


def _may_send(candidate: Candidate, progress: Progress) -> bool:
    """Whether the ceiling of this candidate's path leaves a send; another path may have a looser one."""
    sends = sum(failure.sent for failure in progress.failures)
    return candidate.attempts_ceiling is None or sends < candidate.attempts_ceiling


def _fresh_keys(route: Route, candidate: Candidate, progress: Progress, keys: Keys) -> Sequence[str]:
    """The keys that have not failed in this request, at whichever target of its provider."""
    provider = candidate.target.provider
    usable = keys.get(provider, ())
    if not progress.failures:
        return usable
    failed = {
        failure.key
        for failure in progress.failures
        if FAILURES[failure.kind].another_key and route.candidates[failure.index].target.provider == provider
    }
    return [key for key in usable if key not in failed]


def _fresh_key(route: Route, candidate: Candidate, progress: Progress, keys: Keys) -> str | None:
    return next(iter(_fresh_keys(route, candidate, progress, keys)), None)


def _best_key(route: Route, candidate: Candidate, progress: Progress, keys: Keys) -> str | None:
    fresh = _fresh_key(route, candidate, progress, keys)
    return next(iter(keys.get(candidate.target.provider, ())), None) if fresh is None else fresh


def _same_key(key: str | None, candidate: Candidate, keys: Keys) -> str | None:
    usable = keys.get(candidate.target.provider, ())
    return key if key in usable or not usable else next(iter(usable))
