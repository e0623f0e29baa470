"""How an attempt ends in the ledger: its cost, and where that figure comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from router.decide.classify import Charge, charge_for
from router.decide.estimate import cost_nusd
from router.errors import ProviderError
from router.plan import PriceTable
from router.values import Kind, Usage

How = Literal["reported", "counted", "nothing", "worst_case", "unsent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is charged in the end, and how that is known."""

    cost_nusd: int
    usage: Usage | None
    how: How
    kind: Kind | None


def answered(prices: PriceTable | None, usage: Usage) -> Ending:
    """An answer costs what its usage costs, above the reservation too."""
    usage = _possible(usage)
    cost = 0 if prices is None else cost_nusd(prices, usage)
    return Ending(cost_nusd=cost, usage=usage, how="reported" if usage.reported else "counted", kind=None)


def failed(
    error: ProviderError, prices: PriceTable | None, worst_nusd: int, *, began: bool = False
) -> Ending:
    """What the failure table says of this failure; one that never left holds nothing. `began`: content had come, so the
    provider has worked, whatever it says in the end."""
    if not (error.sent or began):
        return unsent(error.kind)
    answered = error.status is not None and error.status >= 300
    charge = Charge.WORST_CASE if began else charge_for(error.kind, sent=error.sent, answered=answered)
    if error.usage is not None and charge is not Charge.NOTHING:
        usage = _possible(error.usage)
        cost = 0 if prices is None else cost_nusd(prices, usage)
        how: How = "reported" if usage.reported else "counted"
        return Ending(cost_nusd=cost, usage=usage, how=how, kind=error.kind)
    if charge is Charge.WORST_CASE:
        return Ending(cost_nusd=worst_nusd, usage=None, how="worst_case", kind=error.kind)
    return Ending(cost_nusd=0, usage=None, how="nothing", kind=error.kind)


def _possible(usage: Usage) -> Usage:
    """Without counts below 0: a transport may report anything, and those would give others what is spent."""
    if usage.input_tokens >= 0 and usage.output_tokens >= 0:
        return usage
    return replace(usage, input_tokens=max(0, usage.input_tokens), output_tokens=max(0, usage.output_tokens))


def interrupted(worst_nusd: int, *, sent: bool) -> Ending:
    """Given up by the caller: what has left may have been worked on."""
    if not sent:
        return unsent(None)
    return Ending(cost_nusd=worst_nusd, usage=None, how="worst_case", kind=None)


def unsent(kind: Kind | None) -> Ending:
    """It is certain that nothing left: no money, no tokens, and no request either."""
    return Ending(cost_nusd=0, usage=None, how="unsent", kind=kind)


def spent_of(unit: str, ending: Ending, worst_tokens: int) -> int:
    """What an attempt came to in the unit of a budget; where no usage is known, what was reserved stands in."""
    if unit == "nusd":
        return ending.cost_nusd
    if ending.usage is None:
        return 0 if ending.how in ("nothing", "unsent") else worst_tokens
    return ending.usage.total_tokens


def texts_of(choices: Sequence[Mapping[str, Any]]) -> str:
    """All that the choices say, to be counted where a provider reported no usage."""
    parts: list[str] = []
    for choice in choices:
        message = choice.get("message") or {}
        parts += [str(message.get(name) or "") for name in ("content", "reasoning_content", "refusal")]
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            parts += [str(function.get("name") or ""), str(function.get("arguments") or "")]
    return "\n".join(part for part in parts if part)
