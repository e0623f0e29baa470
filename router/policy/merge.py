"""Pass: files become one set of blocks by name. A name in two files is an error that cites both."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from router.errors import Problem
from router.policy.document import Document, Spot
from router.policy.draft import Draft, Written, problem
from router.policy.traps import shown

_SINGULAR = {"providers": "provider", "policies": "policy", "tenants": "tenant", "budgets": "budget"}


def merge_files(draft: Draft) -> Draft:
    written = replace(
        written_in(draft.documents),
        refused={block: _refused(draft.documents, block) for block in _SINGULAR},
        unread=frozenset(
            block for block in _SINGULAR if draft.unread_files or _is_unread(draft.documents, block)
        ),
    )
    merged = replace(draft, written=written)
    return merged.blaming([*_twice(draft.documents), *_second_settings(draft.documents)])


def written_in(documents: tuple[Document, ...]) -> Written:
    """In the order of names, which splitting files does not change. Where a name stands twice, the first one counts."""
    settings = _settings(documents)
    return Written(
        providers=_by_name(documents, "providers"),
        policies=_by_name(documents, "policies"),
        tenants=_by_name(documents, "tenants"),
        budgets=_by_name(documents, "budgets"),
        settings=settings[0] if settings else None,
    )


def _refused(documents: tuple[Document, ...], block: str) -> frozenset[str]:
    """Names whose entries were refused while reading: what was meant by them is not known, that they are there is."""
    paths = (path for document in documents for path in document.damaged if len(path) == 2)
    return frozenset(str(name) for above, name in paths if above == block)


def _is_unread(documents: tuple[Document, ...], block: str) -> bool:
    return any(document.damaged & {(), (block,)} for document in documents)


def _by_name(documents: tuple[Document, ...], block: str) -> Mapping[str, Spot]:
    found: dict[str, Spot] = {}
    for name, spot in _named(documents, block):
        found.setdefault(name, spot)
    return dict(sorted(found.items()))


def _named(documents: tuple[Document, ...], block: str) -> Iterator[tuple[str, Spot]]:
    for document in documents:
        below = document.root.get(block)
        if below is not None:
            yield from below.fields()


def _twice(documents: tuple[Document, ...]) -> Iterator[Problem]:
    for block, singular in _SINGULAR.items():
        first: dict[str, Spot] = {}
        for name, spot in _named(documents, block):
            if name in first:
                also = first[name].key_place
                message = f"{singular} {shown(name)} is declared here and at {also}"
                yield problem(
                    "duplicate-name", message, spot.key_place, help="keep one, or rename one", also=also
                )
            first.setdefault(name, spot)


def _settings(documents: tuple[Document, ...]) -> list[Spot]:
    return [spot for document in documents if (spot := document.root.get("settings")) is not None]


def _second_settings(documents: tuple[Document, ...]) -> Iterator[Problem]:
    found = _settings(documents)
    for spot in found[1:]:
        also = found[0].key_place
        message = f"`settings` stand here and at {also}"
        advice = "settings hold for the whole folder: write them in one file"
        yield problem("duplicate-name", message, spot.key_place, help=advice, also=also)
