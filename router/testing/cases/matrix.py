"""What follows each fault at each target of a policy: who answers, after how many sends, for how much."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from router import events as ev
from router.adapters.scripted_transport import Step as Does
from router.decide.judge import soft_kind
from router.decide.scopes import called_policy, caller
from router.errors import Rejected
from router.plan import Plan
from router.ports import Tokens
from router.testing.cases.instants import USUAL, usual_s
from router.testing.cases.outcomes import doing
from router.testing.cases.play import Desk
from router.testing.cases.seen import Seen
from router.testing.cases.words import ANSWERED, ANSWERS, SENT_KINDS, SPECIAL
from router.values import Kind, Request

SOMEONE = "someone"
"""The user or session of a call that must name one."""

FAILED = "failed"
LONG = "rate_limited for 1h"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One fault, for as long as the request lasts, at one target; those after it answer. `outcome` is the target that
    answers, or the class of the error; `how` is `answered`, `truncated`, `content_filter` or `failed`. Lengths are
    rounded to milliseconds. `cost_nusd` None: a price is unknown."""

    target: str
    fault: str
    outcome: str
    how: str
    sends: int
    waits_s: float  # at their longest
    took_s: float
    cost_nusd: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """`refused` says why such a call has no list at all; `cells` is empty then."""

    policy: str
    tenant: str | None
    user: str | None
    session: str | None
    begins: str
    targets: tuple[str, ...]
    cells: tuple[Cell, ...]
    refused: str | None = None


def matrix(plan: Plan, request: Request, tokens: Tokens) -> Matrix:
    """Every fault at every target of the list of `request`. The list begins at the target that fails, as if those
    before it had been passed over. Raises RequestError for a policy that does not exist."""
    called_policy(plan, request)
    request = _someones(plan, request)
    plain = _asked(plan, tokens, request, {})
    targets = next((fact.targets for fact in plain.facts(ev.Routed)), ())
    cells = [
        _cell(plan, tokens, replace(request, only=targets[at:]), fault, does)
        for at in range(len(targets))
        for fault, does in FAULTS.items()
    ]
    return Matrix(
        policy=request.policy,
        tenant=request.tenant,
        user=request.user,
        session=request.session,
        begins=USUAL,
        targets=targets,
        cells=tuple(cells),
        refused=plain.error.message if plain.error is not None and not targets else None,
    )


def _cell(plan: Plan, tokens: Tokens, request: Request, fault: str, does: Does) -> Cell:
    target = request.only[0]
    seen = _asked(plan, tokens, request, {target: (does,)})
    return Cell(
        target=target,
        fault=fault,
        outcome=seen.outcome,
        how=FAILED if seen.reply is None else str(soft_kind(seen.reply.finish_reason) or ANSWERED),
        sends=len(seen.asked),
        waits_s=round(sum(seen.waits_s), 3),
        took_s=round(seen.took_s, 3),
        cost_nusd=seen.cost_nusd,
    )


def _asked(plan: Plan, tokens: Tokens, request: Request, faults: Mapping[str, tuple[Does, ...]]) -> Seen:
    """In a world of its own, where every wait is as long as it can be."""
    desk = Desk(plan, tokens, begins_s=usual_s(plan), draw=_Longest())
    return desk.ask(replace(request, id=desk.ports.draw.id()), faults)


def _someones(plan: Plan, request: Request) -> Request:
    """The request of somebody who may make it: as given, else by the first tenant that may call the policy."""
    tenants = [request.tenant] if request.tenant or not plan.tenants else sorted(plan.tenants)
    for tenant in tenants:
        for user, session in ((None, None), (SOMEONE, None), (None, SOMEONE), (SOMEONE, SOMEONE)):
            tried = replace(
                request, tenant=tenant, user=request.user or user, session=request.session or session
            )
            try:
                caller(plan, tried)
            except Rejected:
                continue
            return tried
    return request


class _Longest:
    """Draws as near to 1 as waits can tell."""

    def __init__(self) -> None:
        self._count = 0

    def fraction(self) -> float:
        return 1.0 - 1e-12

    def id(self) -> str:
        self._count += 1
        return f"{self._count}"


def _faults() -> Iterator[tuple[str, Does]]:
    """Every fault a case can name, and a Retry-After that nobody waits for."""
    for word in (*SENT_KINDS, *SPECIAL):
        if word != ANSWERS:
            yield word, doing(word)
        if word == str(Kind.RATE_LIMITED):
            yield LONG, doing(word, retry_after_s=3600.0)


FAULTS: Mapping[str, Does] = MappingProxyType(dict(_faults()))
