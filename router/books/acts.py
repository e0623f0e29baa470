"""What people do to the ledger in their own name: grants, and the truth about what was charged at worst case."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from router.books.balance import BudgetNow, budgets_now, counter_of
from router.books.owners import Owner, budget_of
from router.decide.windows import window_start
from router.engine import Ports
from router.errors import RequestError
from router.plan import Plan
from router.policy import scalars
from router.ports import Act, Note, Row, Settlement
from router.values import Kind, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """`amount` in the unit of the budget: nano-USD, tokens or requests. `budget` is what is left after it."""

    amount: int
    start: str  # of the window it was granted in
    budget: BudgetNow


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """`changed` False: the row already said so."""

    row: Row
    before_nusd: int
    changed: bool


async def grant(
    plan: Plan, ports: Ports, owner: Owner, *, window: str, amount: str, who: str, why: str
) -> Grant:
    """Let one budget spend more (or, `-$50`, less) in its present window. Raises RequestError, StoreError."""
    budget = budget_of(plan, owner, window)
    wanted = _amount(amount, budget.unit)
    now_s, zone = ports.clock.now_s(), ZoneInfo(plan.settings.time_zone)
    start, _ = window_start(budget.window, now_s, zone)
    await ports.ledger.grant(counter_of(budget, start), wanted, _note(ports, who, why))
    now = await budgets_now(ports.ledger, [budget], now_s=now_s, zone=zone)
    return Grant(amount=wanted, start=start, budget=now[budget])


async def correct(
    ports: Ports,
    id: str,
    *,
    cost: str,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    above_bound: bool = False,
    who: str,
    why: str,
) -> Correction:
    """Record what a row really cost that was charged at its worst case. Tokens stay at the worst case where none are
    told. More than its worst case must be meant: `above_bound`. Raises RequestError, StoreError."""
    note, cost_nusd, usage = _note(ports, who, why), _cost(cost), _usage(input_tokens, output_tokens)
    await ports.ledger.reconcile(now_s=note.at_s)
    before = await _row(ports, id)
    ending = Settlement(
        cost_nusd=cost_nusd,
        usage=usage,
        how="reported",
        kind=None if before.kind is None else Kind(before.kind),
        now_s=note.at_s,
    )
    if is_assumed(before) and not above_bound:
        _refuse_above_bound(before, cost_nusd, usage)
    changed = is_assumed(before) and await ports.ledger.correct(id, ending, note)
    after = await _row(ports, id)
    if not changed and (after.cost_nusd, after.usage, after.how) != (cost_nusd, usage, "reported"):
        raise _not_assumed(after)
    return Correction(row=after, before_nusd=before.cost_nusd, changed=changed)


async def assumed(ports: Ports) -> Sequence[Row]:
    """The rows that are charged at worst case, oldest first. Raises StoreError."""
    await ports.ledger.reconcile(now_s=ports.clock.now_s())
    return [row for row in await ports.ledger.rows() if is_assumed(row)]


async def acts(ports: Ports) -> Sequence[Act]:
    """Everything that people did, oldest first. Raises StoreError."""
    return await ports.ledger.acts()


def is_assumed(row: Row) -> bool:
    """Whether it is charged at worst case, as nobody knew better when it ended."""
    return row.state == "expired" or row.how == "worst_case"


async def _row(ports: Ports, id: str) -> Row:
    row = await ports.ledger.row(id)
    if row is None:
        raise RequestError(
            f"the ledger has no row `{id}`",
            help="`router usage settle` lists those charged at worst case; one that was moved out stays as it is",
        )
    return row


def _refuse_above_bound(row: Row, cost_nusd: int, usage: Usage | None) -> None:
    """A provider may bill that much, but a slip of the keyboard is likelier, and could not be taken back."""
    shown = scalars.money_text
    if cost_nusd > row.worst_nusd:
        told = f"{shown(cost_nusd)} is above what row `{row.id}` could cost at most, {shown(row.worst_nusd)}"
    elif usage is not None and usage.input_tokens + usage.output_tokens > row.worst_tokens:
        tokens = usage.input_tokens + usage.output_tokens
        told = f"{tokens} tokens are above what row `{row.id}` could take at most, {row.worst_tokens}"
    else:
        return
    raise RequestError(
        f"{told}; a cost that was told can't be corrected later",
        help="if the provider did bill that, say so: `--above-bound`, or `above_bound=True`",
    )


def _not_assumed(row: Row) -> RequestError:
    if row.state in ("reserved", "sent"):
        return RequestError(
            f"row `{row.id}` is still under way: its call settles it",
            help="or, if its process has died, the end of its lease does; then its truth can be told",
        )
    if row.state == "released":
        return RequestError(f"row `{row.id}` was never sent: it cost nothing")
    cost = scalars.money_text(row.cost_nusd)
    return RequestError(
        f"the truth of row `{row.id}` is known: {cost}, {row.how}",
        help="only what is charged at worst case can be corrected; `router usage grant` gives or takes an amount",
    )


def _note(ports: Ports, who: str, why: str) -> Note:
    for name, text in (("who", who), ("why", why)):
        if not text.strip() or not text.isprintable():
            raise RequestError(f"`{name}` goes on record and must be printable text, not `{text!a}`")
    return Note(id=ports.draw.id(), who=who, why=why, at_s=ports.clock.now_s())


IN_A_SHELL = ", in a shell in quotes: '$0.02'; it reads an unquoted `$` itself"
"""What has gone wrong where half an amount arrives."""


def _amount(text: str, unit: str) -> int:
    """`$500` or `-200k`."""
    found, sign = None, 1
    if isinstance(text, str):
        sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text)
        found = scalars.money_nusd(rest) if unit == "nusd" else scalars.count(rest)
    if not found:
        money, counted = "an amount of money like `$500` or `-$0.25`", "a count like `200k` or `-500`"
        what = money if unit == "nusd" else counted
        advice = f"write {what}{IN_A_SHELL if unit == 'nusd' else ''}"
        raise RequestError(f"`{text}` is no amount of this budget", help=advice)
    return sign * found


def _cost(text: str) -> int:
    found = scalars.money_nusd(text)
    if found is None:
        raise RequestError(f"`{text}` is no cost", help=f"write an amount of money like `$0.02`{IN_A_SHELL}")
    return found


def _usage(input_tokens: int | None, output_tokens: int | None) -> Usage | None:
    if input_tokens is None and output_tokens is None:
        return None
    if input_tokens is None or output_tokens is None:
        raise RequestError("tell both input and output tokens, or neither")
    if input_tokens < 0 or output_tokens < 0:
        raise RequestError("tokens can't be below 0")
    return Usage(input_tokens=input_tokens, output_tokens=output_tokens)
