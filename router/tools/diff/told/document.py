"""For programs: the whole difference as one JSON document, in the shape of its dataclasses."""

from typing import Any

from router.tools.diff.change import Difference
from router.tools.plain import plain


def document(found: Difference) -> dict[str, Any]:
    """`same` and `loosened` first: what a program asks first. Amounts of money are nano-USD."""
    return {"same": found.same, "loosened": found.loosened, **plain(found)}
