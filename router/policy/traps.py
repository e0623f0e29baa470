"""Mistakes that YAML makes easy, each with a message of its own: pure functions from what was seen to what is said."""

import json
import re
from typing import NamedTuple


class Fault(NamedTuple):
    """A problem without its place."""

    code: str
    message: str
    help: str = ""


AMOUNT_TAIL = re.compile(r"[0-9][0-9.]*[kM]?")
NO_SPACE = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*):(\S.*)", re.DOTALL)
SECRET = re.compile(
    r"(?<![a-z])(?:sk|pk|rk|gsk|xai|fw|hf|nvapi|ghp|pplx|csk)[-_][A-Za-z0-9_-]{12,}|AKIA[A-Z0-9]{12,}|AIza[A-Za-z0-9_-]{20,}"
    r"|eyJ[A-Za-z0-9_-]{16,}"
)

SHORTEST_SECRET = 15

_PLAIN = re.compile(r"[A-Za-z0-9$./_][^,\[\]{}:#\"'\n]*(?<! )")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+|\.?[0-9][0-9.]*([eE][-+]?[0-9]+)?")
_CONSTANTS = frozenset({"true", "false", "null"})
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")
_UNDERSCORED = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")

_BEGINS_NUMBERS = frozenset("0123456789+-")


def shown(value: object, *, limit: int = 60) -> str:
    """A user's value in backticks, on one line, cut where it is long, hidden where it looks like a secret."""
    text = value if isinstance(value, str) else written(value)
    if SECRET.search(text):
        return "a value that looks like a secret"
    text = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return f"`{text if len(text) <= limit else text[: limit - 1] + '…'}`"


def written(value: object) -> str:
    """A value in YAML's flow style, as an author would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(key)}: {written(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(written(item) for item in value) + "]"
    return _quoted_where_needed(value) if isinstance(value, str) else str(value)


def _quoted_where_needed(text: str) -> str:
    needs = (
        not _PLAIN.fullmatch(text) or ambiguous(text) or _NUMBER.fullmatch(text) or text.lower() in _CONSTANTS
    )
    return json.dumps(text, ensure_ascii=False) if needs else text


def ambiguous(text: str) -> Fault | None:
    """A plain scalar that YAML 1.1 readers take for something else."""
    if text[:1] not in _BEGINS_NUMBERS:
        return None
    if _DATE.fullmatch(text):
        return Fault("ambiguous-scalar", f"{shown(text)} is a date to some YAML readers", "quote it")
    if _SEXAGESIMAL.fullmatch(text):
        advice = f'quote a time of day: "{text}"; write a duration with one unit: `90s`, `1.5m`'
        return Fault("ambiguous-scalar", f"{shown(text)} is a number in base 60 to some YAML readers", advice)
    if _UNDERSCORED.fullmatch(text):
        plain = text.replace("_", "")
        advice = f"write `{plain}`, or with a unit: `200k`, `1.5M`"
        return Fault(
            "ambiguous-scalar", f"{shown(text)} is text here and a number to some YAML readers", advice
        )
    if _LEADING_ZERO.fullmatch(text):
        advice = "leave out the leading zeros, or quote it where it is a name"
        return Fault("ambiguous-scalar", f"{shown(text)} is an octal number to some YAML readers", advice)
    return None


ODD_SPACES = "[\u00a0\u2007\u202f\u3000]"


def odd_space(text: str) -> Fault | None:
    """A space that shows as one and is none to YAML; they come with text that is copied from a page."""
    found = re.search(ODD_SPACES, text)
    if found is None:
        return None
    message = f"{shown(text)} holds a no-break space (U+{ord(found[0]):04X}), which is no space to YAML"
    return Fault("yaml", message, "type a plain space in its place")


def valueless_key(key: str, previous: object) -> Fault:
    """A key that no value follows; `previous` is the value written before it in the same map."""
    if isinstance(previous, str) and re.fullmatch(r"\$[0-9]+", previous) and AMOUNT_TAIL.fullmatch(key):
        message = f"`{previous},{key}` reads as the amount `{previous}` and a key `{key}`"
        return Fault("comma-in-amount", message, f"write `{previous}{key}`")
    if isinstance(previous, int) and AMOUNT_TAIL.fullmatch(key):
        message = f"`{previous},{key}` reads as the number `{previous}` and a key `{key}`"
        advice = f"write `{previous}{key}`, or `${previous}{key}` where it is money"
        return Fault("comma-in-amount", message, advice)
    if odd := odd_space(key):
        return odd
    close = NO_SPACE.fullmatch(key)
    if close:
        return no_space(close[1], close[2])
    return Fault("empty-value", f"{shown(key)} has no value", "give it one, or take the key out")


def no_space(key: str, rest: str) -> Fault:
    seen = shown(f"{key}:{rest}")
    return Fault(
        "space-after-colon", f"{seen} is one word to YAML", f"put a space after the colon: `{key}: ...`"
    )


def tagged(tag: str) -> Fault:
    text = tag.replace("tag:yaml.org,2002:", "!!")
    advice = "leave it out: the form of a value follows from its key"
    if text.startswith("!") and "/" in text:
        advice = "`!` starts a YAML tag; quote a text that begins with it"
    return Fault("tag", f"{shown(text)} is a YAML tag, and policies have none", advice)


def anchored(name: str, mark: str) -> Fault:
    what = "an anchor" if mark == "&" else "an alias"
    advice = "write the value where it holds; what policies share goes into a policy that others name"
    if mark == "*":
        advice += '; quote a text that begins with `*`: "*..."'
    return Fault("anchor", f"{shown(mark + name)} is {what}, and policies have none", advice)
