"""A JSON value that fits a JSON Schema's shape: what the fake provider says in JSON mode and to tools.

Understood: type (one or several, in any case), properties, required, items, prefixItems, enum, const, default,
anyOf, oneOf, allOf, $ref into the same document, minimum, maximum, exclusive bounds, multipleOf, minItems,
minLength, maxLength, format. Not understood: pattern, not, if/then, dependencies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

_MAX_DEPTH = 12
_FORMATS = {
    "date-time": "2026-01-15T09:30:00Z",
    "date": "2026-01-15",
    "time": "09:30:00Z",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.com",
}


def fitting(schema: Schema, *, words: str) -> Any:
    """A value of the schema's shape; `words` is put where free text is asked for."""
    return _value(schema, schema, words, "", 0)


def _value(schema: Any, root: Schema, words: str, name: str, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return None
    schema = _resolved(schema, root, depth)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if "default" in schema:
        return schema["default"]
    match _type(schema):
        case "object":
            return _object(schema, root, words, depth)
        case "array":
            return _array(schema, root, words, name, depth)
        case "integer":
            return _number(schema, int)
        case "number":
            return _number(schema, float)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _text(schema, words, name)


def _resolved(schema: Schema, root: Schema, depth: int) -> Schema:
    """`schema` with its reference followed and its alternatives decided."""
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target = _pointed(reference, root)
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _resolved({**target, **rest}, root, depth + 1) if depth < _MAX_DEPTH else {}
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return _resolved(_first_real(schema[key]), root, depth + 1)
    if schema.get("allOf"):
        return _merged([_resolved(part, root, depth + 1) for part in schema["allOf"]], schema)
    return schema


def _pointed(reference: str, root: Schema) -> Schema:
    here: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        if part:
            here = (
                here.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(here, Mapping) else {}
            )
    return here if isinstance(here, Mapping) else {}


def _first_real(options: list[Any]) -> Schema:
    """The first alternative that is not null: an optional field shows its value."""
    maps = [option for option in options if isinstance(option, Mapping)]
    real = [option for option in maps if str(option.get("type")).lower() != "null"]
    return (real or maps or [{}])[0]


def _merged(parts: list[Schema], whole: Schema) -> Schema:
    merged: dict[str, Any] = {key: value for key, value in whole.items() if key != "allOf"}
    properties = dict(merged.get("properties", {}))
    for part in parts:
        properties.update(part.get("properties", {}))
        merged.update({key: value for key, value in part.items() if key not in merged})
    return {**merged, "properties": properties} if properties else merged


def _type(schema: Schema) -> str:
    listed = schema.get("type")
    if isinstance(listed, list):
        real = [item for item in listed if str(item).lower() != "null"]
        listed = real[0] if real else "null"
    if isinstance(listed, str):
        return listed.lower()
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _object(schema: Schema, root: Schema, words: str, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    required = schema.get("required", ())
    wanted = (
        properties
        if depth < _MAX_DEPTH // 2
        else {key: properties[key] for key in required if key in properties}
    )
    return {key: _value(part, root, words, key, depth + 1) for key, part in wanted.items()}


def _array(schema: Schema, root: Schema, words: str, name: str, depth: int) -> list[Any]:
    first = [_value(part, root, words, name, depth + 1) for part in schema.get("prefixItems", ())]
    least = max(int(schema.get("minItems", 1)), 0)
    if "items" not in schema or (depth >= _MAX_DEPTH // 2 and "minItems" not in schema):
        return first
    more = min(least, int(schema.get("maxItems", least))) - len(first)
    return first + [_value(schema["items"], root, words, name, depth + 1) for _ in range(more)]


def _number(schema: Schema, kind: type[int | float]) -> float:
    """1 where that is allowed, else a value near a bound; the middle between two for numbers."""
    least = schema.get("minimum", schema.get("exclusiveMinimum", 1))
    most = schema.get("maximum", schema.get("exclusiveMaximum", least))
    step = schema.get("multipleOf", 1)
    near = [1, math.ceil(least), math.floor(least) + 1, math.floor(most), math.ceil(most) - 1]
    multiples = [math.ceil(least / step) * step, (math.floor(least / step) + 1) * step]
    between = [(least + most) / 2] if kind is float else []
    candidates = [*near, *multiples, *between]
    chosen: float = next((value for value in candidates if _allowed(value, schema)), least)
    return chosen


def _allowed(value: float, schema: Schema) -> bool:
    return (
        value >= schema.get("minimum", -math.inf)
        and value > schema.get("exclusiveMinimum", -math.inf)
        and value <= schema.get("maximum", math.inf)
        and value < schema.get("exclusiveMaximum", math.inf)
        and ("multipleOf" not in schema or value % schema["multipleOf"] == 0)
    )


def _text(schema: Schema, words: str, name: str) -> str:
    text = _FORMATS.get(str(schema.get("format"))) or (f"{name}: {words}" if name else words)
    least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
    text = text.ljust(least, ".")
    return text if most is None else text[: int(most)]
