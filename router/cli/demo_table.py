"""The table of `router demo`, line by line: rows are told as they happen, so their widths are known before."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap

from router.cli.demo_rows import Row, Setback
from router.cli.demo_story import Scene
from router.decide.outcome import dollars
from router.tools.figures import seconds
from router.values import NUSD_PER_USD

NARROWEST, WIDEST = 60, 100
COST, TIME = 9, 6
STYLES = {"answered": "green", "cached": "cyan", "refused": "red", "failed": "red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Widths:
    """Columns of the table, and of the whole screen."""

    tenant: int
    policy: int
    target: int
    screen: int

    @property
    def remarks(self) -> int:
        """Where remarks begin: under the policy, which leaves them most of a narrow screen."""
        return 2 + self.tenant + 2


def widths_for(story: Sequence[Scene], targets: Iterable[str], *, screen: int) -> Widths:
    calls = [call for scene in story for call in scene.calls]
    return Widths(
        tenant=_widest("who asked", (call.tenant for call in calls)),
        policy=_widest("policy", (call.policy for call in calls)),
        target=_widest("answered by", targets),
        screen=min(max(screen, NARROWEST), WIDEST),
    )


def _widest(title: str, cells: Iterable[str]) -> int:
    return max(len(title), *map(len, cells))


def header(widths: Widths) -> str:
    return _line(widths, "who asked", "policy", "answered by", "cost", "time")


def row_line(row: Row, widths: Widths) -> str:
    paid = "$0 cached" if row.outcome == "cached" else cost(row.cost_nusd)
    who = row.target or f"no answer: {row.error}"
    return _line(widths, row.tenant, row.policy, who, paid, seconds(row.duration_s))


def remarks(row: Row, widths: Widths) -> Iterator[str]:
    """What failed before and why, each on as many lines as the screen needs."""
    if row.rule is not None:
        yield from _remark(f"by the rule `{row.rule}`", widths)
    if row.outcome == "refused":  # nothing was sent, and the message says why
        yield from _remark(row.message, widths)
        return
    for setback in row.setbacks:
        yield from _remark(_setback(setback), widths)


def _setback(setback: Setback) -> str:
    status = f" {setback.status}" if setback.status else ""
    model = setback.target.partition("/")[2]
    charged = (
        f"; charged {dollars(setback.charged_nusd)} in case it is billed" if setback.charged_nusd else ""
    )
    return f"after {model}: {setback.why}{status}, {setback.then}{charged}"


def _remark(text: str, widths: Widths) -> Iterator[str]:
    indent = " " * widths.remarks
    yield from wrap(
        text,
        widths.screen,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
    )


def _line(widths: Widths, tenant: str, policy: str, target: str, cost: str, time: str) -> str:
    return (
        f"  {tenant:<{widths.tenant}}  {policy:<{widths.policy}}  {target:<{widths.target}}"
        f"  {cost:>{COST}}  {time:>{TIME}}"
    )


def cost(nusd: int) -> str:
    """To the cent, and below a dollar to its millionth: enough for the eye; JSON is exact."""
    if not nusd:
        return "$0"
    return f"${nusd / NUSD_PER_USD:.{6 if abs(nusd) < NUSD_PER_USD else 2}f}"
