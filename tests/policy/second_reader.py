"""Another reader of YAML: PyYAML's composer, with the tag table of YAML 1.2.2, section 10.3.2, written down anew."""

import re
from typing import Any

import yaml

from router.policy.document import Document
from router.policy.source import read_text

TABLE = (
    (r"null|Null|NULL|~|", lambda text: None),
    (r"true|True|TRUE", lambda text: True),
    (r"false|False|FALSE", lambda text: False),
    (r"[-+]?[0-9]+", int),
    (r"0o[0-7]+", lambda text: int(text, 0)),
    (r"0x[0-9a-fA-F]+", lambda text: int(text, 0)),
    (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", float),
    (r"[-+]?(\.inf|\.Inf|\.INF)", lambda text: float(text.replace(".", "").lower())),
    (r"\.nan|\.NaN|\.NAN", lambda text: float("nan")),
)


def core(text: str) -> Any:
    return next((make(text) for pattern, make in TABLE if re.fullmatch(pattern, text)), text)


def strict(node: yaml.Node | None) -> Any:
    """The value of a node; a repeated key keeps both, so that it equals nothing."""
    if node is None:
        return {}
    if isinstance(node, yaml.ScalarNode):
        return core(node.value) if not node.style else node.value
    if isinstance(node, yaml.SequenceNode):
        return [strict(item) for item in node.value]
    entries = [(strict(key), strict(value)) for key, value in node.value]
    keys = [key for key, _ in entries if isinstance(key, str)]
    return dict(entries) if len(keys) == len(set(keys)) == len(entries) else entries


def same(one: Any, other: Any) -> bool:
    """Equal, and of equal types: 1 is neither true nor 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def places(node: yaml.Node | None, document: Document, path: tuple[Any, ...] = ()) -> None:
    if node is None:
        return
    assert document.values[path] == (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            places(item, document, (*path, index))
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*path, key.value)
            assert document.keys[below] == (key.start_mark.line + 1, key.start_mark.column + 1)
            places(value, document, below)


def compare(text: str) -> bool:
    """False where the text was refused."""
    read = read_text(text, "a.yaml")
    if read.problems or read.document is None:
        return False
    node = yaml.compose(text, Loader=yaml.CSafeLoader)
    assert same(read.document.value, strict(node)), (text, read.document.value, strict(node))
    places(node, read.document)
    return True
