"""tiktoken's encodings, offline: from the files inside litellm's package, without touching `os.environ`.

tiktoken itself would look for them in a cache folder named by the environment, and download what it doesn't find there.
"""

import hashlib
import importlib.util
from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any

from router.errors import StoreError

if TYPE_CHECKING:
    from tiktoken import Encoding


@cache  # one per process: 250 ms and 50 MB each, frozen once made; threads that race make it twice and keep one
def encoding(name: str) -> "Encoding":
    """`o200k_base` or `cl100k_base`, loaded on first use by any thread. Raises StoreError(port="tokens")."""
    from tiktoken import Encoding

    try:
        return Encoding(**_definition(name)())
    except (OSError, ValueError, AttributeError) as error:
        raise StoreError(
            f"the encoding `{name}` can't be loaded: {error}",
            port="tokens",
            help="install litellm and tiktoken again",
        ) from error


def _definition(name: str) -> Callable[[], Mapping[str, Any]]:
    """tiktoken's own definition of an encoding, reading the shipped file where it would call its loader."""
    from tiktoken_ext import openai_public  # type: ignore[import-untyped]

    defined = getattr(openai_public, name)
    return FunctionType(defined.__code__, {**defined.__globals__, "load_tiktoken_bpe": _ranks})


def _ranks(url: str, expected_hash: str | None = None) -> dict[bytes, int]:
    """What tiktoken would download from `url`: token -> rank. Raises ValueError when it isn't the file it should be."""
    shipped = _folder() / hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()
    body = shipped.read_bytes()
    if expected_hash is not None and hashlib.sha256(body).hexdigest() != expected_hash:
        raise ValueError(f"`{shipped}` is damaged")
    pairs = (line.split() for line in body.splitlines() if line)
    return {b64decode(token): int(rank) for token, rank in pairs}


def _folder() -> Path:
    spec = importlib.util.find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        raise ValueError("litellm, whose package holds it, is not installed")
    return Path(next(iter(spec.submodule_search_locations))) / "litellm_core_utils" / "tokenizers"
