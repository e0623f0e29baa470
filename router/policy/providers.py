"""Pass: provider blocks become providers, with their kind's standard key and address filled in."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import get_args

from router.errors import Problem
from router.plan import Key, Limit, Provider
from router.policy.counted import counted_name
from router.policy.document import Spot, text_of
from router.policy.draft import Draft, problem
from router.policy.guesses import kind_meant
from router.policy.kinds import KINDS, WIRE_WORDS, KnownKind
from router.policy.lean_kinds import LEAN_KINDS
from router.policy.phrases import close_to
from router.policy.references import reference_of
from router.policy.targets import own_facts
from router.policy.traps import shown
from router.policy.windows import budgets, limits
from router.values import Place, SecretRef, Wire

NO_KEY = "none"


def resolve_providers(draft: Draft) -> Draft:
    written = draft.written.providers
    found = {name: provider for name, spot in written.items() if (provider := _provider(name, spot, draft))}
    problems = [found for name, spot in written.items() for found in _problems(name, spot)]
    return replace(draft, providers=found).blaming(problems)


def kind_of(name: str, spot: Spot) -> str:
    """The kind as written, else the provider's name."""
    return text_of(spot.get("kind")) or name


def _provider(name: str, spot: Spot, draft: Draft) -> Provider | None:
    kind = kind_of(name, spot)
    known = KINDS.get(kind)
    if known is None:
        return None
    owner, counted = f"provider:{name}", counted_name(name, spot)
    return Provider(
        name=name,
        kind=kind,
        base_url=_base_url(spot, known),
        keys=_keys(spot, known, f"{name}/", f"{counted}/"),
        budgets=budgets(spot.get("budget"), owner, draft.written.budgets, counted=f"provider:{counted}"),
        limits=limits(spot.get("limits"), owner, counted=f"provider:{counted}"),
        model_limits=_model_limits(spot, f"{name}/", f"{counted}/"),
        wire=_wire(spot, known),
        by=_by(spot),
        labels=own_facts(spot).labels,
        disabled_at=_disabled_at(spot),
        was=counted if counted != name else None,
        place=spot.key_place,
    )


def _base_url(spot: Spot, known: KnownKind) -> str | SecretRef | None:
    written = spot.get("base_url")
    if written is None:
        return known.base_url
    return reference_of(written) if written.text is None else written.text


def _model_limits(spot: Spot, within: str, counted: str) -> Mapping[str, tuple[Limit, ...]]:
    """`within` and `counted` are what the names of its models follow: its name, and the one it is counted under."""
    models = spot.get("models")
    found = {
        model: limits(below.get("limits"), f"model:{within}{model}", counted=f"model:{counted}{model}")
        for model, below in (models.fields() if models else ())
    }
    return {model: each for model, each in found.items() if each}


def _keys(spot: Spot, known: KnownKind, within: str, counted: str) -> tuple[Key, ...]:
    written = spot.get("keys")
    if written is not None:
        return tuple(
            key for item in written.items() if not _is_off(item) for key in _key(item, within, counted)
        )
    if known.key is None or known.key_optional:
        return (Key(name=NO_KEY, secret=None),)
    return (Key(name=known.key, secret=SecretRef(source="env", name=known.key, place=spot.key_place)),)


def _key(item: Spot, within: str, counted: str) -> tuple[Key, ...]:
    """One, or none where it has the wrong form, which is reported elsewhere."""
    reference = reference_of(item)
    if reference is None:
        return ()
    name = reference.name
    own = limits(item.get("limits"), f"key:{within}{name}", counted=f"key:{counted}{name}")
    return (Key(name=name, secret=reference, limits=own),)


def _is_off(spot: Spot) -> bool:
    enabled = spot.get("enabled")
    return enabled is not None and enabled.value is False


def _disabled_at(spot: Spot) -> Place | None:
    """Where the whole provider is taken out: by itself, or by the last of its keys."""
    if _is_off(spot):
        return spot.at("enabled").key_place  # type: ignore[union-attr]
    keys = spot.get("keys")
    items = list(keys.items()) if keys else []
    return items[0].place if items and all(map(_is_off, items)) else None


def _wire(spot: Spot, known: KnownKind) -> Mapping[str, str]:
    """Further settings under the names litellm has for them."""
    found = {known.wire[word]: spot.get(word) for word in known.wire}
    return {name: str(setting.value) for name, setting in found.items() if setting is not None}


def _by(spot: Spot) -> Wire:
    """The wire as written, where it is one."""
    written = text_of(spot.get("wire"))
    return next((wire for wire in get_args(Wire) if wire == written), "auto")


def _problems(name: str, spot: Spot) -> Iterator[Problem]:
    kind = kind_of(name, spot)
    known = KINDS.get(kind)
    if known is None:
        if spot.get("kind") is None and not spot.is_unsure_of("kind"):  # a wrong `kind` is wrong in form
            message = f"provider {shown(name)} is of no known kind"
            yield problem("unknown-kind", message, spot.key_place, help=_kind_help(name))
        return
    yield from _missing_address(name, kind, spot, known)
    yield from _misplaced(kind, spot, known)
    yield from _not_lean(kind, spot)
    yield from _same_key_twice(spot)
    yield from _patterns(spot)


def _patterns(spot: Spot) -> Iterator[Problem]:
    models = spot.get("models")
    for model, below in models.fields() if models else ():
        if model.endswith("*"):
            message = (
                f"{shown(model)}: patterns are part of the language but not supported by this version yet"
            )
            yield problem("unsupported", message, below.key_place, help="write the models out")


def _kind_help(name: str) -> str:
    known = kind_meant(name)
    if known is not None:
        return f"say its kind: `{name}: {{kind: {known}}}`"
    close = close_to(name, KINDS, cutoff=0.75)
    return f"did you mean `{close}`?" if close else f"say its `kind`: one of {', '.join(KINDS)}"


def _missing_address(name: str, kind: str, spot: Spot, known: KnownKind) -> Iterator[Problem]:
    unsure = spot.is_unsure_of("base_url") or spot.is_unsure_of("kind")
    if known.base_url_needed and spot.get("base_url") is None and not unsure:
        message = f"provider {shown(name)} of kind `{kind}` has no `base_url`"
        advice = "only you know its address: `base_url: {env: NAME}` or an http(s) address"
        yield problem("missing-address", message, spot.key_place, help=advice)


def _misplaced(kind: str, spot: Spot, known: KnownKind) -> Iterator[Problem]:
    for word in WIRE_WORDS:
        setting = spot.get(word)
        if setting is not None and word not in known.wire:
            takers = ", ".join(name for name, other in KINDS.items() if word in other.wire)
            message = f"`{word}` means nothing to kind `{kind}`"
            yield problem(
                "misplaced-setting", message, setting.key_place, help=f"kinds that take it: {takers}"
            )


def _not_lean(kind: str, spot: Spot) -> Iterator[Problem]:
    written = spot.get("wire")
    if written is not None and _by(spot) == "lean" and kind not in LEAN_KINDS:
        message = f"the lean wire does not carry kind `{kind}`"
        advice = "leave `wire` out: the lean wire is taken where it can be"
        yield problem("not-lean", message, written.place, help=advice)


def _same_key_twice(spot: Spot) -> Iterator[Problem]:
    written = spot.get("keys")
    first: dict[str, Place] = {}
    for item in written.items() if written else ():
        reference = reference_of(item)
        if reference is None:
            continue
        if str(reference) in first:
            also = first[str(reference)]
            message = f"the key {shown(reference.name)} stands here and at {also}"
            yield problem("duplicate-name", message, item.place, help="keep one of them", also=also)
        first.setdefault(str(reference), item.place)
