"""Rows of a ledger by hand."""

from itertools import count
from typing import Any

from router.ports import Counter, Row
from router.values import Usage

_numbers = count(1)


def row(at_s: float, cost_nusd: int = 100, **fields: Any) -> Row:
    number = next(_numbers)
    values: dict[str, Any] = {
        "id": f"a{number}",
        "request_id": f"r{number}",
        "attempt": 1,
        "policy": "main",
        "tenant": "acme",
        "user": None,
        "target": "openai/a",
        "plan_digest": "d" * 64,
        "prices_digest": "p" * 64,
        "state": "settled",
        "worst_nusd": cost_nusd,
        "worst_tokens": 10,
        "cost_nusd": cost_nusd,
        "usage": Usage(input_tokens=100, output_tokens=50),
        "how": "reported",
        "kind": None,
        "counters": (),
        "reserved_at_s": at_s,
        "ended_at_s": at_s + 1,
        "lease_until_s": at_s + 30,
        "seq": number,
    }
    return Row(**{**values, **fields})


def counted(owner: str, window: Any, start: str, amount: int) -> tuple[tuple[Counter, int], ...]:
    return ((Counter(owner=owner, unit="nusd", window=window, start=start), amount),)
