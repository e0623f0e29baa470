"""The same document in other words, and documents with one thing changed."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from decimal import Decimal
from random import Random
from typing import Any

import yaml

from tests.reference.interpreter.policies import BESIDE, NOT_INHERITED, written_out

SETS = frozenset(
    {
        "fall_back_on",
        "on",
        "labels",
        "supports",
        "require",
        "needs",
        "allow",
        "tenant",
        "user",
        "session",
        "tag",
        "days",
    }
)
"""Lists whose order says nothing. `policies` of a tenant is one too; the block of that name is a map."""
Path = tuple[str | int, ...]
TEXT = "tag:yaml.org,2002:str"


class Plain(yaml.SafeDumper):
    """Writes every value where it holds."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """A time of day is always quoted: plain it is a number to some readers, and an error to ours."""
    return dumper.represent_scalar(TEXT, text, style='"' if re.fullmatch(r"\d\d:\d\d", text) else None)


class Quoted(Plain):
    """Every text in quotes."""


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(TEXT, text, style='"')


Plain.add_representer(str, _text)
Quoted.add_representer(str, _quoted)


def shuffled(value: Any, random: Random, key: str = "") -> Any:
    """The same with the keys of every map, and what is a set, in another order."""
    if isinstance(value, dict):
        keys = random.sample(list(value), len(value))
        return {each: shuffled(value[each], random, each) for each in keys}
    if isinstance(value, list):
        items = [shuffled(item, random) for item in value]
        return random.sample(items, len(items)) if key in SETS | {"policies"} else items
    return value


def long_forms(document: Mapping[str, Any], random: Random) -> dict[str, Any]:
    """What may be written in two ways, written in the other one here and there."""
    found = deepcopy(dict(document))
    for path in list(_paths(found)):
        if random.random() < 0.5 and _holds(found, path):
            _rewrite(found, path)
    return found


def _rewrite(document: Any, path: Path) -> None:
    above, key = _at(document, path[:-1]), path[-1]
    value = above[key]
    windows = (len(path) > 1 and path[-2] in ("budget", "limits")) or (
        len(path) == 3 and path[0] == "budgets"
    )
    if windows and key not in (*BESIDE, "pool", "was"):
        beside = above.get("enforce", "hard")
        if not isinstance(value, dict):
            above[key] = {"at_most": value}
        elif (
            not {"rolling", "when_spent"} & value.keys()
            and value.get("enforce", beside) == beside
            and value.get("warn_at") in (None, above.get("warn_at"))
        ):
            above[key] = value["at_most"]
    elif isinstance(key, int) and path[-2] == "targets":
        if isinstance(value, str):
            above[key] = {"model": value}
        elif set(value) == {"model"}:
            above[key] = value["model"]
    elif isinstance(value, str | int) and not isinstance(value, bool):
        above[key] = other_unit(value)


def other_unit(value: str | int) -> str | int:
    """The same amount in another unit; what has none as it is."""
    text = str(value)
    if isinstance(value, int):
        return f"{Decimal(value) / 1000:f}k" if value >= 1_000 else value
    if text.endswith("ms") and text[:-2].isdigit():
        return f"{Decimal(text[:-2]) / 1000:f}s"
    if text.endswith("s") and text[:-1].isdigit():
        return f"{int(text[:-1]) * 1000}ms"
    if text.endswith("k") and text[:-1].replace(".", "").isdigit():
        return int(Decimal(text[:-1]) * 1000)
    if text.startswith("$") and "." in text and len(text.partition(".")[2]) < 9:
        return f"{text}0"
    return value


def written_out_whole(document: Mapping[str, Any]) -> dict[str, Any]:
    """Without `extends` and what is only there to be extended."""
    whole = written_out(document)
    policies = {
        name: {key: value for key, value in block.items() if key == "was" or key not in NOT_INHERITED}
        for name, block in whole.items()
        if not block.get("abstract")
    }
    return {**document, "policies": policies}


def texts(document: Mapping[str, Any], random: Random) -> Iterator[str]:
    """The document as YAML of several styles, and as JSON."""
    for dumper, flow in ((Plain, False), (Plain, None), (Quoted, True)):
        indent = random.choice((2, 4, 6))
        text = yaml.dump(
            document, Dumper=dumper, default_flow_style=flow, indent=indent, sort_keys=False, width=10_000
        )
        yield "# a comment\n" + text.replace("\n", "\n\n") + "# another\n"
    yield json.dumps(document)


def split(document: Mapping[str, Any], random: Random) -> dict[str, dict[str, Any]]:
    """The named blocks of a document over several files."""
    files: dict[str, dict[str, Any]] = {"z.yaml": {"version": 1}}
    for block, named in document.items():
        if block == "settings":
            files["z.yaml"]["settings"] = named
        elif block != "version":
            for name, value in named.items():
                file = files.setdefault(random.choice(("a.yaml", "z.yaml", "deep/er/m.yml")), {"version": 1})
                file.setdefault(block, {})[name] = value
    return files


def edits(document: Mapping[str, Any]) -> list[Callable[[], dict[str, Any]]]:
    """Every document with one key or item taken out, one scalar changed, or two neighbours of a list swapped."""
    found: list[Callable[[], dict[str, Any]]] = []
    for path in _paths(document):
        value = _at(document, path)
        found.append(lambda path=path: _edited(document, path, _remove))
        if not isinstance(value, dict | list):
            found.append(lambda path=path: _edited(document, path, _change))
        if isinstance(path[-1], int) and path[-1] > 0:
            found.append(lambda path=path: _edited(document, path, _swap))
    return found


def _edited(document: Mapping[str, Any], path: Path, edit: Callable[[Any, Any], None]) -> dict[str, Any]:
    found = deepcopy(dict(document))
    edit(_at(found, path[:-1]), path[-1])
    return found


def _remove(above: Any, key: Any) -> None:
    del above[key]


def _swap(above: Any, key: int) -> None:
    above[key - 1], above[key] = above[key], above[key - 1]


def _change(above: Any, key: Any) -> None:
    above[key] = changed(above[key])


def changed(value: Any) -> Any:
    """Another value of the same form, where the form is one of amounts; else what may or may not be one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    for head, unit in (("", "ms"), ("", "s"), ("", "k"), ("", "%"), ("$", "")):
        number = value.removeprefix(head).removesuffix(unit)
        if value == f"{head}{number}{unit}" and number.replace(".", "", 1).isdigit():
            return f"{head}{Decimal(number) + 1:f}{unit}"
    return OTHERS.get(value, f"{value}x")


OTHERS = {
    "ann": "bob",
    "openai/nano": "openai/large",
    "constant": "linear",
    "linear": "exponential",
    "exponential": "fibonacci",
    "fibonacci": "constant",
    "exact": "margin",
    "margin": "window",
    "window": "exact",
    "mon": "tue",
    "tools": "json",
    "json": "vision",
    "vision": "tools",
    "timeout": "connection",
    "connection": "overloaded",
    "overloaded": "timeout",
    "transient": "timeout",
    "eu": "zero-retention",
    "zero-retention": "eu",
    "UTC": "Europe/Berlin",
    "Europe/Berlin": "UTC",
    "acme": "acme/search",
    "all": "all",
    "free": "free",
}


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every key and every item, however deep."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield (*path, key)
        yield from _paths(below, (*path, key))


def _at(document: Any, path: Path) -> Any:
    for key in path:
        document = document[key]
    return document


def _holds(document: Any, path: Path) -> bool:
    try:
        _at(document, path)
    except (KeyError, TypeError, IndexError):
        return False
    return True
