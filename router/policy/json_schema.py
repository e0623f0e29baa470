"""The JSON Schema of policy files: flat draft-07, every map closed, printed from the table of keys."""

from typing import Any

from router.policy.forms import Block, Form, Key, ListOf, MapOf, Open, Scalar, blocks
from router.policy.traps import written

Schema = dict[str, Any]

IDENTIFIER = "router.schema.json"


def json_schema(
    root: Block, *, identifier: str = IDENTIFIER, title: str = "router policies, version 1"
) -> Schema:
    """The schema an editor loads: one definition for each block, `$ref` between them."""
    definitions = {block.ref: _block(block) for block in blocks(root) if block is not root}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": identifier,
        "title": title,
        **_block(root),
        "definitions": dict(sorted(definitions.items())),
    }


def inlined(schema: Schema) -> Schema:
    """The same schema without `$ref`: equal in meaning, several times faster to validate with."""
    definitions = schema["definitions"]
    done: dict[str, Schema] = {}

    def inline(node: Any) -> Any:
        if isinstance(node, list):
            return [inline(item) for item in node]
        if not isinstance(node, dict):
            return node
        ref = node.get("$ref")
        if ref is None:
            return {key: inline(value) for key, value in node.items() if key != "definitions"}
        name = ref.rsplit("/", 1)[-1]
        if name not in done:
            done[name] = inline(definitions[name])
        return done[name]

    found: Schema = inline(schema)
    return found


def _form(form: Form) -> Schema:
    match form:
        case Block():
            return {"$ref": f"#/definitions/{form.ref}"}
        case Scalar():
            return _scalar(form)
        case ListOf():
            return _list(form)
        case MapOf():
            return {
                "type": "object",
                "propertyNames": _name(form.key),
                "additionalProperties": _form(form.value),
            }
        case Open():
            return {"type": "object"}


def _scalar(form: Scalar) -> Schema:
    found: Schema = {"type": form.types[0] if len(form.types) == 1 else list(form.types)}
    if form.words:
        found["enum"] = list(form.words)
    elif form.pattern is not None:
        found["pattern"] = form.pattern
    if form.minimum is not None:
        found["minimum"] = form.minimum
    if form.maximum is not None:
        found["maximum"] = form.maximum
    return _with_examples(found, form.examples)


def _name(form: Scalar) -> Schema:
    return {"pattern": form.pattern}


def _list(form: ListOf) -> Schema:
    found: Schema = {"type": "array", "items": _form(form.item)}
    if form.at_least:
        found["minItems"] = form.at_least
    if form.unique:
        found["uniqueItems"] = True
    if form.word is not None:
        found |= {"type": ["string", "array"], "pattern": form.word.pattern}
    return found


def _block(block: Block) -> Schema:
    found: Schema = {"description": _shown(block.description, block.examples), "type": "object"}
    if block.text is not None:
        found |= _short(block.text)
    found["properties"] = {name: _key(key) for name, key in block.keys.items()}
    found["additionalProperties"] = False
    found |= _required(block)
    found |= _counted(block)
    return _with_examples(found, block.examples)


def _required(block: Block) -> Schema:
    """What must be there, unless one of the keys that stand in for it is."""
    if not block.required:
        return {}
    found: Schema = {"required": list(block.required)}
    for key in reversed(block.unless):
        found = {"if": {"required": [key]}, "then": {}, "else": found}
    return found


def _short(text: Scalar) -> Schema:
    """A short form beside the map: keywords of text and numbers say nothing about maps, so no union is needed."""
    short = {key: value for key, value in _scalar(text).items() if key not in ("type", "enum", "examples")}
    return {"type": [*text.types, "object"], "pattern": text.pattern, **short}


def _counted(block: Block) -> Schema:
    """Exactly one of `choice`: by counting keys, or, where one of them stands alone, by if and then."""
    if block.alone is not None:
        others = [key for key in block.choice if key != block.alone]
        return {
            "if": {"type": "object", "required": [block.alone]},
            "then": {"maxProperties": 1},
            "else": {"required": others},
        }
    if block.choice:
        return _of_choice(len(block.required) + 1, block.beside)
    return {"minProperties": block.at_least} if block.at_least else {}


def _of_choice(number: int, beside: tuple[str, ...]) -> Schema:
    """So many keys, and one more for each of `beside` that is there."""
    if not beside:
        return {"minProperties": number, "maxProperties": number}
    first, *rest = beside
    more, others = _of_choice(number + 1, tuple(rest)), _of_choice(number, tuple(rest))
    return {"if": {"type": "object", "required": [first]}, "then": more, "else": others}


def _key(key: Key) -> Schema:
    if isinstance(key.form, Block):
        return _form(key.form)  # draft-07 ignores whatever stands beside `$ref`
    examples = key.form.examples if isinstance(key.form, Open) else ()
    return {"description": _shown(key.description, examples), **_form(key.form)}


def _with_examples(schema: Schema, examples: tuple[Any, ...]) -> Schema:
    """Only those that are text or numbers: editors offer an example that is a map as `[object Object]`."""
    offered = [example for example in examples if not isinstance(example, dict)]
    return {**schema, "examples": offered} if offered else schema


def _shown(description: str, examples: tuple[Any, ...]) -> str:
    """A description that says those which can't be offered."""
    maps = [f"`{written(example)}`" for example in examples if isinstance(example, dict) and example]
    return f"{description} For example {', '.join(maps)}." if maps else description
