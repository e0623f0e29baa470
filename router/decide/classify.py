"""The failure table: for every kind of failure, what may follow it, what it says about health, what it is charged.

One row per kind; `docs/failures.md` is printed from it. Which kinds a policy retries and falls back on is the
policy's (`retry.on`, `fall_back_on`); the defaults are the columns here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from router.values import Kind


class Charge(StrEnum):
    """What a failed attempt is charged."""

    NOTHING = "nothing"  # providers do not bill this
    REPORTED = "reported"  # what the provider reported with the failure; nothing where it reported nothing
    WORST_CASE = "worst_case"  # the provider may have worked and billed: the reservation, until reconciled


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRule:
    """`retry_here`: may be sent again to the same target. `another_key`: a healthy other key is tried at once.
    `next_target`: in the default `fall_back_on`. `breaker`: speaks against the provider's health, not the request's.
    `stale`: an older answer may stand in; it may not where the request itself is refused."""

    retry_here: bool
    another_key: bool
    next_target: bool
    breaker: bool
    stale: bool
    charge: Charge


def _rule(flags: str, charge: Charge) -> FailureRule:
    return FailureRule(
        retry_here="r" in flags,
        another_key="k" in flags,
        next_target="n" in flags,
        breaker="b" in flags,
        stale="s" in flags,
        charge=charge,
    )


FAILURES: Mapping[Kind, FailureRule] = MappingProxyType(
    {
        # r: retry here, k: another key, n: next target, b: counts against the breaker, s: a stale answer may stand in
        Kind.RATE_LIMITED: _rule("rkns", Charge.NOTHING),
        Kind.OVERLOADED: _rule("rnbs", Charge.NOTHING),
        Kind.SERVER_ERROR: _rule("rnbs", Charge.REPORTED),
        Kind.TIMEOUT: _rule("rnbs", Charge.WORST_CASE),
        Kind.CONNECTION: _rule("rnbs", Charge.WORST_CASE),
        Kind.AUTH: _rule("kns", Charge.NOTHING),
        Kind.QUOTA: _rule("kns", Charge.NOTHING),
        Kind.NOT_FOUND: _rule("ns", Charge.NOTHING),
        Kind.BAD_REQUEST: _rule("", Charge.NOTHING),
        Kind.CONTEXT_WINDOW: _rule("n", Charge.NOTHING),
        Kind.CONTENT_FILTER: _rule("", Charge.REPORTED),
        Kind.INVALID_OUTPUT: _rule("rns", Charge.REPORTED),
        Kind.TRUNCATED: _rule("s", Charge.REPORTED),
        Kind.OVER_BUDGET: _rule("n", Charge.NOTHING),
        Kind.OVER_LIMIT: _rule("n", Charge.NOTHING),
    }
)

TRANSIENT: frozenset[Kind] = frozenset(
    {Kind.RATE_LIMITED, Kind.OVERLOADED, Kind.SERVER_ERROR, Kind.TIMEOUT, Kind.CONNECTION}
)
"""The set named `transient` in policies, and the default of `retry.on`."""

DEFAULT_FALL_BACK_ON: frozenset[Kind] = frozenset(kind for kind, rule in FAILURES.items() if rule.next_target)
"""The default of `fall_back_on`."""


def charge_for(kind: Kind, *, sent: bool, answered: bool) -> Charge:
    """What a failure is charged. `sent`: a byte may have left. `answered`: the provider sent a status line.

    A failure that never left costs nothing, whatever its kind. A server error that came as a success status whose body
    can't be read counts as not answered: like a timeout, the work may have been done and billed.
    """
    if not sent:
        return Charge.NOTHING
    if kind is Kind.SERVER_ERROR and not answered:
        return Charge.WORST_CASE
    return FAILURES[kind].charge
