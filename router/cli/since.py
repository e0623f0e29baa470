"""How far back a command looks: `7d` ago, or from `2026-11-21` on."""

from typing import Any

import click


class Since(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """`7d` or `2026-11-21`, as it was written."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from router.books.since import since_of
        from router.errors import RequestError

        try:
            since_of(str(value), now_s=0.0, time_zone="UTC")
        except RequestError:
            self.fail(f"`{value}` is neither a duration like 7d or 12h nor a day like 2026-11-21", param, ctx)
        return str(value)
