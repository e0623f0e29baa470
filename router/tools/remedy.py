"""What to change where a budget or a limit has no room for an attempt, in figures that the engine itself accepts."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from router.books.balance import BudgetNow, LimitNow
from router.decide.fit import Worst, worst_of
from router.plan import ROLLING_S, Candidate, Plan
from router.tools.figures import about, money


@dataclass(frozen=True, slots=True, kw_only=True)
class Short:
    """One attempt that a budget, or a limit, has no room for. Exactly one of `budget`, `limit`.

    `adds`: its worst case holds what the provider may add to the input. It is priced as of `at_s`.
    """

    candidate: Candidate
    worst: Worst
    message: str
    needed: int
    adds: bool
    for_an_hour: bool
    at_s: float
    budget: BudgetNow | None = None
    limit: LimitNow | None = None

    @property
    def unit(self) -> str:
        now = self.budget or self.limit
        return now.unit if now else ""

    @property
    def left(self) -> int:
        now = self.budget or self.limit
        return max(0, now.left) if now else 0


def advice(
    plan: Plan, shorts: Iterable[Sequence[Short]], limits: Iterable[LimitNow], *, now_s: float
) -> tuple[str, ...]:
    """One sentence for each budget and limit that is too tight, by the attempt that lacks least."""
    nearest: dict[tuple[str, str], Short] = {}
    for short in (each for of_one in shorts for each in of_one):
        now = short.budget or short.limit
        if now is not None:
            key = (now.owner, now.text)
            nearest[key] = min(nearest.get(key, short), short, key=lambda each: each.needed)
    return (
        *(_sentence(short, list(_ways(plan, short, now_s=now_s))) for short in nearest.values()),
        *(_wait(limit) for limit in limits if is_full(limit)),
    )


def is_full(limit: LimitNow) -> bool:
    """Whether it refuses every call now, whichever target would answer."""
    return limit.unit in ("requests", "concurrent_requests") and not limit.left and not limit.shadow


def most_output(short: Short) -> int:
    """The largest output allowance whose worst case would fit; 0: none would."""
    return _most(short, short.candidate.output_tokens or 0, lambda output: (short.worst.input_tokens, output))


def most_input(short: Short) -> int:
    """The largest input whose worst case would fit with the output allowance as it is; 0: none would."""
    output = short.candidate.output_tokens or 0
    return _most(short, short.worst.input_tokens, lambda tokens: (tokens, output))


def _most(short: Short, most: int, tokens_of: Callable[[int], tuple[int, int]]) -> int:
    """The largest figure up to `most` that needs no more than what is left; what is needed only grows with it."""

    def needed(figure: int) -> int:
        input_tokens, output_tokens = tokens_of(figure)
        changed = replace(short.candidate, output_tokens=output_tokens)
        worst = worst_of(
            changed, input_tokens, adds=short.adds, for_an_hour=short.for_an_hour, at_s=short.at_s
        )
        money_counts = short.budget is not None and short.budget.unit == "nusd"
        return worst.nusd or 0 if money_counts else _tokens(worst, short.limit)

    return max(0, bisect_right(range(most + 1), short.left, key=needed) - 1)


def _tokens(worst: Worst, limit: LimitNow | None) -> int:
    unit = limit.unit if limit else "tokens"
    return {"input_tokens": worst.input_tokens, "output_tokens": worst.output_tokens}.get(
        unit, worst.input_tokens + worst.output_tokens
    )


def _sentence(short: Short, ways: Sequence[str]) -> str:
    now = short.budget or short.limit
    assert now is not None  # noqa: S101 - a shortfall is of one or the other
    *first, last = ways
    listed = f"{', '.join(first)}, or {last}" if first else last
    return f"`{now.owner}` `{now.text}`: {listed}"


def _ways(plan: Plan, short: Short, *, now_s: float) -> Iterator[str]:
    if short.unit not in ("requests", "concurrent_requests"):  # one is one, however small
        yield _smaller(plan, short)
    yield _raise(short)
    resets_at_s = short.budget.resets_at_s if short.budget else None
    if resets_at_s is not None and short.budget and short.needed <= short.budget.amount:
        yield f"wait {about(resets_at_s - now_s)}"
    if short.budget and short.budget.rolling and short.needed <= short.budget.amount:
        yield f"wait {about(ROLLING_S[short.budget.window])} at most"
    if short.limit and short.needed <= short.limit.at_most:
        yield _waiting(short.limit)


def _smaller(plan: Plan, short: Short) -> str:
    policy = plan.policies[short.candidate.policy]
    where = f"in policy `{policy.name}` ({policy.place})"
    output = most_output(short)
    tokens = 0 if output else most_input(short)
    if output:
        return f"write `ceiling: {{output_tokens: {output}}}` {where}"
    if tokens:
        return f"keep the input within {tokens} tokens, as with `ceiling: {{input_tokens: {tokens}}}` {where}"
    return f"add a cheaper target {where}"


def _raise(short: Short) -> str:
    if short.budget is not None:
        enough = short.budget.amount - short.budget.left + short.needed
        amount = money(enough) if short.budget.unit == "nusd" else str(enough)
        return f"raise it to {amount} ({short.budget.place})"
    assert short.limit is not None  # noqa: S101 - a shortfall is of one or the other
    return f"raise it to {short.limit.used + short.needed} ({short.limit.place})"


def _waiting(limit: LimitNow) -> str:
    return f"wait {about(limit.window_s)} at most" if limit.window_s else "wait until a request ends"


def _wait(limit: LimitNow) -> str:
    return f"`{limit.owner}` is at its `{limit.text}`: {_waiting(limit)}, or raise it ({limit.place})"
