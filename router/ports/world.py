"""Clock, draw, prices, tokens, secrets: none of these touches a store."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from router.plan import ModelFacts, TokenClass
from router.values import InputEstimate, Message, SecretRef


class Clock(Protocol):
    """Time. `mono_s` for durations and deadlines, `now_s` for windows and leases. Never fails.

    Suspends: `sleep` does in the async form; in the sync form it blocks the caller's thread.
    """

    @property
    def suspends(self) -> bool: ...

    def now_s(self) -> float: ...

    def mono_s(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class Draw(Protocol):
    """Randomness, so that a seed repeats a run. Never suspends, never fails."""

    def fraction(self) -> float:
        """Uniform in [0, 1)."""
        ...

    def id(self) -> str:
        """A fresh id: unique over processes for the real one; letters, digits and `-`."""
        ...


class Prices(Protocol):
    """The price book. Read once; never suspends. Raises StoreError(port="prices") when its file can't be read."""

    @property
    def digest(self) -> str:
        """SHA-256 of the book's bytes, in hex."""
        ...

    def facts(self, kind: str, model: str) -> ModelFacts | None:
        """What is known of `model` at a provider of litellm's `kind`; None: the model is not in the book."""
        ...

    def tokens(self, kind: str, model: str) -> TokenClass:
        """How the input of a model is bounded, whether or not it is in the book."""
        ...

    def models(self, kind: str) -> Sequence[str]:
        """All chat model names of a kind, sorted, without the kind's prefix: for suggestions and patterns."""
        ...


class InputReader(Protocol):
    """The input of one request: read once, estimated for all the targets that ask, gone with its request."""

    def estimate(
        self, params: Mapping[str, Any], tokens: TokenClass, *, context_tokens: int | None
    ) -> InputEstimate: ...


class Tokens(Protocol):
    """Counts the input of a request before it is sent. Never suspends: long texts are bounded from their bytes."""

    def reader(self, messages: Sequence[Message]) -> InputReader:
        """Nothing is counted yet. What the reader keeps of the messages goes with it."""
        ...

    def count_text(self, text: str, encoding: str) -> int:
        """Tokens of plain text; used where a provider reported no usage."""
        ...


class Secrets(Protocol):
    """Resolves references. Never suspends. None: the variable or file is absent or empty."""

    def get(self, ref: SecretRef) -> str | None: ...
