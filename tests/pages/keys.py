"""docs/keys.md: every key of the language, printed from the table that the schema is printed from too."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from router.policy.forms import Block, Form, ListOf, MapOf, Open, Scalar, blocks, homes
from router.policy.table.root import ROOT
from router.policy.traps import written

PAGE = Path(__file__).resolve().parents[2] / "docs" / "keys.md"
MARK = "<!-- Printed from here on, from the table of keys: python -m tests.pages -->\n"
FEW = 8
"""Words that a cell has room for."""


def keys_page() -> str:
    by_hand, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    assert mark, f"{PAGE} has lost its mark: {MARK}"
    return "\n".join([by_hand + mark, *_index(), *_sections(), *_values(), *_refused()])


def _index() -> Iterator[str]:
    yield "## Every key\n"
    yield "| key | stands in |\n|---|---|"
    for key in sorted(homes(ROOT)):
        refs = (block.ref for block in blocks(ROOT) if key in block.keys)
        yield f"| `{key}` | {', '.join(map(_link, refs))} |"
    yield ""


def _sections() -> Iterator[str]:
    yield "## Blocks\n"
    places = standing(ROOT)
    for block in blocks(ROOT):
        yield f"### {block.ref}\n"
        yield f"{block.description}\n"
        if block is not ROOT:
            yield f"Stands {_where(block, places[block.ref])}.\n"
        yield "| key | holds | what it says |\n|---|---|---|"
        for name, key in block.keys.items():
            yield f"| `{name}` | {_cell(held(key.form))} | {_cell(key.description)} |"
        yield ""
        for line in (*_rules(block), *_examples(block)):
            yield f"{line}\n"


def _where(block: Block, places: tuple[str, ...]) -> str:
    """Its places while they are few, else the blocks that hold it."""
    if len(places) <= FEW:
        return f"at {_words(places)}"
    holders = [each for each in blocks(ROOT) if any(key.form is block for key in each.keys.values())]
    return f"in {', '.join(_link(holder.ref) for holder in holders)}"


def _rules(block: Block) -> Iterator[str]:
    """What the keys of a block must be together, in sentences."""
    if block.text is not None:
        yield f"In place of the map: {held(block.text)}."
    if block.required:
        yield f"Needed: {_words(block.required)}."
    if block.choice:
        alone = f"; `{block.alone}` stands alone" if block.alone else ""
        yield f"Exactly one of {_words(block.choice)}{alone}."
    if block.at_least:
        yield "At least one of them." if block.at_least == 1 else f"At least {block.at_least} of them."
    if block.later:
        yield f"Refused by name in this version: {_words(block.later)}."


def _examples(block: Block) -> Iterator[str]:
    if block.examples:
        yield f"For example {', '.join(f'`{written(example)}`' for example in block.examples)}."


def _values() -> Iterator[str]:
    yield "## Values\n"
    yield "| value | how it is written | for example |\n|---|---|---|"
    for scalar in scalars(ROOT):
        examples = ", ".join(f"`{written(example)}`" for example in scalar.examples)
        yield f"| {_cell(scalar.name)} | {_cell(scalar.help or _kinds(scalar))} | {_cell(examples)} |"
    yield ""


def _refused() -> Iterator[str]:
    yield "## Refused by name\n"
    yield "Words of the language that this version does not support yet. They are errors (`unsupported`), not settings"
    yield "that are read and ignored.\n"
    yield "| word | in |\n|---|---|"
    for word, places in sorted(refused(ROOT).items()):
        yield f"| `{word}` | {', '.join(places)} |"
    yield ""


def refused(root: Block) -> Mapping[str, tuple[str, ...]]:
    """Every word of a version to come -> what refuses it: blocks for keys, kinds of value for words."""
    found: dict[str, tuple[str, ...]] = {}
    for block in blocks(root):
        for word in block.later:
            found[word] = (*found.get(word, ()), _link(block.ref))
    for scalar in scalars(root):
        for word in scalar.later:
            found[word] = (*found.get(word, ()), scalar.name)
    return found


def standing(root: Block) -> Mapping[str, tuple[str, ...]]:
    """`ref` of every block -> where it may stand, as `policies.NAME.retry`."""
    found: dict[str, tuple[str, ...]] = {}

    def walk(form: Form, place: str) -> None:
        match form:
            case Block():
                found[form.ref] = (*found.get(form.ref, ()), place)
                for name, key in form.keys.items():
                    walk(key.form, f"{place}.{name}" if place else name)
            case MapOf():
                walk(form.value, f"{place}.NAME")
            case ListOf():
                walk(form.item, f"{place}[]")

    walk(root, "")
    return found


def scalars(root: Block) -> tuple[Scalar, ...]:
    """Every kind of value, each once, by name."""
    found: dict[str, Scalar] = {}

    def walk(form: Form) -> None:
        match form:
            case Scalar():
                found.setdefault(form.name, form)
            case MapOf():
                walk(form.key)
                walk(form.value)
            case ListOf():
                walk(form.item)
                if form.word is not None:
                    walk(form.word)

    for block in blocks(root):
        for form in (*(key.form for key in block.keys.values()), *([block.text] if block.text else [])):
            walk(form)
    return tuple(sorted(found.values(), key=lambda scalar: scalar.name.strip("`")))


def held(form: Form) -> str:
    """What a key holds, in words."""
    match form:
        case Block():
            return _link(form.ref)
        case Scalar():
            few = 1 < len(form.words) <= FEW
            return " or ".join(f"`{written(word)}`" for word in form.words) if few else form.name
        case ListOf():
            whole = f"`{form.word.words[0]}` or " if form.word else ""
            return f"{whole}a list, each item {held(form.item)}{'; at least one' if form.at_least else ''}"
        case MapOf():
            return f"a map: {form.key.name} -> {held(form.value)}"
        case Open():
            return form.name


def _kinds(scalar: Scalar) -> str:
    return " or ".join("text" if kind == "string" else kind for kind in scalar.types)


def _words(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _link(ref: str) -> str:
    return f"[{ref}](#{ref.lower()})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def rows(page: str) -> Mapping[str, tuple[str, ...]]:
    """Read back from a page: heading of a block -> the keys in its table."""
    found = {}
    for section in re.split(r"^(?=###? )", page, flags=re.MULTILINE):
        if section.startswith("### "):
            found[section.splitlines()[0].removeprefix("### ")] = tuple(
                re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
            )
    return found
