"""What two sets of policies differ in, as data: the shape of `router diff --json`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from router.decide.axes import Witness
from router.errors import Problem
from router.values import Place

Effect = Literal["loosens", "both", "tightens", "neither"]
"""What a change does to what is permitted: "both" where it permits some things and forbids others."""

Area = Literal["policies", "callers", "ceilings", "budgets", "settings", "catalog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One value that means something else now, in all `subjects` alike ("policy fast", "each user of acme").

    `what` names it as policies do ("retry.attempts"); `before` and `after` are as an author writes them, None: absent.
    `text` says it in words. A place of None: nobody wrote it there. Places are those of the first subject.
    """

    area: Area
    subjects: tuple[str, ...]
    what: str
    before: str | None
    after: str | None
    text: str
    effect: Effect = "neither"
    old_place: Place | None = None
    new_place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How one side serves a request. `rule` names the rule that chose the list; `reject` is what its author wrote.
    `dropped` are the targets that were passed over, each with its reason."""

    rule: str | None
    reject: str | None
    targets: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request to a policy, in words and as fields."""

    policy: str
    text: str
    witness: Witness


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteChange:
    """A request that goes elsewhere now. `also` are further requests with the same change; `settings` says what is
    otherwise for a target that stays."""

    asked: Asked
    before: Way
    after: Way
    settings: tuple[str, ...]
    effect: Effect
    also: tuple[Asked, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """The worst that any call of a policy can come to. `cost_nusd` None: unbounded, or a price is unknown."""

    cost_nusd: int | None
    seconds: float
    sends: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundChange:
    policies: tuple[str, ...]
    before: Worst
    after: Worst


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One side: where it came from, and the digests of what it means."""

    source: str
    digest: str
    prices_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Everything. `unfinished` names policies with more kinds of requests than were looked at."""

    old: Compared
    new: Compared
    routes: tuple[RouteChange, ...]
    changes: tuple[Change, ...]
    bounds: tuple[BoundChange, ...]
    new_findings: tuple[Problem, ...]
    gone_findings: tuple[Problem, ...]
    unfinished: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Nothing means anything else. `check` may still find more or less to say, as of a description."""
        return not (self.routes or self.changes or self.bounds)

    @property
    def effects(self) -> tuple[Effect, ...]:
        return (*(each.effect for each in self.routes), *(each.effect for each in self.changes))

    @property
    def loosened(self) -> int:
        """How many changes permit what was not permitted."""
        return sum(each in ("loosens", "both") for each in self.effects)


def combined(*, loosens: bool, tightens: bool) -> Effect:
    if loosens:
        return "both" if tightens else "loosens"
    return "tightens" if tightens else "neither"


def gathered(changes: Sequence[Change]) -> tuple[Change, ...]:
    """One change for all subjects that have the same, those that loosen first; the order is kept otherwise."""
    found: dict[tuple[object, ...], list[Change]] = {}
    for each in changes:
        found.setdefault((each.area, each.what, each.before, each.after, each.text, each.effect), []).append(
            each
        )
    merged = [_merged(same) for same in found.values()]
    return tuple(sorted(merged, key=lambda each: each.effect not in ("loosens", "both")))


def _merged(same: Sequence[Change]) -> Change:
    first = same[0]
    if len(same) == 1:
        return first
    return Change(
        area=first.area,
        subjects=tuple(dict.fromkeys(subject for each in same for subject in each.subjects)),
        what=first.what,
        before=first.before,
        after=first.after,
        text=first.text,
        effect=first.effect,
        old_place=first.old_place,
        new_place=first.new_place,
    )
