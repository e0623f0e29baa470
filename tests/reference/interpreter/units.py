"""Values as they are written: one unit, in the value."""

from decimal import Decimal

NUSD = 10**9
SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
THOUSANDS = {"k": 1000, "M": 1_000_000}


def seconds(text: str) -> float:
    unit = "ms" if text.endswith("ms") else text[-1]
    return float(Decimal(text.removesuffix(unit)) * SECONDS[unit])


def count(written: int | str) -> int:
    text = str(written)
    if text[-1] in THOUSANDS:
        return int(Decimal(text[:-1]) * THOUSANDS[text[-1]])
    return int(text)


def dollars(text: str) -> Decimal:
    return Decimal(text.removeprefix("$"))


def nusd(text: str) -> int:
    return int(dollars(text) * NUSD)


def share(text: str) -> Decimal:
    """`80%` is 0.8."""
    return Decimal(text.removesuffix("%")) / 100


def minutes(text: str) -> int:
    hours, rest = text.split(":")
    return int(hours) * 60 + int(rest)
