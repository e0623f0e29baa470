"""The part of a draft that can be trusted: what no error lies in, and what leads to nothing that one lies in.

Checks of meaning look at this part alone, so that a mistake hides no other mistake and is the cause of none.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from router.decide.match import leads_to
from router.errors import Problem
from router.plan import Budget, Policy, Target, TargetEntry, Tenant
from router.policy.document import Document, Path, Spot, dotted, text_of
from router.policy.draft import Draft
from router.policy.tenants import chain
from router.values import Place

BLOCKS = ("providers", "policies", "tenants", "budgets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """`whole` are the blocks of which every entry is known and in `draft`."""

    draft: Draft
    whole: frozenset[str]


def sound_part(draft: Draft) -> Sound:
    """Tenants that an error lies in stay, with what they grant and nothing else: what lies below them needs them."""
    errors = [found for found in draft.problems if found.severity == "error"]
    if not errors and not draft.unread_files:
        return Sound(draft=draft, whole=frozenset(BLOCKS))
    hit = _hit(draft.documents, errors)
    providers = {name: each for name, each in draft.providers.items() if ("providers", name) not in hit}
    targets = {name: target for name, target in draft.targets.items() if target.provider in providers}
    policies = _sound_policies(draft, hit, targets)
    tenants = _grants(draft, hit, policies)
    written = replace(
        draft.written,
        providers=_only(draft.written.providers, providers),
        policies=_only(draft.written.policies, policies),
        tenants={path: _written(path, draft, hit) for path in tenants},
    )
    whole = frozenset(block for block in BLOCKS if _is_whole(block, draft, hit, policies))
    part = replace(
        draft, written=written, providers=providers, targets=targets, policies=policies, tenants=tenants
    )
    return Sound(draft=part, whole=whole)


def _only(spots: Mapping[str, Spot], names: Collection[str]) -> dict[str, Spot]:
    return {name: spot for name, spot in spots.items() if name in names}


def _is_whole(block: str, draft: Draft, hit: Collection[Path], policies: Collection[str]) -> bool:
    if block in draft.written.unread or draft.written.refused.get(block):
        return False
    if block == "policies":
        return draft.policies.keys() <= set(policies)
    return not any(path[0] == block for path in hit)


def _sound_policies(draft: Draft, hit: Collection[Path], targets: Mapping[str, Target]) -> dict[str, Policy]:
    """Without those that lead to a policy, a provider or a model that is not sound."""
    leads_from: dict[str, list[str]] = {}
    unsound: list[str] = []
    for name, policy in draft.policies.items():
        to = set(_leads_to(policy, draft.written.policies[name]))
        for below in to:
            leads_from.setdefault(below, []).append(name)
        written = (entry.target for entry in _entries(policy) if isinstance(entry, TargetEntry))
        if (
            ("policies", name) in hit
            or not to <= draft.written.policies.keys()
            or any(target not in targets for target in written)
        ):
            unsound.append(name)
    unsound.extend(name for name in draft.written.policies if ("policies", name) in hit)
    out = set(unsound)
    while unsound:
        above = [name for name in leads_from.get(unsound.pop(), ()) if name not in out]
        out.update(above)
        unsound.extend(above)
    return {name: policy for name, policy in draft.policies.items() if name not in out}


def _leads_to(policy: Policy, written: Spot) -> Iterator[str]:
    yield from (entry.policy for entry in leads_to(policy))
    parent = text_of(written.get("extends"))
    if parent is not None:
        yield parent


def _entries(policy: Policy) -> Iterator[object]:
    yield from policy.entries
    for rule in policy.rules:
        yield from rule.entries


def _grants(draft: Draft, hit: Collection[Path], policies: Mapping[str, Policy]) -> dict[str, Tenant]:
    """Every tenant and every ancestor, granting sound policies only."""
    paths = dict.fromkeys(above for path in draft.tenants for above in chain(path))
    found = {
        path: draft.tenants[path]
        if path in draft.tenants and ("tenants", path) not in hit
        else _bare(path, draft)
        for path in sorted(paths)
    }
    return {path: _within(tenant, frozenset(policies)) for path, tenant in found.items()}


def _within(tenant: Tenant, policies: frozenset[str]) -> Tenant:
    """A tenant that grants, and that hands over to, none but these."""
    granted = None if tenant.policies is None else tenant.policies & policies
    budgets = _handing_over(tenant.budgets, policies)
    each = tuple(replace(below, budgets=_handing_over(below.budgets, policies)) for below in tenant.each)
    return replace(tenant, policies=granted, budgets=budgets, each=each)


def _handing_over(budgets: Iterable[Budget], policies: frozenset[str]) -> tuple[Budget, ...]:
    return tuple(
        replace(each, when_spent=None)
        if each.when_spent is not None and each.when_spent.policy not in policies
        else each
        for each in budgets
    )


def _bare(path: str, draft: Draft) -> Tenant:
    """A tenant of which only its grants are believed; all policies where those can't be known."""
    spot, tenant = draft.written.tenants.get(path), draft.tenants.get(path)
    policies = spot.get("policies") if spot else None
    known = tenant.policies if tenant and policies and policies.is_whole else None
    place = tenant.place if tenant else Place(file="", line=0, column=0)
    return Tenant(path=path, policies=known, budgets=(), limits=(), each=(), place=place)


def _written(path: str, draft: Draft, hit: Collection[Path]) -> Spot:
    spot = draft.written.tenants.get(path)
    if spot is not None and ("tenants", path) not in hit:
        return spot
    document = spot.document if spot else draft.documents[0]
    return Spot(document=document, path=("tenants", path), value={})


def is_believed(tenant: Spot) -> bool:
    """Whether a tenant of a sound part stands there as it is written, and not for its grants alone."""
    block = tenant.document.root.get("tenants")
    written = block.get(tenant.key) if block else None
    return written is not None and written.value is tenant.value


# --- Where an error lies ----------------------------------------------------------------------------------------------


def _hit(documents: Iterable[Document], errors: Iterable[Problem]) -> frozenset[Path]:
    """The entries, as (block, name), that errors lie in."""
    by_file: dict[str, list[Place]] = {}
    for error in errors:
        by_file.setdefault(error.place.file, []).append(error.place)
    found: set[Path] = set()
    for document in documents:
        if document.values:
            found.update(_at_lines(document, by_file.get(document.file, ())))
        else:
            found.update(_at_paths(document, by_file))
    return frozenset(found)


def _at_lines(document: Document, places: Iterable[Place]) -> Iterator[Path]:
    """An entry ends where the next key of its level, or of one above it, begins."""
    entries = sorted((position, path) for path, position in document.keys.items() if len(path) <= 2)
    starts = [position for position, _ in entries]
    for place in places:
        index = bisect_right(starts, (place.line, place.column)) - 1
        if index >= 0 and len(entries[index][1]) == 2:
            yield entries[index][1]


def _at_paths(document: Document, places: Iterable[str]) -> Iterator[Path]:
    """The files of places in a dict are paths from its root."""
    blocks = (
        {block: document.value.get(block) for block in BLOCKS} if isinstance(document.value, dict) else {}
    )
    named = {
        f"{document.file}{dotted((block, name))}": (block, name)
        for block, below in blocks.items()
        if isinstance(below, dict)
        for name in below
    }
    for place in places:
        ends = [index for index, sign in enumerate(place) if sign in ".["] + [len(place)]
        yield from (named[place[:end]] for end in ends if place[:end] in named)
