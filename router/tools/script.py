"""Scripts of calls for `router record`: YAML or JSON lines, each call a map of the arguments of `complete`.

- {policy: cheap-fast, tenant: acme/search, prompt: Hello}
- {policy: cheap-fast, messages: [{role: user, content: Again}], params: {temperature: 0}, fails: true}
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from router.client.arguments import ARGUMENTS
from router.decide.scopes import did_you_mean
from router.errors import Problem, RouterError
from router.policy.document import Document, Spot
from router.policy.document import Path as Steps
from router.policy.load import file_text
from router.policy.scalars import duration_ms
from router.policy.source import Read, read_text
from router.values import Message, Place

TEXTS = ("policy", "prompt", "system", "tenant", "team", "user", "session")
LISTS = ("tags", "prefer", "only")
KEYS = (*TEXTS, *LISTS, "messages", "timeout", "params", "fails")
FORMS: Mapping[str, tuple[type, str]] = {
    **dict.fromkeys((*TEXTS, "timeout"), (str, "text")),
    **dict.fromkeys((*LISTS, "messages"), (list, "a list")),
    "params": (dict, "a map"),
    "fails": (bool, "true or false"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: `arguments` of `complete` without messages and params. `fails`: it is meant to end in an error."""

    place: Place
    messages: tuple[Message, ...]
    arguments: Mapping[str, Any]
    params: Mapping[str, Any] = field(default_factory=dict)
    fails: bool = False


class ScriptError(RouterError):
    """The script is no list of calls. `problems` says where."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        message = "the script is not a list of calls that can be made"
        super().__init__(message, help=f"a call has the keys {', '.join(KEYS)}")
        self.problems = problems


def read_script(path: Path) -> tuple[Call, ...]:
    """Raises OSError where there is none, ScriptError with every problem in it."""
    path.stat()
    read = _read(file_text(path), path)
    problems = [*read.problems, *(_problems(read.document) if read.document else ())]
    if problems or read.document is None:
        raise ScriptError(tuple(sorted(problems, key=lambda each: (each.place.line, each.place.column))))
    return tuple(_call(spot) for spot in read.document.root.items())


def _read(text: str | Read, path: Path) -> Read:
    if isinstance(text, Read):
        return text
    lines = path.suffix in (".jsonl", ".ndjson")
    return _json_lines(text, str(path)) if lines else read_text(text, str(path))


def _json_lines(text: str, file: str) -> Read:
    values: list[Any] = []
    problems: list[Problem] = []
    places: dict[Steps, tuple[int, int]] = {(): (1, 1)}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            place = Place(file=file, line=number, column=1)
            problems.append(Problem(code="json", message=f"no JSON: {error}", place=place))
        else:
            places[(len(values) - 1,)] = (number, 1)
    return Read(document=Document(file=file, value=values, values=places), problems=tuple(problems))


def _problems(document: Document) -> Iterator[Problem]:
    calls = list(document.root.items())
    if not calls:
        yield _problem("no calls here", document.root, "write a list: `- {policy: NAME, prompt: TEXT}`")
    for call in calls:
        yield from _problems_of(call)


def _problems_of(call: Spot) -> Iterator[Problem]:
    if not isinstance(call.value, dict):
        yield _problem("a call is a map", call, "write `{policy: NAME, prompt: TEXT}`")
        return
    for key, spot in call.fields():
        if key not in FORMS:
            message = f"unknown key `{key}`{did_you_mean(key, KEYS)}"
            yield Problem(code="script", message=message, place=spot.key_place)
        elif not isinstance(spot.value, FORMS[key][0]):
            yield _problem(f"`{key}` must be {FORMS[key][1]}", spot)
        elif key == "params" and (taken := [each for each in ARGUMENTS if spot.get(each)]):
            yield _problem(f"`{taken[0]}` is not a parameter of a chat call: write it beside `params`", spot)
        elif key == "timeout" and duration_ms(spot.value) is None:
            yield _problem(f"`timeout` must be a duration like `8s`, not `{spot.value}`", spot)
    if ("prompt" in call.value) == ("messages" in call.value):
        yield _problem("a call has either a `prompt` or `messages`", call)


def _problem(message: str, spot: Spot, help: str = "") -> Problem:
    return Problem(code="script", message=message, place=spot.place, help=help)


def _call(spot: Spot) -> Call:
    value: dict[str, Any] = spot.value
    arguments = {
        key: value[key] for key in (*TEXTS, *LISTS) if key in value and key not in ("prompt", "system")
    }
    if "timeout" in value:
        arguments["timeout"] = (duration_ms(value["timeout"]) or 0) / 1_000
    return Call(
        place=spot.place,
        messages=tuple(value.get("messages") or _prompted(value["prompt"], value.get("system"))),
        arguments=arguments,
        params=value.get("params", {}),
        fails=value.get("fails", False),
    )


def _prompted(prompt: str, system: str | None) -> list[Message]:
    before: list[Message] = [{"role": "system", "content": system}] if system else []
    return [*before, {"role": "user", "content": prompt}]
