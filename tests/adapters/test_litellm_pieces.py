"""A litellm that moves a piece of what the lean wire is made of is met here, and told what to do about it.

Without this the lean wire would quietly leave such calls to litellm's own, ten times as slow.
"""

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest

from tests.wires.table import AGAIN

ADAPTERS = Path(__file__).parents[2] / "router" / "adapters"
WHAT_TO_DO = (
    "see what became of it in litellm and follow that in router/adapters/litellm_pieces.py and lean_*.py; "
    f"{AGAIN}; a kind that can't be followed is then left to litellm's own wire"
)


class Use(NamedTuple):
    """One call that the lean wire makes of a piece of litellm: how many arguments by place, and which by name."""

    piece: str
    places: int
    names: tuple[str, ...]
    where: str


def uses(of: tuple[str, ...]) -> Iterator[Use]:
    """The calls of `of.NAME(...)` and `something.of.NAME(...)` in the modules of the lean wire."""
    for file in sorted(ADAPTERS.glob("lean_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and _named(node.func.value, of)
            ):
                names = tuple(keyword.arg for keyword in node.keywords if keyword.arg is not None)
                yield Use(node.func.attr, len(node.args), names, f"{file.name}:{node.lineno}")


def _named(node: ast.expr, names: tuple[str, ...]) -> bool:
    called = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return called in names


@pytest.fixture(scope="module")
def pieces() -> ModuleType:
    try:
        return import_module("router.adapters.litellm_pieces")
    except (AttributeError, ImportError) as error:
        pytest.fail(f"litellm has moved a piece ({error}): {WHAT_TO_DO}")


def check(holder: Any, use: Use, *, bound: bool) -> None:
    """That `use` fits the signature that the piece has now."""
    piece = inspect.getattr_static(holder, use.piece, None)
    assert piece is not None, f"litellm has no `{use.piece}` any more, which {use.where} calls: {WHAT_TO_DO}"
    if isinstance(piece, type):
        return  # a model, which takes what it is given
    taken = inspect.signature(getattr(holder, use.piece)).parameters.values()
    names = {each.name for each in taken if each.kind is not each.POSITIONAL_ONLY}
    any_name = any(each.kind is each.VAR_KEYWORD for each in taken)
    refused = [] if any_name else [name for name in use.names if name not in names]
    assert not refused, (
        f"`{use.piece}` takes {refused} no longer, with which {use.where} calls it: {WHAT_TO_DO}"
    )
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    needed = [each.name for each in taken if each.default is each.empty and each.kind in named]
    needed = needed[1:] if bound and needed[:1] == ["self"] else needed
    given = {*needed[: use.places], *use.names}
    lacking = [name for name in needed if name not in given]
    assert not lacking, f"`{use.piece}` needs {lacking}, which {use.where} does not give: {WHAT_TO_DO}"


def test_every_function_is_called_as_it_wants_to_be(pieces: ModuleType) -> None:
    found = list(uses(("pieces", "_pieces")))
    assert len({use.piece for use in found}) >= 8, (
        "the lean wire calls its pieces otherwise: this test looks past them"
    )
    for use in found:
        check(pieces, use, bound=False)


def test_every_class_of_a_provider_is_asked_as_it_wants_to_be(pieces: ModuleType) -> None:
    found = list(uses(("config",)))
    assert len({use.piece for use in found}) >= 5, (
        "the lean wire asks its classes otherwise: this test looks past them"
    )
    classes = (pieces.BaseConfig, pieces.litellm.FireworksAIConfig)  # the latter has one more to ask
    for use in found:
        check(next((each for each in classes if hasattr(each, use.piece)), classes[0]), use, bound=True)


def test_chat_still_goes_out_from_python() -> None:
    """In Rust, requests would be built by other code than the classes that the lean wire asks."""
    catalog = import_module("litellm.rust_bridge.catalog")
    rules = [rule for rule in catalog.RULES if getattr(rule, "route", None) is catalog.Route.CHAT_COMPLETIONS]
    assert rules, f"litellm says nothing of where chat goes out any more: {WHAT_TO_DO}"
    in_rust = [rule for rule in rules if rule.rollout is not catalog.Rollout.PYTHON_ONLY]
    assert not in_rust, f"litellm moves chat into Rust ({in_rust}): {WHAT_TO_DO}"


@pytest.mark.parametrize(
    ("moved", "told"),
    [
        ({}, "litellm has no `asked` any more"),
        ({"asked": lambda *, model: None}, r"`asked` takes \['key'\] no longer"),
        ({"asked": lambda *, key, model, more: None}, r"`asked` needs \['more'\]"),
    ],
)
def test_a_piece_that_moved_says_what_to_do(moved: dict[str, Any], told: str) -> None:
    with pytest.raises(AssertionError, match=f"(?s){told}.*python -m tests.wires"):
        check(SimpleNamespace(**moved), Use("asked", 0, ("key", "model"), "lean_x.py:1"), bound=False)
