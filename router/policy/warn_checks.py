"""Checks of `warn_at`: shares rise, and what they are of fills up."""

from collections.abc import Iterator
from dataclasses import replace

from router.errors import Problem
from router.policy import scalars
from router.policy.document import Spot
from router.policy.draft import Draft, problem
from router.policy.merge import written_in
from router.policy.names import amount_blocks
from router.policy.table.amounts import AMOUNTS
from router.policy.traps import shown


def warnings(draft: Draft) -> Iterator[Problem]:
    """Of blocks as they are written: what a child inherits is told where its parent says it."""
    written = written_in(draft.documents)
    for block in (*amount_blocks(replace(draft, written=written)), *written.budgets.values()):
        windows = [(key, spot) for key, spot in block.fields() if key in AMOUNTS]
        own = [(key, warn_at) for key, spot in windows if (warn_at := spot.get("warn_at")) is not None]
        for key, warn_at in own:
            if "per_request" in key:
                yield _never(f"`{key}` starts anew with each request", warn_at)
        beside = block.get("warn_at")
        if (
            beside is not None
            and block.is_whole
            and windows
            and all("per_request" in key for key, _ in windows)
        ):
            yield _never(f"every window of `{block.key}` starts anew with each request", beside)
        for warn_at in (*(each for _, each in own), *([beside] if beside else [])):
            yield from _falling(warn_at)


def _never(why: str, warn_at: Spot) -> Problem:
    advice = "take it out; budgets that last, like `per_day`, can warn"
    return problem(
        "warning-never-given", f"{why}: there is nothing to warn of", warn_at.key_place, help=advice
    )


def _falling(warn_at: Spot) -> Iterator[Problem]:
    """One that is written twice is told where its form is."""
    last, seen = 0, set[str | None]()
    for item in warn_at.items():
        share = scalars.share(item.value) or 0
        if share <= last and item.text not in seen:
            message = f"{shown(item.value)} is not more than the share before it"
            yield problem("wrong-form", message, item.place, help="let them rise: `warn_at: [50%, 80%]`")
        seen.add(item.text)
        last = max(share, last)
