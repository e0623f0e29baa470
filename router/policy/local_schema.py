"""The schema of one repository: its own names beside the words of the language, so that editors complete them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

from router.policy import words
from router.policy.demands import carried_labels
from router.policy.document import Document, Spot
from router.policy.forms import Block, Scalar, with_scalars
from router.policy.json_schema import Schema, json_schema
from router.policy.merge import written_in
from router.policy.traps import SECRET
from router.policy.walk import target_items

IDENTIFIER = "router.local.schema.json"

Names = Mapping[str, Sequence[str]]
"""What a scalar may refer to (see `Scalar.refers_to`) -> the names there are, sorted."""

_DECLARED = ("policies", "providers", "budgets", "labels")
"""Whatever refers to these must name one that the files declare."""


def names_in(documents: Sequence[Document]) -> Names:
    """Every name that the documents declare, and every target that they write or declare a model for. What has the
    form of no name is left out, so documents may have any mistake."""
    written = written_in(tuple(documents))
    providers = _legible(written.providers, words.PROVIDER)
    texts = (*_declared(written.providers), *_written(written.policies))
    targets = [text for text in _legible(texts, words.TARGET_TEXT) if text.split("/")[0] in set(providers)]
    return {
        "providers": providers,
        "policies": _legible(written.policies, words.POLICY),
        "tenants": _legible(written.tenants, words.TENANT),
        "budgets": _legible(written.budgets, words.BUDGET),
        "labels": _legible(carried_labels(written.providers), words.LABEL),
        "targets": targets,
        "patterns": [*(f"{provider}/*" for provider in providers), *targets],
    }


def local_schema(names: Names, root: Block) -> Schema:
    """The schema of `root` with these names. A policy, provider, budget or label that is referred to must be
    one of them. Of targets only the provider must: any model of the price file may be written. Tenants may be more than
    the files declare."""

    def known(scalar: Scalar) -> Scalar:
        found = tuple(names.get(scalar.refers_to, ()))
        match scalar.refers_to:
            case refers if refers in _DECLARED and found:
                return replace(scalar, words=found, examples=())
            case "targets" | "patterns" if names.get("providers"):
                return replace(scalar, pattern=_of_providers(names["providers"]), examples=found)
            case "tenants" if found:
                return replace(scalar, examples=found)
        return scalar

    schema = json_schema(cast(Block, with_scalars(root, known)))
    return {
        **schema,
        "$id": IDENTIFIER,
        "title": f"{schema['title']}, with the names of this repository",
    }


def _of_providers(providers: Sequence[str]) -> str:
    """Only `.` is special of what names are made of; editors read patterns as Unicode ones, which refuse `\\-`."""
    return rf"^(?:{'|'.join(name.replace('.', '[.]') for name in providers)})/\S+$"


def _declared(providers: Mapping[str, Spot]) -> Iterator[str]:
    for provider, spot in providers.items():
        models = spot.get("models")
        yield from (f"{provider}/{model}" for model, _ in (models.fields() if models else ()))


def _written(policies: Mapping[str, Spot]) -> Iterator[str]:
    for policy in policies.values():
        for item in target_items(policy):
            target = (item.get("model") or item).text
            if target is not None:
                yield target


def _legible(found: Iterator[str] | Sequence[str] | Mapping[str, object], form: Scalar) -> Sequence[str]:
    """Sorted, each once, without what is no such name or may be a secret."""
    pattern = re.compile(form.pattern or "")
    return sorted({name for name in found if pattern.search(name) and not SECRET.search(name)})
