"""Form: jsonschema over a document's plain values, its errors turned into problems with places and advice.

Where the schema holds, which `accept` says much faster, jsonschema has nothing to tell and is not even imported.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from router.errors import Problem
from router.policy.accept import Accepts, acceptor
from router.policy.document import Document, Path
from router.policy.forms import Block, Form, MapOf, Scalar, form_at, homes
from router.policy.guesses import habit, least_likeness
from router.policy.json_schema import inlined, json_schema
from router.policy.phrases import (
    SECRETIVE,
    close_to,
    expected,
    label,
    literal_secret,
    looks_secret,
    quoted,
    secret_name,
    suggestion,
    too_large,
    wrong_form,
)
from router.policy.table.root import ROOT
from router.policy.traps import SECRET, SHORTEST_SECRET, Fault, odd_space, shown
from router.policy.words import NAME_PATTERN, RESERVED, VERSION

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator


class Formed(NamedTuple):
    """A document that knows what in it is of the wrong form, and the problems that say so."""

    document: Document
    problems: tuple[Problem, ...]


def check_form(document: Document, root: Block = ROOT) -> tuple[Problem, ...]:
    """Every problem of form in one document, by the table `root`. Values that were refused while reading are not
    reported again."""
    return formed(document, root).problems


def formed(document: Document, root: Block = ROOT) -> Formed:
    """The same problems, with the document that knows where they are."""
    good = _acceptor(root)(document.value)
    errors = [] if good else list(strict_validator(root).iter_errors(document.value))
    secrets, named = dict(_secrets(document.value)), dict(_secret_names(document.value))
    if not errors and not secrets and not named and not document.damaged:
        return Formed(document, ())
    misspelt = (below for error in errors for below in _misspelt(error))
    document = document.with_damage(
        below for path in (*document.damaged, *misspelt) for below in _meant(path, root)
    )
    found: dict[tuple[Path, str], Problem] = {}
    for error in errors:
        for problem_path, problem in _problems(error, document, root):
            found.setdefault((problem_path, problem.message), problem)
    for path, secret in secrets.items():
        found.setdefault((path, secret.message), _problem(secret, document.place(path)))
    for path, secret in named.items():
        found.setdefault((path, secret.message), _problem(secret, document.key_place(path)))
    return Formed(document.with_damage({path for path, _ in found}), tuple(found.values()))


def _misspelt(error: "ValidationError") -> Iterator[Path]:
    """The keys that are no word of the language where they stand."""
    path: Path = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        value: Any = error.instance
        yield from ((*path, key) for key in value)


def _meant(path: Path, root: Block) -> Iterator[Path]:
    """Where what stands at a misspelt key belongs: nobody is told that it is missing there as well."""
    form = form_at(root, path[:-1]) if path else None
    if isinstance(form, Block) and path[-1] not in form.keys:
        key = str(path[-1])
        here = habit(form.ref, key)
        meant = here.key if here else close_to(key, form.keys, cutoff=least_likeness(key))
        if meant:
            yield (*path[:-1], meant)


def _secrets(value: Any, path: Path = ()) -> Iterator[tuple[Path, Fault]]:
    """Every secret written out. Of the entries of a file, only those are looked at in which there may be one."""
    if isinstance(value, dict) and len(path) < 2:
        for key, below in value.items():
            yield from _secrets(below, (*path, key))
    elif _may_hold_secrets(value):
        for at, text in _texts(value, path):
            secret = literal_secret(text, at)
            if secret is not None:
                yield at, secret


def _secret_names(value: Any, path: Path = ()) -> Iterator[tuple[Path, Fault]]:
    """Every secret that stands where a name does: of a tenant, a model, a parameter."""
    if isinstance(value, dict):
        for key, below in value.items():
            if len(key) >= SHORTEST_SECRET and looks_secret(key):
                yield (*path, key), secret_name(path)
            if isinstance(below, dict | list):
                yield from _secret_names(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            if isinstance(below, dict | list):
                yield from _secret_names(below, (*path, index))


def _may_hold_secrets(value: Any) -> bool:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            if len(each) >= SHORTEST_SECRET and SECRET.search(each):
                return True
        elif isinstance(each, dict):
            if not SECRETIVE.isdisjoint(each):
                return True
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return False


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text in a document."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict | list):
        for step, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(below, (*path, step))


@cache
def _acceptor(root: Block) -> Accepts:
    """Built once a process and table, as the validator is."""
    return acceptor(inlined(json_schema(root)))


@cache
def strict_validator(root: Block) -> "Validator":
    """jsonschema's, for whom 1.0 is no integer. Built once a process and table: neither changes while it runs."""
    from jsonschema import Draft7Validator
    from jsonschema.validators import extend

    checker = Draft7Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    strict: Any = extend(Draft7Validator, validators={"pattern": _pattern}, type_checker=checker)  # type: ignore[no-untyped-call]
    validator: Validator = strict(inlined(json_schema(root)))
    return validator


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> "Iterator[ValidationError]":
    """As JSON Schema means it: in Python `$` also matches before a last line break."""
    from jsonschema.exceptions import ValidationError

    whole = pattern.startswith("^") and pattern.endswith("$")
    if isinstance(instance, str) and not (re.fullmatch if whole else re.search)(pattern, instance):
        yield ValidationError("pattern")


@cache
def _homes(root: Block) -> Mapping[str, tuple[str, ...]]:
    return {key: tuple(dict.fromkeys(names)) for key, names in homes(root).items()}


def _problems(error: "ValidationError", document: Document, root: Block) -> Iterator[tuple[Path, Problem]]:
    path: Path = tuple(error.absolute_path)
    form = form_at(root, path)
    value: Any = error.instance
    match error.validator:
        case "additionalProperties" if isinstance(form, Block):
            for key in value:
                if key not in form.keys:
                    below = (*path, key)
                    yield below, _problem(_unknown(key, form, root, path), document.key_place(below))
        case "required" if isinstance(form, Block):
            yield from _missing(form, path, document, value)
        case "minProperties" | "maxProperties" if isinstance(form, Block):
            yield from _miscounted(form, path, document, value)
        case "minItems" if path in document.holed:
            return  # what it held was refused while reading
        case "minimum" | "maximum" if not isinstance(value, int):
            return  # that it is no whole number is told by itself
        case _ if "propertyNames" in error.absolute_schema_path and isinstance(form, MapOf):
            below = (*path, value)
            yield below, _problem(_bad_name(form, value), document.key_place(below))
        case _:
            yield path, _problem(_wrong(form, error, path, document), document.place(path))


def _problem(fault: Fault, place: Any) -> Problem:
    return Problem(code=fault.code, message=fault.message, help=fault.help, place=place)


def _unknown(key: str, block: Block, root: Block, path: Path) -> Fault:
    if key in block.later:
        message = f"`{key}` is part of the language but not supported by this version yet"
        return Fault("unsupported", message, "take it out; a version that can't honour a word refuses it")
    if odd := odd_space(key):
        return odd
    message = f"unknown key {shown(key)} in {block.name}"
    around = form_at(root, path[:-1]) if path else None
    here = habit(block.ref, key, of=around.ref if isinstance(around, Block) else "")
    advice = here.advice if here else block.habits.get(key)
    if advice is not None:
        return Fault("unknown-key", message, f"here that is {advice}")
    elsewhere = _homes(root).get(key, ())
    cutoff = least_likeness(key)
    close = close_to(key, (*block.keys, *block.later), cutoff=cutoff)
    if elsewhere and close is None:
        return Fault("unknown-key", message, f"`{key}` belongs in {_either(elsewhere)}")
    return Fault("unknown-key", message, suggestion(key, block.keys, what="keys here:", cutoff=cutoff))


def _either(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _missing(form: Block, path: Path, document: Document, value: Any) -> Iterator[tuple[Path, Problem]]:
    wanted = form.required or form.choice
    if not form.required and any(key in value or (*path, key) in document.damaged for key in form.choice):
        return
    if any(
        key in form.later for key in value
    ):  # refused by name already; what it stands for may be all that lacks
        return
    if any((*path, key) in document.damaged for key in form.unless):  # it may have stood in for what lacks
        return
    for key in wanted if form.required else wanted[:1]:
        below = (*path, key)
        if key not in value and below not in document.damaged:
            yield below, _problem(_lacking(form, key, path), _block_place(document, path))


def _lacking(form: Block, key: str, path: Path) -> Fault:
    if form.keys[key].form is VERSION:
        return Fault("version", "the file does not say `version: 1`", "start it with `version: 1`")
    if not form.required:
        names = " or ".join(f"`{choice}`" for choice in form.choice)
        return Fault("missing-key", f"{label(path)} needs {names}", form.help)
    return Fault("missing-key", f"{label(path)} has no `{key}`", form.help)


def _miscounted(form: Block, path: Path, document: Document, value: Any) -> Iterator[tuple[Path, Problem]]:
    """Too few or too many keys: an empty map, or not exactly one of a choice. Bad keys have been reported already."""
    if path in document.holed or any(key not in form.keys for key in value):
        return
    present = [key for key in form.choice if key in value]
    place = _block_place(document, path)
    names = ", ".join(f"`{key}`" for key in form.choice)
    if form.alone in present and len(value) > 1:
        fault = Fault(
            "wrong-form",
            f"`{form.alone}` stands alone in {form.name}",
            "settings are lexical: a nested policy runs with its own",
        )
    elif len(present) > 1:
        both = " and ".join(f"`{key}`" for key in present)
        fault = Fault("wrong-form", f"{label(path)} has {both}", f"write exactly one of {names}")
    elif form.choice and not present:
        fault = Fault("missing-key", f"{label(path)} needs one of {names}", form.help)
    elif not form.choice and len(value) < form.at_least and all(key in value for key in form.required):
        fault = Fault(
            "wrong-form", f"{label(path)} says nothing" if not value else _too_little(path), form.help
        )
    else:
        return
    yield path, _problem(fault, place)


def _too_little(path: Path) -> str:
    return f"{label(path)} has no bound"


def _bad_name(form: MapOf, name: str) -> Fault:
    if name in RESERVED:
        return Fault("reserved-name", f"{shown(name)} is a word of the language", "choose another name")
    return Fault("wrong-form", f"{shown(name)} is not {form.key.name}", form.key.help)


def _wrong(form: Form | None, error: "ValidationError", path: Path, document: Document) -> Fault:
    value: Any = error.instance
    if form is VERSION and value == "1":
        return Fault("version", "`version` is a number, not text", "take the quotes out: `version: 1`")
    if form is VERSION:
        return Fault("version", f"this version reads policies of version 1, not {shown(value)}", form.help)
    if error.validator == "uniqueItems":
        twice = next(item for index, item in enumerate(value) if item in value[:index])
        return Fault("wrong-form", f"{label(path)} names {shown(twice)} twice", "keep one of them")
    if error.validator == "minItems":
        return Fault(
            "wrong-form", f"{label(path)} is an empty list", "write at least one item, or take the key out"
        )
    if (
        isinstance(form, Scalar)
        and isinstance(value, str)
        and value in RESERVED
        and form.pattern == NAME_PATTERN
    ):
        return Fault("reserved-name", f"{shown(value)} is a word of the language", "choose another name")
    if form is None:
        return Fault("wrong-form", f"{label(path)} has the wrong form: {quoted(value, path)}")
    if error.validator in ("minimum", "maximum"):
        text = form.text if isinstance(form, Block) else form
        advice = (isinstance(text, Scalar) and too_large(text, str(value))) or _help_of(form)
        return Fault("wrong-form", f"{label(path)} must be {expected(form)}, not {shown(value)}", advice)
    return wrong_form(form, value, path, document.raw.get(path))


def _help_of(form: Form) -> str:
    return getattr(form, "help", "")


def _block_place(document: Document, path: Path) -> Any:
    """A map that lacks something is pointed at by its key."""
    return document.key_place(path) if path and isinstance(path[-1], str) else document.place(path)
