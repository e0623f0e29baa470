"""The units of the language, read as whole matches into exact integers, and written back.

Durations are integer milliseconds, counts are integers, money is integer nano-USD, shares are thousandths of a
percent, clocks are minutes of the day. A reader returns None for a value that is not of its form.
"""

import re
from fractions import Fraction
from functools import lru_cache

from router.values import NUSD_PER_USD

# The decimals each unit allows are those that stay whole: no text matches and then turns out to be a fraction.
DURATION = r"^(?=[0-9.]*[1-9])([0-9]{1,9}ms|[0-9]{1,6}(\.[0-9]{1,3})?[smhd])$"
COUNT = r"^(?=[0-9.]*[1-9])([0-9]{1,12}|[0-9]{1,9}(\.[0-9]{1,3})?k|[0-9]{1,6}(\.[0-9]{1,6})?M)$"
MONEY = r"^\$[0-9]{1,9}(\.[0-9]{1,9})?$"
SHARE = r"^(100(\.0{1,3})?|[0-9]{1,2}(\.[0-9]{1,3})?)%$"
DATE = (
    r"^20[0-9]{2}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))$"
    r"|^20([02468][048]|[13579][26])-02-29$"
)
CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"

MS_PER_UNIT = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
COUNT_UNITS = {"k": 1_000, "M": 1_000_000}
MOST_TOKENS = 10**12 - 1
SHARE_SCALE = 1_000


def duration_ms(value: object) -> int | None:
    """`1.5m` is 90_000."""
    text = _matching(DURATION, value)
    if text is None:
        return None
    number = text.rstrip("mshd")
    return _whole(number, MS_PER_UNIT[text[len(number) :]])


def count(value: object) -> int | None:
    """`200k` is 200_000, and so is the number 200000."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 < value <= MOST_TOKENS else None
    text = _matching(COUNT, value)
    if text is None:
        return None
    number = text.rstrip("kM")
    return _whole(number, COUNT_UNITS.get(text[len(number) :], 1))


def money_nusd(value: object) -> int | None:
    """`$0.30` is 300_000_000 nano-USD."""
    text = _matching(MONEY, value)
    return None if text is None else _whole(text[1:], NUSD_PER_USD)


def share(value: object) -> int | None:
    """`80%` is 80_000."""
    text = _matching(SHARE, value)
    return None if text is None else _whole(text[:-1], SHARE_SCALE)


def clock_min(value: object) -> int | None:
    """`22:00` is 1320."""
    text = _matching(CLOCK, value)
    return None if text is None else int(text[:2]) * 60 + int(text[3:])


def _matching(pattern: str, value: object) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(pattern, value) else None


@lru_cache(maxsize=4096)
def _whole(number: str, scale: int) -> int:
    """Exact: the patterns allow no more decimals than stay whole. The same few amounts stand in many places."""
    return int(Fraction(number) * scale)


def duration_text(ms: int) -> str:
    """The largest unit that divides the duration."""
    unit = next(unit for unit in reversed(MS_PER_UNIT) if ms % MS_PER_UNIT[unit] == 0)
    return f"{ms // MS_PER_UNIT[unit]}{unit}"


def count_text(number: int) -> str:
    for unit, size in reversed(COUNT_UNITS.items()):
        if number >= size and number % (size // 10) == 0:
            return f"{_decimal(number, size)}{unit}"
    return str(number)


def money_text(nusd: int) -> str:
    """`$0.30` for 300_000_000: at least two decimals where there are any."""
    dollars, rest = divmod(nusd, NUSD_PER_USD)
    if not rest:
        return f"${dollars}"
    return f"${dollars}.{f'{rest:09d}'.rstrip('0').ljust(2, '0')}"


def share_text(thousandths: int) -> str:
    return f"{_decimal(thousandths, SHARE_SCALE)}%"


def clock_text(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _decimal(number: int, size: int) -> str:
    whole, rest = divmod(number, size)
    digits = len(str(size)) - 1
    return f"{whole}.{f'{rest:0{digits}d}'.rstrip('0')}" if rest else str(whole)
