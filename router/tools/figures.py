"""Numbers as people read them: `8s`, `250ms`, `12.3k`, `$0.0042`. Exact figures are in the JSON documents."""

from collections.abc import Sequence
from typing import Any

from router.decide.outcome import dollars

CENT_NUSD = 10_000_000
SECONDS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def money(nusd: int | None, unknown: str = "unknown") -> str:
    """Dollars, exact; `unknown` where there is no figure."""
    return unknown if nusd is None else dollars(nusd)


def spent(nusd: int) -> str:
    """Dollars for a table: cents from a dollar on, else four digits; never less than it was."""
    return dollars(_digits(nusd, up=True))


def left(nusd: int) -> str:
    """As `spent`, but never more than there is."""
    return dollars(_digits(nusd, up=False))


def _digits(nusd: int, *, up: bool) -> int:
    step: int = max(1, min(CENT_NUSD, 10 ** (len(str(abs(nusd))) - 4)))
    return -(-nusd // step) * step if up else nusd // step * step


def tokens(count: int | None, unknown: str = "unknown") -> str:
    """`400`, `12.3k`, `1.05M`: three digits or so."""
    if count is None:
        return unknown
    if count < 1_000:
        return str(count)
    if count < 999_950:
        return f"{_short(count / 1_000, 1)}k"
    return f"{_short(count / 1_000_000, 2)}M"


def tokens_left(count: int) -> str:
    """As `tokens`, but never more than there is."""
    step = 1 if count < 1_000 else 100 if count < 999_950 else 10_000
    return tokens(count // step * step)


def seconds(length_s: float) -> str:
    """A length of time: `250ms`, `8s`, `45.05s`."""
    if length_s < 0.9995:
        return f"{length_s * 1_000:.0f}ms"
    return f"{_short(length_s, 2)}s"


def about(length_s: float) -> str:
    """A wait, in its largest unit and the next: `3h 12m`, `9d`, `45s`."""
    left = max(0, -int(-length_s // 1))
    parts = []
    for unit, size in SECONDS:
        amount, left = divmod(left, size)
        parts.append(f"{amount}{unit}" if amount else "")
    first = next((at for at, part in enumerate(parts) if part), len(parts) - 1)
    return " ".join(filter(None, parts[first : first + 2])) or "0s"


def percent(part: int, whole: int) -> str:
    """`12%`, `0.4%`, `<0.1%`; nothing where there is no whole."""
    if whole <= 0:
        return ""
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "<0.1%"
    return f"{share:.0f}%" if share >= 1 or part == 0 else f"{share:.1f}%"


def marked(rule: Any) -> str:
    """A budget or limit as its author wrote it, with what was written beside it that makes it another one."""
    marks = [word for word in ("rolling", "shadow") if getattr(rule, word, False) and word not in rule.text]
    return f"{rule.text} ({', '.join(marks)})" if marks else str(rule.text)


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 error`, `2 errors`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _short(number: float, digits: int) -> str:
    return f"{number:.{digits}f}".rstrip("0").rstrip(".")


def with_warnings(text: str, warn_at: Sequence[float], reached: Sequence[float]) -> str:
    """`per_day: $25 (past 50%, warns at 80%)`; what is to come where the text does not say it."""
    to_come = [share for share in warn_at if share not in reached and "warn_at" not in text]
    parts = [f"past {_shares(reached)}"] if reached else []
    parts += [f"warns at {_shares(to_come)}"] if to_come else []
    return f"{text} ({', '.join(parts)})" if parts else text


def _shares(percents: Sequence[float]) -> str:
    return ", ".join(f"{each:g}%" for each in percents)
