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
    r"(?:sk|pk|rk|gsk|xai|fw|hf|nvapi|ghp|pplx|csk)[-_][A-Za-z0-9_-]{12,}|AKIA[A-Z0-9]{12,}|AIza[A-Za-z0-9_-]{20,}"
    r"|eyJ[A-Za-z0-9_-]{16,}"
)

SHORTEST_SECRET = 15

_PLAIN = re.compile(r"[A-Za-z0-9$./_][^,\[\]{}:#\"'\n]*(?<! )")
_SHELL = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+|\.?[0-9][0-9.]*([eE][-+]?[0-9]+)?")
_CONSTANTS = frozenset({"true", "false", "null"})
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")
_UNDERSCORED = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")


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


def valueless_key(key: str, previous: object) -> Fault:
    """A key that no value follows; `previous` is the value written before it in the same map."""
    if isinstance(previous, str) and re.fullmatch(r"\$[0-9]+", previous) and AMOUNT_TAIL.fullmatch(key):
        message = f"`{previous},{key}` reads as the amount `{previous}` and a key `{key}`"
        return Fault("comma-in-amount", message, f"write `{previous}{key}`")
    if isinstance(previous, int) and AMOUNT_TAIL.fullmatch(key):
        message = f"`{previous},{key}` reads as the number `{previous}` and a key `{key}`"
        return Fault("comma-in-amount", message, f"write `{previous}{key}`")
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


def scanner_fault(problem: str, context: str, *, line: str, column: int) -> Fault:
    """What libyaml stumbled over, in words that say what to do. `line` is where, `column` counts from 0."""
    rest = line[column:]
    if "\t" in line[: len(line) - len(line.lstrip())] or rest.startswith("\t"):
        return Fault("yaml", "a tab in the indentation", "indent with spaces; YAML allows no tabs there")
    if "alias" in context or "anchor" in context:
        mark = "*" if "alias" in context else "&"
        return anchored("", mark)
    if "tag" in context:
        return Fault("tag", "a broken YAML tag", "`!` starts a YAML tag; quote a text that begins with it")
    if "block scalar" in context or rest.startswith((">", "|")):
        message = "`>` and `|` start a text of several lines"
        return Fault("yaml", message, "write a bound as a map: `{over: 60k}`, `{up_to: 60k}`")
    if "flow mapping" in context and (name := _SHELL.search(line)):
        message = f"`{name[0]}` is the start of a map to YAML"
        return Fault("yaml", message, f"variables are named, not filled in: `{{env: {name[1]}}}`")
    if "cannot start any token" in problem:
        return Fault("yaml", f"a value can't begin with {shown(rest[:1])}", "quote the value")
    close = NO_SPACE.match(line.strip())
    if close and ("expected ':'" in problem or "mapping values" in problem):
        return no_space(close[1], close[2].split(" ")[0])
    advice = "check the indentation, brackets and quotes around here"
    if "mapping values" in problem:
        advice = "quote a text that holds `: `, and check the indentation around here"
    return Fault("yaml", _plainly(problem, context), advice)


def _plainly(problem: str, context: str) -> str:
    known = {
        "mapping values are not allowed in this context": "a second `key: value` on one line, or a wrong indentation",
        "found unexpected end of stream": "a quote that is never closed",
        "did not find expected key": "a wrong indentation, or text after a quoted value",
        "did not find expected '-' indicator": "a list that goes on as something else",
        "did not find expected ',' or '}'": "a `{` that is never closed, or a missing comma",
        "did not find expected ',' or ']'": "a `[` that is never closed, or a missing comma",
        "could not find expected ':'": "a line that is neither `key: value` nor `- item`",
    }
    return known.get(problem) or f"this is not YAML: {problem}{f' ({context})' if context else ''}"
