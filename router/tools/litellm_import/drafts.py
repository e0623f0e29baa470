"""Policies before they are written: the lists of targets and fallbacks, with the settings of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from router.tools.litellm_import.addresses import Address
from router.tools.litellm_import.deployments import Deployment
from router.tools.litellm_import.fallbacks import Chains
from router.tools.litellm_import.groups import Group
from router.tools.litellm_import.outcomes import Account, Outcome
from router.tools.litellm_import.providers import Provider
from router.tools.litellm_import.settings import MOST_SENDS, Settings
from router.values import Place

BUILT_IN_ATTEMPT_MS = 60_000
"""The built-in total: what an attempt takes at most where nobody says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    name: str
    place: Place
    params: Mapping[str, Any] = field(default_factory=dict)
    attempt_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    policy: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDraft:
    """`attempts` is what it says itself, None where the base says it."""

    name: str
    place: Place
    entries: tuple[Target | Nested, ...]
    attempts: int | None = None
    description: str = ""
    filtered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What all policies share; None: the built-in."""

    attempts: int | None
    attempt_ms: int | None
    total_ms: int | None
    settings: Settings


def make_policies(
    groups: Mapping[str, Group],
    chains: Chains,
    providers: Mapping[Address, Provider],
    settings: Settings,
    account: Account,
) -> tuple[Base, tuple[PolicyDraft, ...]]:
    maker = _Maker(groups=groups, chains=chains, providers=providers, account=account)
    base = Base(
        attempts=None if settings.retries is None else min(settings.retries + 1, MOST_SENDS),
        attempt_ms=settings.attempt_ms,
        total_ms=None,
        settings=settings,
    )
    drafts = _without_repeats(tuple(maker.policy(group, settings) for group in groups.values()))
    if settings.retries_key is not None and base.attempts is not None:
        account.changed(settings.retries_key, _retries_told(base.attempts, drafts))
    timed = settings.attempt_ms is not None or any(
        isinstance(entry, Target) and entry.attempt_ms for draft in drafts for entry in draft.entries
    )
    if not timed:
        return base, drafts
    attempt_ms = settings.attempt_ms or BUILT_IN_ATTEMPT_MS
    total_ms = max(_longest(drafts, attempt_ms), BUILT_IN_ATTEMPT_MS)
    return Base(attempts=base.attempts, attempt_ms=attempt_ms, total_ms=total_ms, settings=settings), drafts


def _retries_told(attempts: int, drafts: tuple[PolicyDraft, ...]) -> str:
    """With what policies say instead."""
    own: dict[int, list[str]] = {}
    for draft in drafts:
        if draft.attempts is not None:
            own.setdefault(draft.attempts, []).append(f"`{draft.name}`")
    instead = "".join(f"; {count} in {', '.join(names)}" for count, names in sorted(own.items()))
    cut = f", at most {MOST_SENDS}" if attempts == MOST_SENDS else ""
    return (
        f"`retry: {{attempts: {attempts}}}`{instead}: sends to one target, the first included{cut}; litellm's are "
        "shared by the deployments of a group, so that the sends of a group stay about the same"
    )


def _without_repeats(drafts: tuple[PolicyDraft, ...]) -> tuple[PolicyDraft, ...]:
    """A target that a policy before it in the list leads to is not tried again: its second place is left out."""
    by_name, known = {draft.name: draft for draft in drafts}, dict[str, frozenset[str]]()

    def reached(entry: Target | Nested) -> frozenset[str]:
        if isinstance(entry, Target):
            return frozenset({entry.name})
        if entry.policy not in known:
            known[entry.policy] = frozenset[str]().union(*map(reached, by_name[entry.policy].entries))
        return known[entry.policy]

    def kept(draft: PolicyDraft) -> tuple[Target | Nested, ...]:
        found, before = list[Target | Nested](), set[str]()
        for entry in draft.entries:
            if not isinstance(entry, Target) or entry.name not in before:
                found.append(entry)
            before |= reached(entry)
        return tuple(found)

    return tuple(replace(draft, entries=kept(draft)) for draft in drafts)


def _longest(drafts: tuple[PolicyDraft, ...], attempt_ms: int) -> int:
    """The time that the longest list takes when every target of it is tried once and times out."""
    by_name = {draft.name: draft for draft in drafts}
    known: dict[str, dict[str, int]] = {}

    def flat(name: str) -> dict[str, int]:
        if name not in known:
            found: dict[str, int] = {}
            for entry in by_name[name].entries:
                each = (
                    {entry.name: entry.attempt_ms or attempt_ms}
                    if isinstance(entry, Target)
                    else flat(entry.policy)
                )
                found = {**each, **found}
            known[name] = found
        return known[name]

    return max((sum(flat(name).values()) for name in by_name), default=attempt_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Maker:
    groups: Mapping[str, Group]
    chains: Chains
    providers: Mapping[Address, Provider]
    account: Account

    def policy(self, group: Group, settings: Settings) -> PolicyDraft:
        attempts = self._attempts(group, settings)
        targets = {target.name: target for target in self._targets(group, tell=True)}
        entries: list[Target | Nested] = [*targets.values()]
        for step in self.chains.steps.get(group.model_name, ()):
            other = self.groups[step.target]
            if not step.inline:
                entries.append(Nested(policy=other.name, place=step.written.place))
                continue
            real = self.groups[other.alias_of] if other.alias_of else other
            for target in self._targets(real, tell=False):
                if target.name not in targets:
                    targets[target.name] = target
                    entries.append(target)
        return PolicyDraft(
            name=group.name,
            place=group.written.place,
            entries=tuple(entries),
            attempts=attempts,
            description=next((each.description for each in group.deployments if each.description), ""),
            filtered=group.model_name in self.chains.filtered,
        )

    def _targets(self, group: Group, *, tell: bool) -> Iterator[Target]:
        """The group's own targets, each once."""
        first: dict[str, Place] = {}
        for each in group.deployments:
            name = f"{self.providers[each.address].name}/{each.model}"
            if name in first:
                if tell:
                    self._tell_twice(each, first[name])
                continue
            first[name] = each.entry.place
            yield Target(name=name, place=each.entry.place, params=each.params, attempt_ms=each.attempt_ms)

    def _tell_twice(self, deployment: Deployment, place: Place) -> None:
        first = self.account.cited(place)
        for key in deployment.entry.below():
            found = self.account.of(key)
            if found is not None and found.outcome in (Outcome.IMPORTED, Outcome.CHANGED):
                self.account.retell(
                    key,
                    Outcome.CHANGED,
                    f"the same target as at {first}, whose settings hold: a target stands once in a list, and "
                    "`retry` sends to it again",
                )

    def _attempts(self, group: Group, settings: Settings) -> int | None:
        """Sends to each target so that the group's sends stay about what litellm's retries make of them. None: as the
        base says."""
        own = {each.retries for each in group.deployments} - {None}
        retries = max((count for count in own if count is not None), default=settings.retries)
        if retries is None or not group.deployments:
            return None
        attempts = min(ceil((retries + 1) / len(group.deployments)), MOST_SENDS)
        for each in group.deployments:
            key = each.entry.get("litellm_params", "num_retries")
            if key is not None and each.retries is not None:
                whose = "of its policy, which holds for all its targets"
                self.account.retell(key, Outcome.CHANGED, f"`retry: {{attempts: {attempts}}}` {whose}")
        base = None if settings.retries is None else min(settings.retries + 1, MOST_SENDS)
        return None if attempts == base else attempts
