"""From `response_model` to the form of an answer: a pydantic model, a dataclass, a TypedDict, or a JSON Schema."""

import json
import re
from collections.abc import Iterator, Mapping
from inspect import isroutine
from typing import Any

from router.errors import RequestError
from router.values import Misfit, Output

WANTED = "pass a pydantic model, a dataclass, a TypedDict, or a JSON Schema as a mapping"


def output_of(response_model: Any) -> Output:
    """Raises RequestError for what is neither a type with a schema nor a JSON Schema."""
    if isinstance(response_model, Mapping):
        return _of_schema(response_model)
    return _of_type(response_model)


def begun(text: str) -> Any:
    """The JSON value that a text has come to so far; None while there is none. Its last text or number may go on."""
    from pydantic_core import from_json

    try:
        return from_json(text, allow_partial="trailing-strings")
    except ValueError:
        return None


def _of_type(model: Any) -> Output:
    from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

    if isinstance(model, str):  # the name of a type, which is known where it is written and not here
        raise RequestError("`response_model` is text, not a type", help=WANTED)
    if isroutine(model):  # pydantic would make a schema of its arguments
        raise RequestError("`response_model` is a function", help=WANTED)
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(model)
        schema = adapter.json_schema()
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError) as error:
        why = str(error).splitlines()[0]
        raise RequestError(f"`response_model` has no schema: {why}", help=WANTED) from None

    def read(text: str) -> Any:
        try:
            return adapter.validate_json(text)
        except ValidationError as error:
            raise Misfit(
                [_told(each) for each in error.errors(include_url=False, include_input=False)]
            ) from None

    return _output(str(getattr(model, "__name__", "answer")), schema, read)


def _told(error: Any) -> str:
    place = ".".join(map(str, error["loc"]))
    return f"{place}: {error['msg']}" if place else str(error["msg"])


def _of_schema(schema: Mapping[str, Any]) -> Output:
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        own = json.loads(json.dumps(schema))
        kind = validator_for(own)
        kind.check_schema(own)
        _check_references(own)
    except SchemaError as error:
        raise _no_schema(error.message) from None
    except (TypeError, ValueError, RecursionError, Unresolvable) as error:
        raise _no_schema(str(error)) from None
    validator = kind(own, registry=Registry())  # one of its own: the usual one fetches what a `$ref` names

    def read(text: str) -> Any:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Misfit([f"it is not JSON: {error}"]) from None
        try:
            faults = [f"{each.json_path}: {each.message}" for each in validator.iter_errors(value)]
        except Unresolvable as error:
            raise _no_schema(str(error)) from None
        if faults:
            raise Misfit(faults)
        return value

    return _output(str(own.get("title") or "answer"), own, read)


def _no_schema(why: str) -> RequestError:
    return RequestError(f"`response_model` is no JSON Schema: {why}", help=WANTED)


def _check_references(schema: Any) -> None:
    """Raises Unresolvable for a `$ref` that leads nowhere within the schema: nothing is fetched from elsewhere. Of a
    schema with names of its own (`$id`) that is known when one is followed."""
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    found = list(_strings(schema))
    if any(name == "$id" for name, _ in found):
        return
    resolver = Registry[Any]().resolver_with_root(DRAFT202012.create_resource(schema))
    for name, reference in found:
        if name == "$ref":
            resolver.lookup(reference)


def _strings(schema: Any) -> Iterator[tuple[str, str]]:
    """(key, text) of all that a schema says in texts; what values may be is not its own."""
    if isinstance(schema, list):
        for each in schema:
            yield from _strings(each)
    elif isinstance(schema, Mapping):
        for name, value in schema.items():
            if isinstance(value, str):
                yield name, value
            elif name not in ("const", "enum", "default", "examples"):
                yield from _strings(value)


def _output(name: str, schema: Mapping[str, Any], read: Any) -> Output:
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] or "answer"
    closed = _closed(schema)
    strict = _is_strict(closed)
    return Output(name=safe, schema=closed if strict else schema, strict=strict, read=read)


def _closed(schema: Any) -> Any:
    """The same, with every object that says nothing of further keys closed to them."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {name: _closed(value) for name, value in schema.items()}
    if found.get("type") == "object" and "properties" in found:
        found.setdefault("additionalProperties", False)
    return found


_STRICT = frozenset(
    (
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "$ref",
        "$defs",
    )
) | {"title", "description", "definitions"}
"""What every provider's strict schemas are known to take."""


def _is_strict(schema: Any) -> bool:
    """Whether a provider can hold an answer to it while it is written: closed objects, all of their keys required."""
    if not isinstance(schema, Mapping):
        return False
    if not schema.keys() <= _STRICT:
        return False
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(
            properties
        ):
            return False
    below = [
        *schema.get("properties", {}).values(),
        *schema.get("$defs", {}).values(),
        *schema.get("definitions", {}).values(),
        *schema.get("anyOf", ()),
        *([schema["items"]] if "items" in schema else []),
    ]
    return all(_is_strict(each) for each in below)
