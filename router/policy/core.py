"""The YAML 1.2 core schema: what a plain scalar stands for, exactly, and which ones a policy can't hold."""

import re
from math import isfinite
from typing import Any

from router.policy.traps import Fault, shown

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_BEGINS_NUMBERS = frozenset("-+.0123456789")
_INT = re.compile(r"[-+]?[0-9]+")
_RADIX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MOST_DIGITS = 40


def resolved(text: str) -> Any:
    """The value of a plain scalar; None for null. Of numbers, those that `unreadable` has nothing against."""
    if text in _NULLS:
        return None
    if text in _TRUTHS:
        return _TRUTHS[text]
    if text[0] not in _BEGINS_NUMBERS:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _RADIX.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text


def unreadable(text: str) -> Fault | None:
    """A number that no policy can hold: without end, without value, or longer than anything that is counted."""
    if text[:1] not in _BEGINS_NUMBERS:
        return None
    if _NO_NUMBER.fullmatch(text) or (_FLOAT.fullmatch(text) and not isfinite(float(text))):
        message = f"{shown(text)} is not a number a policy can hold"
        return Fault("wrong-form", message, "write a finite number")
    if len(text) > _MOST_DIGITS and (_INT.fullmatch(text) or _RADIX.fullmatch(text)):
        return Fault("wrong-form", f"{shown(text)} is too long a number", "quote it where it is a name")
    return None


def reads_as(value: object) -> str:
    """For a message: what YAML makes of a key or value that was meant as text."""
    if value is None:
        return "reads as nothing"
    kind = "the truth value" if isinstance(value, bool) else "the number"
    return f"reads as {kind} {shown(value)}"
