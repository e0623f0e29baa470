"""What a value may look like: the few shapes that the table of keys is built from."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from router.policy.document import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """Text, number or truth value. `name` reads after "must be"; `later` are words of a version to come.

    `refers_to` says what declares the names that may stand here: a block of the file, or `targets`,
    `patterns` of them, `labels`.
    """

    name: str
    types: tuple[str, ...] = ("string",)
    pattern: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    words: tuple[Any, ...] = ()
    later: tuple[str, ...] = ()
    examples: tuple[Any, ...] = ()
    help: str = ""
    refers_to: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf:
    """`word` may stand for the whole list, as in `policies: all`."""

    name: str
    item: "Form"
    at_least: int = 0
    unique: bool = False
    word: Scalar | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    form: "Form"
    description: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """A closed map. `ref` names its definition in the schema. A block is equal to itself alone, so that what is made of
    a table can be kept by it.

    `text` is its short form (`off`, `free`, an amount). Of `choice`, exactly one key is written; `alone` is the key
    of `choice` that stands alone; without it, the rest must be there too; `beside` are keys that may stand beside one
    of `choice`. Keys of `unless` stand in for what is `required`. `later` are keys of a version to come; `habits`
    are words of elsewhere, each with how it is written here.
    """

    ref: str
    name: str
    description: str
    keys: Mapping[str, Key]
    required: tuple[str, ...] = ()
    choice: tuple[str, ...] = ()
    alone: str | None = None
    beside: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    at_least: int = 0
    text: Scalar | None = None
    later: tuple[str, ...] = ()
    habits: Mapping[str, str] = field(default_factory=dict)
    examples: tuple[Any, ...] = ()
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOf:
    """A map whose keys are names that the author chooses."""

    name: str
    key: Scalar
    value: "Form"
    description: str = ""
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A map whose inside is judged elsewhere."""

    name: str
    examples: tuple[Any, ...] = ()


Form = Scalar | ListOf | Block | MapOf | Open


def form_at(form: Form, path: Path) -> Form | None:
    """The form of the value at `path`; None where the table says nothing of it."""
    current: Form | None = form
    for step in path:
        current = _below(current, step)
    return current


def _below(form: Form | None, step: str | int) -> Form | None:
    match form:
        case Block(keys=keys) if isinstance(step, str) and step in keys:
            return keys[step].form
        case MapOf(value=value) if isinstance(step, str):
            return value
        case ListOf(item=item) if isinstance(step, int):
            return item
    return None


def blocks(form: Form) -> Iterator[Block]:
    """Every block in and below `form`, each once, depth first."""
    seen: dict[str, Block] = {}
    _collect(form, seen)
    yield from seen.values()


def _collect(form: Form, seen: dict[str, Block]) -> None:
    match form:
        case Block():
            if form.ref not in seen:
                seen[form.ref] = form
                for key in form.keys.values():
                    _collect(key.form, seen)
        case MapOf(value=value):
            _collect(value, seen)
        case ListOf(item=item):
            _collect(item, seen)


def homes(form: Form) -> Mapping[str, tuple[str, ...]]:
    """For every key of the language, the names of the blocks it may stand in."""
    found: dict[str, tuple[str, ...]] = {}
    for block in blocks(form):
        for key in block.keys:
            found[key] = (*found.get(key, ()), block.name)
    return found


def with_scalars(form: Form, change: Callable[[Scalar], Scalar]) -> Form:
    """The same table with every value's scalar changed. Keys of maps stay: those are names that the author chooses."""
    match form:
        case Scalar():
            return change(form)
        case MapOf():
            return replace(form, value=with_scalars(form.value, change))
        case ListOf():
            return replace(form, item=with_scalars(form.item, change))
        case Block():
            return _block_with(form, change)
        case Open():
            return form


def _block_with(block: Block, change: Callable[[Scalar], Scalar]) -> Block:
    """Examples of a short form that changed give way to its new ones."""
    keys = {name: replace(key, form=with_scalars(key.form, change)) for name, key in block.keys.items()}
    text = change(block.text) if block.text is not None else None
    examples = block.examples
    if text is not None and text is not block.text:
        examples = (*text.examples, *(each for each in examples if isinstance(each, dict)))
    return replace(block, keys=keys, text=text, examples=examples)
