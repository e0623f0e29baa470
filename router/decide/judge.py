"""What an answer or a failure means: a soft failure, a cost, a thing worth keeping, a key or a target that is ill."""

from collections.abc import Mapping, Sequence
from typing import Any

from router.decide.breaker import Said
from router.decide.classify import FAILURES
from router.errors import Attempt
from router.plan import BreakerRule
from router.values import Kind

SOFT: Mapping[str, Kind] = {"length": Kind.TRUNCATED, "content_filter": Kind.CONTENT_FILTER}

REST_S = 30.0
"""How long a key rests after a failure of its own that named no time; twice as long each time until it is answered."""

LONGEST_REST_S = 600.0


def soft_kind(finish_reason: str) -> Kind | None:
    """An answer that a policy may choose to fall back on: cut by a limit, or filtered."""
    return SOFT.get(finish_reason)


def is_sampled(params: Mapping[str, Any]) -> bool:
    """Whether two sends of this request may differ: any temperature but 0, and no temperature at all."""
    return params.get("temperature") != 0


def kinds_of_outage(attempts: Sequence[Attempt]) -> tuple[Kind, ...]:
    """Why a request was not answered, as far as an older answer may stand in for that; each kind once, in order. None:
    all that failed was the request itself, or its room in budgets and limits."""
    return tuple(dict.fromkeys(each.kind for each in attempts if FAILURES[each.kind].stale))


def speaks_of_key(kind: Kind | None) -> bool:
    """Whether a failure takes its key out of use for a while."""
    return kind is not None and FAILURES[kind].another_key


def rested(until_s: float, rests: int, *, named_s: float | None, now_s: float) -> tuple[float, int]:
    """Until when a key rests that has failed for itself, and how often in a row it was sent to rest without a time that
    its provider named. It rests until `until_s` already, for the `rests`th time; what was under way when it was sent to
    rest does not send it twice."""
    if named_s is not None:
        return max(until_s, now_s + max(0.0, named_s)), rests
    if now_s < until_s:
        return until_s, rests
    return now_s + min(LONGEST_REST_S, REST_S * 2.0 ** min(rests, 10)), rests + 1


def said_of_target(kind: Kind | None, rule: BreakerRule, took_s: float, *, hurried: bool) -> Said:
    """What an attempt says of its target to a breaker. `kind` None: it was answered, after `took_s`. `hurried`: its
    caller gave it less time than the policy does, so that running out of it says nothing."""
    if kind is None:
        return "failed" if rule.slower_than_s is not None and took_s > rule.slower_than_s else "answered"
    if kind is Kind.TIMEOUT and hurried:
        return "neither"
    return "failed" if FAILURES[kind].breaker else "neither"
