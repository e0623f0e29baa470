"""How acts of people are written in a store, and read from it."""

import json
from typing import Any

from router.adapters.accounts import counter_key, counter_of
from router.ports import Act, ActKind, Counter


def what_text(
    *, amount: int, counter: Counter | None = None, row: str | None = None, before: int | None = None
) -> str:
    """JSON of what was done; amounts as text, which any reader keeps exact."""
    values = {
        "amount": str(amount),
        "counter": None if counter is None else counter_key(counter),
        "row": row,
        "before": None if before is None else str(before),
    }
    return json.dumps({name: value for name, value in values.items() if value is not None})


def act_from(seq: int, at_s: float, who: str, why: str, kind: ActKind, what: str) -> Act:
    values: dict[str, Any] = json.loads(what)
    counter, before = values.get("counter"), values.get("before")
    return Act(
        seq=seq,
        at_s=at_s,
        who=who,
        why=why,
        kind=kind,
        amount=int(values["amount"]),
        counter=None if counter is None else counter_of(counter),
        row=values.get("row"),
        before=None if before is None else int(before),
    )
