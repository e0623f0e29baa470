"""The fields of a request that rules look at, each cut into the few values that all of their conditions tell apart.

An atom is a set of values of one field on which every condition comes out the same; it is found by asking the engine's
own `holds` about values on both sides of every threshold, so that nothing here is a second semantics.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import product
from typing import Any

from router.decide.conditions import FULL_SHARE, Snapshot, holds
from router.plan import BudgetUse, Condition
from router.values import Request

MOST_ATOMS = 512
"""Of one field. Sets of tags and needs can multiply; past this many the space says that it is not complete."""

NOON_MIN = 12 * 60
A_FEW = 100
"""Tokens of a request that nothing is said about."""

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
A_MONDAY = datetime(2026, 1, 5)  # noqa: DTZ001 - a local time of no zone in particular

Result = bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A concrete request, as far as rules can see it. Times are local: `day` from 0 for Monday, `minute` of the day.
    `used` says what is spent or reserved of budgets, in nano-USD. `matters` names the fields that may not be otherwise.
    """

    tenant: str | None = None
    user: str | None = None
    session: str | None = None
    tags: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()
    input_tokens: int = A_FEW
    output_tokens: int | None = None
    stream: bool = False
    day: int = 0
    minute: int = NOON_MIN
    used: tuple[tuple[BudgetUse, int], ...] = ()
    matters: frozenset[str] = frozenset()

    def request(self, policy: str) -> Request:
        params = {} if self.output_tokens is None else {"max_tokens": self.output_tokens}
        return Request(
            id="",
            policy=policy,
            messages=(),
            tenant=self.tenant,
            user=self.user,
            session=self.session,
            tags=self.tags,
            params=params,
            stream=self.stream,
        )

    def snapshot(self, policy: str, amounts: Mapping[BudgetUse, int]) -> Snapshot:
        """`amounts` in nano-USD for each budget that the caller has; the others are unknown to rules."""
        spent = dict(self.used)
        return Snapshot(
            request=self.request(policy),
            needs=self.needs,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            local=A_MONDAY + timedelta(days=self.day, minutes=self.minute),
            used={use: (spent.get(use, 0), amount) for use, amount in amounts.items()},
        )

    def __str__(self) -> str:
        """`tenant acme/search, tag beta, 60001 tokens of input`: what matters, and who calls."""
        return ", ".join(_said(self)) or "any request"


def _said(witness: Witness) -> Iterator[str]:
    matters = witness.matters
    for name in ("tenant", "user", "session"):
        if name in matters:
            value = getattr(witness, name)
            yield f"no {name}" if value is None else f"{name} {value}"
    if "tag" in matters:
        yield (
            f"{'tag' if len(witness.tags) == 1 else 'tags'} {' and '.join(witness.tags)}"
            if witness.tags
            else "no tag"
        )
    if "input_tokens" in matters:
        yield f"{witness.input_tokens} token{'s' * (witness.input_tokens != 1)} of input"
    if "output_tokens" in matters:
        asked = witness.output_tokens
        yield "no max_tokens" if asked is None else f"max_tokens={asked}"
    if "needs" in matters:
        yield f"needs {' and '.join(sorted(witness.needs)) or 'nothing'}"
    if "stream" in matters:
        yield "streamed" if witness.stream else "not streamed"
    if "local_time" in matters:
        yield f"{DAYS[witness.day]} {witness.minute // 60:02}:{witness.minute % 60:02}"
    if "budget_used" in matters:
        yield from (f"{_whose(use)} spent ${_dollars(nusd)}" for use, nusd in witness.used)


def _whose(use: BudgetUse) -> str:
    whose = f"{use.of} {use.name}'s" if use.name else f"the {use.of}'s"
    return f"{whose} budget {'in total' if use.window == 'total' else f'per {use.window}'}"


def _dollars(nusd: int) -> str:
    whole, rest = divmod(nusd, 10**9)
    decimals = f"{rest:09}".rstrip("0")
    return f"{whole}.{decimals.ljust(2, '0')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Atom:
    """One value that stands for its set, as fields of a witness, and how each test of its axis comes out there."""

    values: tuple[tuple[str, Any], ...]
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One field with all tests on it, none negated; each is of one side (a plan), where several are compared."""

    field: str
    tests: tuple[tuple[int, Condition], ...]
    atoms: tuple[Atom, ...]
    complete: bool = True

    @property
    def full(self) -> int:
        return (1 << len(self.atoms)) - 1

    def mask(self, side: int, condition: Condition) -> int:
        """The atoms on which the condition holds, as bits. What is unknown does not hold, negated or not."""
        position = self.tests.index((side, _positive(condition)))
        wanted = not condition.negated
        return sum(1 << at for at, atom in enumerate(self.atoms) if atom.results[position] is wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks: the fields that are as they are for this caller, and what each side knows of its budgets. `anybody`:
    any tenant that conditions tell from others, who may lack any budget."""

    base: Witness
    anybody: bool = False
    must: frozenset[str] = frozenset()  # "user" and "session" where a bucket asks for one
    amounts: tuple[Mapping[BudgetUse, int], ...] = field(default=({},))


def axis_key(condition: Condition) -> tuple[str, BudgetUse | None]:
    return condition.field, condition.budget


def axes_of(
    sides: Sequence[Iterable[Condition]], asking: Asking, extra_needs: Iterable[str] = ()
) -> tuple[Axis, ...]:
    """One axis for each field, or budget, that a condition of any side reads. `extra_needs` are told apart too."""
    tests: dict[tuple[str, BudgetUse | None], dict[tuple[int, Condition], None]] = {}
    for side, conditions in enumerate(sides):
        for condition in conditions:
            tests.setdefault(axis_key(condition), {})[side, _positive(condition)] = None
    for word in sorted(extra_needs):
        tests.setdefault(("needs", None), {})[0, Condition(field="needs", any_of=(word,))] = None
    return tuple(_axis(name, tuple(found), asking) for (name, _), found in sorted(tests.items(), key=_order))


def _order(item: tuple[tuple[str, BudgetUse | None], Any]) -> tuple[str, str]:
    (name, use), _ = item
    return name, "" if use is None else f"{use.of}:{use.name}:{use.window}"


def _positive(condition: Condition) -> Condition:
    return replace(condition, negated=False) if condition.negated else condition


_WHO_ASKS = frozenset({"tenant", "user", "session"})


def _axis(name: str, tests: tuple[tuple[int, Condition], ...], asking: Asking) -> Axis:
    """Policies ask the same of requests again and again, and what isn't about who asks is worked out once for all."""
    if name in _WHO_ASKS:
        return _worked_out(name, tests, asking)
    use = tests[0][1].budget
    amounts = tuple(None if use is None else known.get(use) for known in asking.amounts)
    return _shared(name, tests, use, amounts, asking.anybody and use is not None)


@lru_cache(maxsize=4_096)
def _shared(
    name: str,
    tests: tuple[tuple[int, Condition], ...],
    use: BudgetUse | None,
    amounts: tuple[int | None, ...],
    anybody: bool,
) -> Axis:
    """For anyone whose budget of this use has that amount on each side."""
    known = tuple({} if use is None or amount is None else {use: amount} for amount in amounts)
    return _worked_out(name, tests, Asking(base=Witness(), anybody=anybody, amounts=known))


def _worked_out(name: str, tests: tuple[tuple[int, Condition], ...], asking: Asking) -> Axis:
    atoms: dict[tuple[Result, ...], Atom] = {}
    complete = True
    if asking.anybody and name == "budget_used":
        nothing: tuple[Result, ...] = (None,) * len(tests)
        atoms[nothing] = Atom(values=(), results=nothing)
    for values in _candidates(name, [test for _, test in tests], asking):
        results = _results(values, tests, asking)
        if len(atoms) >= MOST_ATOMS and results not in atoms:
            complete = False
            break
        atoms.setdefault(results, Atom(values=tuple(values.items()), results=results))
    return Axis(field=name, tests=tests, atoms=tuple(atoms.values()), complete=complete)


def _results(
    values: Mapping[str, Any], tests: tuple[tuple[int, Condition], ...], asking: Asking
) -> tuple[Result, ...]:
    witness = replace(asking.base, **values)
    snapshots = [witness.snapshot("", amounts) for amounts in asking.amounts]
    return tuple(holds(test, snapshots[side]) for side, test in tests)


def _candidates(name: str, tests: Sequence[Condition], asking: Asking) -> Iterator[dict[str, Any]]:
    """Values that between them meet every combination of results, the plainest first."""
    match name:
        case "tenant":
            yield from _tenants(tests) if asking.anybody else ({},)
        case "user" | "session":
            absent = () if name in asking.must else (None,)
            for value in (*absent, unlike(tests), *_named(tests)):
                yield {name: value}
        case "tag":
            yield {"tags": ()}
            yield {"tags": (unlike(tests),)}
            yield from ({"tags": tuple(sorted(tags))} for tags in _unions(tests))
        case "needs":
            yield {"needs": frozenset()}
            yield from ({"needs": needs} for needs in _unions(tests))
        case "stream":
            yield from ({"stream": value} for value in (False, True))
        case "local_time":
            yield {}
            yield from ({"day": day, "minute": minute} for minute, day in product(_minutes(tests), range(7)))
        case "budget_used":
            yield from _spendings(tests, asking)
        case _:
            unsaid = (None,) if name == "output_tokens" else ()
            yield from ({name: number} for number in (*unsaid, A_FEW, 1, *_around(tests)))


def _tenants(tests: Sequence[Condition]) -> Iterator[dict[str, Any]]:
    """One that no test names, each that one does, and one below each."""
    yield {"tenant": unlike(tests)}
    for path in _named(tests):
        yield {"tenant": path}
        yield {"tenant": f"{path}/{unlike(tests)}"}


def unlike(tests: Iterable[Condition], plain: str = "other") -> str:
    """A value that no test names."""
    named = set(_named(tests))
    while plain in named:
        plain += "-other"
    return plain


def _named(tests: Iterable[Condition]) -> list[str]:
    return sorted({value for test in tests for value in test.any_of})


def _around(tests: Iterable[Condition]) -> list[int]:
    """Each threshold, and the number after it."""
    thresholds = {bound for test in tests for bound in (test.over, test.up_to) if bound is not None}
    return sorted({number for bound in thresholds for number in (bound, bound + 1) if number > 0})


def _minutes(tests: Iterable[Condition]) -> list[int]:
    """Where spans start, then the other minutes at which something may change."""
    spans = [test.local_time for test in tests if test.local_time is not None]
    starts = sorted({span.from_min for span in spans})
    return list(dict.fromkeys((*starts, 0, *sorted({span.to_min for span in spans}))))


def _unions(tests: Sequence[Condition]) -> Iterator[frozenset[str]]:
    """Sets of named values, small ones first, that between them meet every set of tests that can be met together."""
    meeting: dict[frozenset[int], str] = {}
    for value in _named(tests):
        meeting.setdefault(frozenset(at for at, test in enumerate(tests) if value in test.any_of), value)
    met: dict[frozenset[int], frozenset[str]] = {frozenset(): frozenset()}
    growing = list(met)
    while growing and len(met) <= MOST_ATOMS + 1:
        grown = []
        for known in growing:
            for more, value in meeting.items():
                if known | more not in met:
                    met[known | more] = met[known] | {value}
                    grown.append(known | more)
        growing = grown
    yield from list(met.values())[1:]


def _spendings(tests: Sequence[Condition], asking: Asking) -> Iterator[dict[str, Any]]:
    """Nothing spent, and both sides of every share; nothing can be said of a budget that no side has."""
    use = tests[0].budget
    amounts = {known[use] for known in asking.amounts if use is not None and use in known}
    if use is None or not amounts:
        yield {}
        return
    shares = {bound for test in tests for bound in (test.over, test.up_to) if bound is not None}
    spent = {amount * share // FULL_SHARE + more for amount in amounts for share in shares for more in (0, 1)}
    yield from ({"used": ((use, nusd),)} for nusd in sorted({0, *spent}))
