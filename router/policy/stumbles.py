"""Where the text is no YAML at all: what libyaml stumbled over, in words that say what to do."""

import re
from typing import Any, NamedTuple

from router.policy.traps import NO_SPACE, ODD_SPACES, Fault, anchored, no_space, odd_space, shown

LONGEST_KEY = 1024

_BREAK = re.compile(r"\r\n|\r|\n")
_SHELL = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
_PERCENT = re.compile(r"%([0-9.]+)")
_ODD_INDENTATION = re.compile(rf"^ *({ODD_SPACES}).*", re.MULTILINE)
_DIRECTIVE = re.compile(r"%\S*(\s+\S+)?")

_AROUND = "check the indentation, brackets and quotes around here"


class Stumble(NamedTuple):
    """A fault with its place: line and column from 1."""

    line: int
    column: int
    fault: Fault


def position_of(index: int, text: str) -> tuple[int, int]:
    """(line, column) of a character, from 1, as editors count: every character is one column."""
    line, start = 1, 0
    for found in _BREAK.finditer(text, 0, index):
        line, start = line + 1, found.end()
    return line, index - start + 1


def stumble(error: Any, text: str) -> Stumble:
    """`error` is a YAMLError: some have two marks, of what was begun and of what was found; some have none."""
    if odd := _odd_indentation(text):
        return odd
    context, problem = getattr(error, "context", None) or "", getattr(error, "problem", None) or "unreadable"
    begun = ("scanning" in context and "simple key" not in context) or "flow" in context
    found_first = not begun or any(sign in problem for sign in ("tab character", "node content"))
    marks = (getattr(error, "context_mark", None), getattr(error, "problem_mark", None))
    mark = next((each for each in (marks[::-1] if found_first else marks) if each is not None), None)
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = _BREAK.split(text)
    if "mapping values" in problem and line > 0 and NO_SPACE.fullmatch(lines[line - 1].strip()):
        line -= 1  # that line is one word, and this one reads as its continuation
        column = len(lines[line]) - len(lines[line].lstrip())
    at = lines[min(line, len(lines) - 1)]
    return Stumble(line + 1, column + 1, _fault(problem, context, at, column))


def _odd_indentation(text: str) -> Stumble | None:
    """libyaml stumbles over it only later, wherever the lines below stop making sense."""
    found = _ODD_INDENTATION.search(text)
    fault = odd_space(found[0].strip(" ")) if found else None
    return Stumble(*position_of(found.start(1), text), fault) if found and fault else None


def _fault(problem: str, context: str, line: str, column: int) -> Fault:
    """`line` is the one the fault is in, `column` counts from 0."""
    rest = line[column:]
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation or rest.startswith("\t") or "tab character" in problem:
        return Fault("yaml", "a tab in the indentation", "indent with spaces; YAML allows no tabs there")
    if "alias" in context or "anchor" in context:
        return anchored("", "*" if "alias" in context else "&")
    if "tag" in context:
        return Fault("tag", "a broken YAML tag", "`!` starts a YAML tag; quote a text that begins with it")
    if line.startswith("%") and ("directive" in problem or "incompatible" in problem):
        named = _DIRECTIVE.match(line)
        message = f"{shown(named[0] if named else line)} is a YAML directive, and policies need none"
        return Fault("yaml", message, "take the line out")
    if "block scalar" in context or rest.startswith((">", "|")):
        message = "`>` and `|` start a text of several lines"
        return Fault("yaml", message, "write a bound as a map: `{over: 60k}`, `{up_to: 60k}`")
    if "flow mapping" in context and (name := _SHELL.search(line)):
        message = f"`{name[0]}` is the start of a map to YAML"
        return Fault("yaml", message, f"variables are named, not filled in: `{{env: {name[1]}}}`")
    if "cannot start any token" in problem:
        return _beginning(rest)
    close = NO_SPACE.match(line.strip())
    if close and ("expected ':'" in problem or "mapping values" in problem):
        return no_space(close[1], close[2].split(" ")[0])
    if column >= LONGEST_KEY and context in ("", "while scanning a simple key") and ": " not in line[:column]:
        return Fault("yaml", f"a key of more than {LONGEST_KEY} characters", "give it a shorter name")
    return _known(problem, context)


def _beginning(rest: str) -> Fault:
    """A value that starts with a sign that YAML keeps for itself."""
    percent = _PERCENT.match(rest)
    if percent:
        return Fault("yaml", "a value can't begin with `%`", f"write the share as `{percent[1]}%`")
    sign = "a backtick" if rest.startswith("`") else shown(rest[:1])
    return Fault("yaml", f"a value can't begin with {sign}", "quote the value")


_KNOWN = {
    "mapping values are not allowed": (
        "a second `key: value` on one line, or a wrong indentation",
        "quote a text that holds `: `, and check the indentation around here",
    ),
    "block sequence entries are not allowed": (
        "a list can't begin on the line of its key",
        "write its items on the lines below, each `- item`, or the list in brackets: `[a, b]`",
    ),
    "mapping keys are not allowed": ("a value can't begin with `?`", "quote the value"),
    "found unexpected end of stream": ("a quote that is never closed", _AROUND),
    "found unexpected document indicator": ("a quote that is never closed", _AROUND),
    "unknown escape character": (
        "a backslash that escapes nothing",
        "in double quotes `\\` starts an escape: write `\\\\`, or use single quotes",
    ),
    "escape code": ("an escape that stands for no character", "check the digits after the backslash"),
    "hexdecimal number": ("an escape with too few digits", "check the digits after the backslash"),
    "expected <document start>": ("text after the end of the document", "one document a file"),
    "expected node content": (
        "nothing where a value belongs",
        "take out a comma too many, or write the value",
    ),
    "expected key": ("a wrong indentation, or text after a quoted value", _AROUND),
    "expected '-' indicator": ("a list that goes on as something else", _AROUND),
    "expected ',' or '}'": ("a `{` that is never closed, or a missing comma", _AROUND),
    "expected ',' or ']'": ("a `[` that is never closed, or a missing comma", _AROUND),
    "expected ':'": ("a line that is neither `key: value` nor `- item`", _AROUND),
}
"""By a part of what libyaml says."""


def _known(problem: str, context: str) -> Fault:
    found = next((words for part, words in _KNOWN.items() if part in problem), None)
    if found is not None:
        return Fault("yaml", *found)
    return Fault("yaml", f"this is not YAML: {problem}{f' ({context})' if context else ''}", _AROUND)
