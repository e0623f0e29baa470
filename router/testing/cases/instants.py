"""When a case begins: local time of the policies' zone, or an instant with its offset."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from router.plan import Plan

USUAL = "2026-01-05 12:00"
"""A Monday at noon: where a case says nothing of the clock, the night and the weekend are far."""

YEARS = range(1970, 3000)
"""A year of waiting, or a month of a budget, neither begins nor ends beyond the calendar from any of these."""


def instant_s(text: str, zone: ZoneInfo) -> float | str:
    """Unix seconds; or why there is no such instant, or no single one."""
    try:
        written = datetime.fromisoformat(text)
    except ValueError:
        return "is no date and time of any calendar"
    if written.year not in YEARS:
        return f"is not in the years {YEARS.start} to {YEARS[-1]}"
    if written.tzinfo is not None:
        return written.timestamp()
    first, second = (written.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if datetime.fromtimestamp(first.timestamp(), UTC).astimezone(zone).replace(tzinfo=None) != written:
        return f"does not exist in {zone.key}: its clocks are set forward over it"
    if first.utcoffset() != second.utcoffset():
        return f"occurs twice in {zone.key}: its clocks are set back over it"
    return first.timestamp()


def usual_s(plan: Plan) -> float:
    """USUAL in the zone of the plan, which has it exactly once in every zone there is."""
    return datetime.fromisoformat(USUAL).replace(tzinfo=ZoneInfo(plan.settings.time_zone)).timestamp()
