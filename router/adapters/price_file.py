"""The price book: the model and price file inside litellm's package, read without importing litellm."""

import hashlib
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from router.adapters.param_book import TABLE, ParamBook
from router.adapters.price_rows import (
    SUPPORTS,
    context_of,
    deprecation_of,
    max_output_of,
    prices_of,
    supports_of,
)
from router.adapters.token_families import FAMILIES, UNMEASURED, always_searches, token_class
from router.errors import StoreError
from router.plan import ModelFacts, TokenClass

_FILE = "model_prices_and_context_window_backup.json"
_CHAT_MODES = frozenset({"chat", "responses"})
_SPREAD = ("vertex_ai", "fireworks_ai", "bedrock")  # kinds whose rows carry their name with a suffix
_ALSO = {"azure_ai": ("azure", "openai"), "cohere": ("cohere_chat",), "ollama_chat": ("ollama",)}
_ROUTES = (
    "converse/",
    "invoke/",
    "openai/",
    "mantle/",
    "chat_completions/",
)  # litellm's own prefixes within bedrock
_BEDROCK_AREAS = frozenset({"global", "us", "eu", "apac", "jp", "au", "ca", "us-gov"})
_BEDROCK_REGION = re.compile(r"[a-z]{2}(?:-gov)?-[a-z]+-\d/")
_STRIPPED = {  # kind -> what litellm takes off the end of a name that has no row of its own
    **dict.fromkeys(("vertex_ai", "gemini", "databricks"), re.compile(r"-\d+$")),
    **dict.fromkeys(("bedrock", "bedrock_converse"), re.compile(r":\d+(?::\d+k)?$")),
}
_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_FINE_TUNE = re.compile(r"(:[^:]*){3}$")


class PriceFile:
    """Facts and prices by (kind, model). Frozen after `load`, so any thread may read it."""

    def __init__(self, rows: Mapping[str, Mapping[str, Any]], *, digest: str) -> None:
        self._rows = rows
        self._params: ParamBook | None = None
        self._folded = {key.lower(): key for key in reversed(list(rows))}  # the first of two spellings wins
        self._digest = digest

    @classmethod
    def load(cls, path: str | Path | None = None) -> "PriceFile":
        """Read the file at `path`, by default the one that came with litellm. Raises StoreError(port="prices")."""
        found = Path(path) if path is not None else _shipped()
        try:
            body = found.read_bytes()
            rows = _chat_rows(json.loads(body, parse_float=Decimal))
        except (OSError, ValueError) as error:
            raise StoreError(
                f"the price file `{found}` can't be read: {error}",
                port="prices",
                help="install litellm again",
            ) from error
        return cls(rows, digest=book_digest(body))

    @property
    def digest(self) -> str:
        return self._digest

    def facts(self, kind: str, model: str) -> ModelFacts | None:
        """What is known of `model` at a provider of litellm's `kind`; None: no chat model of that name."""
        row = self._row(kind, model)
        if row is None:
            return None
        return ModelFacts(
            name=row["key"],
            prices=prices_of(row, kind=kind, always_searches=always_searches(kind, model)),
            context_tokens=context_of(row),
            max_output_tokens=max_output_of(row),
            supports=supports_of(row),
            deprecated_on=deprecation_of(row),
            tokens=token_class(kind, model),
        )

    def tokens(self, kind: str, model: str) -> TokenClass:
        """How the input of a model is bounded, whether or not it is in the file."""
        return token_class(kind, model)

    def refuses(self, kind: str, model: str) -> frozenset[str]:
        """The parameters that a model does not take, as litellm says."""
        if self._params is None:
            self._params = ParamBook.load()
        return self._params.refuses(kind, _names(kind, model))

    def models(self, kind: str) -> Sequence[str]:
        """All chat model names of a kind, sorted, without the kind's prefix."""
        return sorted(
            key.removeprefix(f"{kind}/")
            for key, row in self._rows.items()
            if _serves(kind, row["litellm_provider"])
        )

    def _row(self, kind: str, model: str) -> Mapping[str, Any] | None:
        keys = (key for name in _names(kind, model) for key in (name, self._folded.get(name.lower(), name)))
        rows = (self._rows[key] for key in keys if key in self._rows)
        return next((row for row in rows if _serves(kind, row["litellm_provider"])), None)


def book_digest(
    body: bytes, read_by: object = (SUPPORTS, FAMILIES, UNMEASURED), *, params: bytes | None = None
) -> str:
    """SHA-256 over the file, over what it is `read_by` (which of its keys make a capability, and the margins of token
    counts, which no file states), and over the table of `params`, by default the one that is read."""
    return hashlib.sha256(
        b"\n".join([body, repr(read_by).encode(), params or TABLE.read_bytes()])
    ).hexdigest()


def _shipped() -> Path:
    """Where litellm keeps its copy; `find_spec` on a top-level package finds it without importing it."""
    spec = importlib.util.find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        raise StoreError("the price file is part of litellm", port="prices", help="install litellm")
    return Path(next(iter(spec.submodule_search_locations))) / _FILE


def other_modes() -> Mapping[str, str]:
    """Models in litellm's file that do not chat: name -> `provider/mode`. Empty where the file can't be read."""
    try:
        book = json.loads(_shipped().read_bytes())
    except (OSError, ValueError):
        return {}
    rows = ((key, row.get("litellm_provider"), row.get("mode")) for key, row in book.items())
    return {key: f"{provider}/{mode}" for key, provider, mode in rows if mode and mode not in _CHAT_MODES}


def _chat_rows(book: Any) -> Mapping[str, Mapping[str, Any]]:
    """Rows of chat models of some provider, each with its own key. Raises ValueError where it is no such book."""
    if not isinstance(book, dict) or not all(isinstance(row, dict) for row in book.values()):
        raise ValueError("it is not a map of models")
    chat = ((key, row) for key, row in book.items() if row.get("mode") in _CHAT_MODES)
    return {key: {"key": key, **row} for key, row in chat if isinstance(row.get("litellm_provider"), str)}


def _serves(kind: str, provider: str) -> bool:
    """Whether rows of this `litellm_provider` hold for `kind`."""
    spread = kind in _SPREAD and provider.startswith(kind)
    return provider == kind or spread or provider in _ALSO.get(kind, ())


def _names(kind: str, model: str) -> Iterator[str]:
    """Keys that may hold the model, the most specific first: as litellm looks them up."""
    prefix = "amazon-nova" if kind == "amazon_nova" else kind
    for name in (model, _stripped(kind, model)):
        yield f"{prefix}/{name}"
        yield name
    if kind.startswith("bedrock"):
        yield from _bedrock_names(model)


def _bedrock_names(model: str) -> Iterator[str]:
    """Without litellm's route, then without region and area: `converse/us.meta.llama3-1:0` -> `meta.llama3-1`."""
    for route in _ROUTES:
        model = model.removeprefix(route)
    yield f"bedrock/{model}"
    yield model
    model = _BEDROCK_REGION.sub("", model, count=1)
    area, dot, rest = model.partition(".")
    base = rest if dot and area in _BEDROCK_AREAS else model
    for name in (model, base):
        yield name
        yield _stripped("bedrock", name)


def _stripped(kind: str, model: str) -> str:
    if kind in _STRIPPED:
        return _STRIPPED[kind].sub("", model)
    return _FINE_TUNE.sub("", model) if "ft:" in model else _SNAPSHOT.sub("", model)
