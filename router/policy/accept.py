"""A JSON Schema as one function that says yes: what is good needs no error messages, and is most of what there is.

`acceptor(schema)(value)` is True only where the schema holds. Where it is False, a validator is asked for the errors;
it may be False where the schema holds, which costs time and nothing else.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

Accepts = Callable[[Any], bool]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}
_NO_RULE = frozenset({"$schema", "$id", "title", "description", "examples", "definitions"})
_RULES = frozenset(
    {
        *("type", "enum", "pattern", "minimum", "maximum", "items", "minItems", "uniqueItems"),
        *(
            "properties",
            "additionalProperties",
            "propertyNames",
            "required",
            "minProperties",
            "maxProperties",
        ),
        *("if", "then", "else"),
    }
)
_MOST_REMEMBERED, _LONGEST_REMEMBERED = 10_000, 80


class NotUnderstood(ValueError):
    """A schema that says something beyond the few keywords read here."""


def acceptor(schema: Mapping[str, Any]) -> Accepts:
    """`schema` holds no `$ref`. Raises NotUnderstood for a keyword that is not read here."""
    strange = schema.keys() - _NO_RULE - _RULES
    if strange:
        raise NotUnderstood(", ".join(sorted(strange)))
    types = _types(schema)
    by_type = {found: _of_type(found, schema) for found in types}
    branch = _branch(schema) if "if" in schema else None

    def accepts(value: Any) -> bool:
        check = by_type.get(type(value), _refuse)
        return check(value)

    def accepts_branch(value: Any) -> bool:
        return accepts(value) and branch is not None and branch(value)

    return accepts if branch is None else accepts_branch


def _refuse(_: Any) -> bool:
    return False


def _accept(_: Any) -> bool:
    return True


def _types(schema: Mapping[str, Any]) -> tuple[type, ...]:
    """Exact types: a subclass is left to the validator."""
    named = schema.get("type", tuple(_TYPES))
    names = (named,) if isinstance(named, str) else named
    return tuple(dict.fromkeys(found for name in names for found in _TYPES[name]))


def _of_type(found: type, schema: Mapping[str, Any]) -> Accepts:
    words = schema.get("enum")
    if words is not None:
        return _refuse if found in (dict, list) else _one_of([word for word in words if type(word) is found])
    if found is str:
        return _text(schema["pattern"]) if "pattern" in schema else _accept
    if found in (int, float):
        return _number(schema)
    if found is dict:
        return _map(schema)
    return _list(schema) if found is list else _accept


def _one_of(words: Collection[Any]) -> Accepts:
    known = frozenset(words)
    return lambda value: value in known


def _text(pattern: str) -> Accepts:
    """Texts that matched are remembered: in policies the same few stand in many places. Most patterns of a schema meet
    no text in a run, so each is compiled, by `re` and once, when it does."""
    matches = re.fullmatch if pattern.startswith("^") and pattern.endswith("$") else re.search
    known: set[str] = set()

    def accepts(value: str) -> bool:
        if value in known:
            return True
        if not matches(pattern, value):
            return False
        if len(known) < _MOST_REMEMBERED and len(value) <= _LONGEST_REMEMBERED:
            known.add(value)
        return True

    return accepts


def _number(schema: Mapping[str, Any]) -> Accepts:
    least, most = schema.get("minimum", float("-inf")), schema.get("maximum", float("inf"))
    return lambda value: least <= value <= most


def _list(schema: Mapping[str, Any]) -> Accepts:
    item = acceptor(schema["items"]) if "items" in schema else _accept
    least, unique = schema.get("minItems", 0), schema.get("uniqueItems", False)

    def accepts(value: list[Any]) -> bool:
        if len(value) < least or (unique and not _is_unique(value)):
            return False
        return all(map(item, value))

    return accepts


def _is_unique(items: list[Any]) -> bool:
    """Of texts alone: whether 1 and true are the same is the validator's business."""
    return len(items) < 2 or (all(type(item) is str for item in items) and len(set(items)) == len(items))


def _map(schema: Mapping[str, Any]) -> Accepts:
    properties = {key: acceptor(below) for key, below in schema.get("properties", {}).items()}
    rest = _rest(schema)
    required = tuple(schema.get("required", ()))
    least, most = schema.get("minProperties", 0), schema.get("maxProperties", float("inf"))

    def accepts(value: dict[str, Any]) -> bool:
        if not least <= len(value) <= most:
            return False
        for key in required:
            if key not in value:
                return False
        for key, below in value.items():
            check = properties.get(key)
            if not (rest(key, below) if check is None else check(below)):
                return False
        return True

    return accepts


def _rest(schema: Mapping[str, Any]) -> Callable[[str, Any], bool]:
    """What holds for keys that are not among the properties; the names of those are not looked at."""
    more, names = schema.get("additionalProperties", True), schema.get("propertyNames")
    if names is not None and schema.get("properties"):
        raise NotUnderstood("propertyNames beside properties")
    if isinstance(more, bool):
        allowed: Accepts = _accept if more else _refuse
    else:
        allowed = acceptor(more)
    named = acceptor(names) if names is not None else _accept
    return lambda key, below: named(key) and allowed(below)


def _branch(schema: Mapping[str, Any]) -> Accepts:
    """`if` may ask for keys alone: that is answered exactly, which `then` and `else` need."""
    asked: Mapping[str, Any] = schema["if"]
    if asked.keys() - {"type", "required"} or asked.get("type", "object") != "object":
        raise NotUnderstood("an `if` about more than keys")
    keys, other_type = tuple(asked.get("required", ())), "type" not in asked
    then, otherwise = acceptor(schema.get("then", {})), acceptor(schema.get("else", {}))

    def accepts(value: Any) -> bool:
        holds = all(key in value for key in keys) if isinstance(value, dict) else other_type
        return then(value) if holds else otherwise(value)

    return accepts
