"""What compiling needs to know of models: the part of the price book that policies are checked against."""

from collections.abc import Sequence
from typing import Protocol

from router.plan import ModelFacts, TokenClass


class Catalog(Protocol):
    """Read once, never suspends. `digest` is a SHA-256 in hex over all that it says."""

    @property
    def digest(self) -> str: ...

    def facts(self, kind: str, model: str) -> ModelFacts | None:
        """What is known of `model` at a provider of litellm's `kind`; None: not in the book."""
        ...

    def tokens(self, kind: str, model: str) -> TokenClass:
        """How the input of a model is bounded, whether or not it is in the book."""
        ...

    def refuses(self, kind: str, model: str) -> frozenset[str]:
        """The parameters that a model does not take, in the words of `router.decide.params`."""
        ...

    def models(self, kind: str) -> Sequence[str]:
        """Every chat model of a kind, sorted, without the kind's prefix: for suggestions."""
        ...


def known_facts(catalog: Catalog, kind: str, name: str) -> ModelFacts | None:
    """Facts under `name`, which may carry the prefix of a kind, as in `azure/eu/gpt-5.1`."""
    found = catalog.facts(kind, name)
    if found is not None or "/" not in name:
        return found
    prefix, rest = name.split("/", 1)
    return catalog.facts(prefix, rest)


def refused_params(catalog: Catalog, kind: str, name: str) -> frozenset[str]:
    """As `known_facts`, of parameters."""
    prefix, slash, rest = name.partition("/")
    own = catalog.facts(kind, name) is not None or not slash or catalog.facts(prefix, rest) is None
    return catalog.refuses(kind, name) if own else catalog.refuses(prefix, rest)
