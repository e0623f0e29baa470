"""How far back a command looks: `7d` ago, or from `2026-11-21` on."""

from time import time
from typing import Any

import click


class Since(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """`7d` ago or `2026-11-21`: (seconds ago, None) or (None, day)."""

    name = "since"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float | None, str | None]:
        from datetime import date

        from router.policy.scalars import duration_ms

        ago_ms = duration_ms(str(value))
        if ago_ms is not None:
            return ago_ms / 1_000, None
        try:
            return None, date.fromisoformat(str(value)).isoformat()
        except ValueError:
            self.fail(f"`{value}` is neither a duration like 7d or 12h nor a day like 2026-11-21", param, ctx)


def since_of(since: tuple[float | None, str | None], time_zone: str) -> float:
    """Unix seconds of what `Since` read."""
    from zoneinfo import ZoneInfo

    from router.tools.usage import start_of_day_s

    ago_s, day = since
    return start_of_day_s(day, ZoneInfo(time_zone)) if day else time() - (ago_s or 0.0)
