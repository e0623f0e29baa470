"""The limits that a call meets, and which of them have no room for one attempt now, in the words of the refusal."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import inf

from router.books.balance import LimitNow
from router.decide.fit import Worst
from router.decide.outcome import attempt_limit_exceeded, limit_exceeded
from router.decide.reserve import attempt_permits, attempt_takes
from router.engine.health import usable_keys
from router.engine.run import LEASE_S, Run
from router.plan import Candidate, Key, Limit, Policy
from router.tools.remedy import Short


def of_request(run: Run, policy: Policy) -> tuple[Limit, ...]:
    """Those of the caller and the called policy: requests and concurrency are taken once for the request."""
    return (*run.caller.limits, *policy.limits)


def limits_met(run: Run, policy: Policy, candidates: Iterable[Candidate]) -> tuple[Limit, ...]:
    """Every limit that this call meets, each once; those of its targets only where there is a list."""
    found = [*of_request(run, policy)]
    for candidate in candidates:
        keys = run.plan.providers[candidate.target.provider].keys
        found += (*candidate.limits, *(limit for key in keys if run.has_key(key) for limit in key.limits))
    return tuple(dict.fromkeys(found))


async def limited_keys(run: Run, candidates: Iterable[Candidate]) -> Mapping[str, Sequence[Key]]:
    """By provider, where a key has limits of its own: the keys that a call would try now."""
    providers = (run.plan.providers[name] for name in {each.target.provider for each in candidates})
    limited = [each for each in providers if any(key.limits for key in each.keys)]
    usable = await usable_keys(run, [each.name for each in limited])
    return {each.name: [key for key in each.keys if key.name in usable[each.name]] for each in limited}


def short_of_limits(
    run: Run,
    policy: Policy,
    candidate: Candidate,
    worst: Worst,
    limits: Mapping[Limit, LimitNow],
    keys: Mapping[str, Sequence[Key]],
    short: Callable[..., Short],
) -> Iterator[Short]:
    """What of the target's own has no room; else, where no key has, what the first one lacks."""
    each = candidate.limits
    yield from _short(candidate, attempt_takes(of_request(run, policy), each, worst), limits, short)
    yield from _short(candidate, attempt_permits(each), limits, short)
    lacking = [
        list(_short(candidate, (*attempt_takes((), of_key, worst), *attempt_permits(of_key)), limits, short))
        for of_key in (key.limits for key in keys.get(candidate.target.provider, ()))
    ]
    if lacking and all(lacking):
        yield from lacking[0]


def _short(
    candidate: Candidate,
    takes: Iterable[tuple[Limit, int]],
    limits: Mapping[Limit, LimitNow],
    short: Callable[..., Short],
) -> Iterator[Short]:
    for limit, needed in takes:
        now = limits[limit]
        if needed > now.left and not limit.shadow:
            wait_s = inf if needed > limit.at_most else limit.window_s or LEASE_S
            error = (
                attempt_limit_exceeded(candidate.target.name, limit, needed, now.left, wait_s)
                if limit.window_s
                else limit_exceeded(limit, wait_s)
            )
            yield short(message=error.message, limit=now, needed=needed)
