"""Policies as text: files that a person would have written, each part beside the line that it comes from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from router.decide.classify import DEFAULT_FALL_BACK_ON, TRANSIENT
from router.policy.scalars import count_text, duration_text
from router.policy.traps import written
from router.tools.litellm_import.addresses import Address, Env
from router.tools.litellm_import.config import Config
from router.tools.litellm_import.drafts import Base, Nested, PolicyDraft, Target
from router.tools.litellm_import.models import OwnFacts, dollars
from router.tools.litellm_import.money import POOL, Budgets
from router.tools.litellm_import.outcomes import Account
from router.tools.litellm_import.providers import Provider
from router.values import Kind, Place

COMMENTS_AT = 56
"""Columns before the comments."""

LONGEST_FLOW = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    config: Config
    account: Account
    providers: Mapping[Address, Provider]
    base: Base
    policies: tuple[PolicyDraft, ...]
    budgets: Budgets
    default_policy: str | None = None

    def files(self) -> Mapping[str, str]:
        """File name -> text."""
        return {
            "providers.yaml": "\n".join(self._providers()) + "\n",
            "policies.yaml": "\n".join(self._policies()) + "\n",
        }

    def _head(self, what: str) -> Iterator[str]:
        yield f"# {what}"
        yield f"# Made from {self.config.path.name} by `router import litellm`, with its lines beside what they became."
        yield "version: 1"
        yield ""

    def _providers(self) -> Iterator[str]:
        yield from self._head(
            "Where models are called, with which keys, and what the price file does not know of them."
        )
        zone = self.base.settings.time_zone
        settings = [f"time_zone: {zone}"] if zone else []
        settings += [f"default_policy: {self.default_policy}"] if self.default_policy else []
        if settings:
            yield f"settings: {{{', '.join(settings)}}}"
            yield ""
        yield "providers:"
        for provider in sorted(self.providers.values(), key=lambda each: each.name):
            yield from self._provider(provider)

    def _provider(self, provider: Provider) -> Iterator[str]:
        lines = [*_address(provider), *self._budget(provider), *self._models(provider)]
        head = f"  {provider.name}:{'' if lines else ' {}'}"
        yield self._beside(head, provider.written.place)
        yield from lines

    def _budget(self, provider: Provider) -> Iterator[str]:
        amount = (self.budgets.providers or {}).get(provider.name)
        if amount is not None:
            text = f"    budget: {{{amount.window}: {dollars(amount.dollars)}}}"
            yield self._beside(text, amount.written.place)

    def _models(self, provider: Provider) -> Iterator[str]:
        told = {
            name: model
            for name, model in provider.models.items()
            if _facts(model.facts) or not model.facts.listed
        }
        if told:
            yield "    models:"
        for name, model in told.items():
            text = f"      {written(name)}: {{{', '.join(_facts(model.facts))}}}"
            yield self._beside(text, model.written.place)

    def _policies(self) -> Iterator[str]:
        yield from self._head("What callers name as `policy`, where they named a `model` of litellm's.")
        if self.budgets.proxy is not None:
            amount = self.budgets.proxy
            yield "budgets:"
            yield self._beside(
                f"  {POOL}: {{{amount.window}: {dollars(amount.dollars)}}}", amount.written.place
            )
            yield ""
        yield "policies:"
        shared = [*self._shared()]
        parent = self._free("litellm") if shared else None
        if parent is not None:
            yield f"  {parent}:"
            yield from shared
        for policy in self.policies:
            yield from self._policy(policy, parent)

    def _shared(self) -> Iterator[str]:
        """The settings of all policies."""
        lines = [*self._retry(), *self._timeout(), *self._cache()]
        if self.budgets.proxy is not None:
            lines.append(f"    budget: {{pool: {POOL}}}")
        if lines:
            yield "    description: What all policies have in common."
            yield "    abstract: true"
            yield from lines

    def _retry(self) -> Iterator[str]:
        settings, parts = self.base.settings, []
        if self.base.attempts is not None:
            parts.append(f"attempts: {self.base.attempts}")
        if settings.retry_base_ms is not None:
            parts.append(f"base: {duration_text(settings.retry_base_ms)}")
            parts.append(f"max: {duration_text(max(settings.retry_base_ms, 2_000))}")
        if settings.retry_on is not None and settings.retry_on:
            parts.append(f"on: [{', '.join(settings.retry_on)}]")
        if parts:
            yield f"    retry: {{{', '.join(parts)}}}"

    def _timeout(self) -> Iterator[str]:
        if self.base.attempt_ms is not None and self.base.total_ms is not None:
            attempt, total = duration_text(self.base.attempt_ms), duration_text(self.base.total_ms)
            yield f"    timeout: {{attempt: {attempt}, total: {total}}}"

    def _cache(self) -> Iterator[str]:
        ttl = self.base.settings.cache_ttl_ms
        if ttl is not None:
            yield f"    cache: {{ttl: {duration_text(ttl)}, sampled: true}}"

    def _policy(self, policy: PolicyDraft, parent: str | None) -> Iterator[str]:
        yield self._beside(f"  {policy.name}:", policy.place)
        if policy.description:
            yield f"    description: {written(policy.description)}"
        if parent is not None:
            yield f"    extends: {parent}"
        if policy.attempts is not None:
            yield f"    retry: {{attempts: {policy.attempts}}}"
        if policy.filtered:
            yield f"    fall_back_on: [{', '.join(_fall_back_on())}]"
        yield "    targets:"
        for entry in policy.entries:
            yield from self._entry(entry)

    def _entry(self, entry: Target | Nested) -> Iterator[str]:
        if isinstance(entry, Nested):
            yield self._beside(f"      - {{policy: {entry.policy}}}", entry.place)
            return
        if not entry.params and entry.attempt_ms is None:
            yield self._beside(f"      - {written(entry.name)}", entry.place)
            return
        yield self._beside(f"      - model: {written(entry.name)}", entry.place)
        if entry.params:
            yield from _params(entry.params)
        if entry.attempt_ms is not None:
            yield f"        timeout: {{attempt: {duration_text(entry.attempt_ms)}}}"

    def _free(self, name: str) -> str:
        taken = {policy.name for policy in self.policies}
        return next(each for each in (name, f"{name}-base", f"all-of-{name}") if each not in taken)

    def _beside(self, text: str, place: Place) -> str:
        """A line with the place that it comes from."""
        return f"{text.ljust(COMMENTS_AT)}  # {self.account.cited(place)}"


def _address(provider: Provider) -> Iterator[str]:
    address = provider.address
    if provider.name != address.kind:
        yield f"    kind: {address.kind}"
    if address.base_url is not None:
        yield f"    base_url: {_reference(address.base_url)}"
    if address.key is not None:
        yield f"    keys: [{_reference(address.key)}]"
    for word in ("api_version", "region", "project"):
        value = getattr(address, word)
        if value is not None:
            yield f"    {word}: {written(value)}"


def _reference(value: str | Env) -> str:
    return f"{{env: {value.name}}}" if isinstance(value, Env) else value


def _facts(facts: OwnFacts) -> list[str]:
    found = []
    if facts.alias is not None:
        found.append(f"as: {written(facts.alias)}")
    if facts.context is not None:
        found.append(f"context: {count_text(facts.context)}")
    if facts.max_output is not None:
        found.append(f"max_output: {count_text(facts.max_output)}")
    if facts.supports is not None:
        found.append(f"supports: [{', '.join(facts.supports)}]")
    if facts.is_free:
        found.append("price: free")
    elif facts.prices:
        found.append(f"price: {{{', '.join(f'{word}: {dollars(amount)}' for word, amount in facts.prices)}}}")
    return found


def _params(params: Mapping[str, object]) -> Iterator[str]:
    flow = ", ".join(f"{name}: {written(value)}" for name, value in params.items())
    if len(flow) <= LONGEST_FLOW:
        yield f"        params: {{{flow}}}"
        return
    yield "        params:"
    yield from (f"          {name}: {written(value)}" for name, value in params.items())


def _fall_back_on() -> list[str]:
    """The built-in list, and filtered content."""
    kinds = [str(kind) for kind in Kind if kind in DEFAULT_FALL_BACK_ON | {Kind.CONTENT_FILTER}]
    return ["transient", *(kind for kind in kinds if kind not in {str(each) for each in TRANSIENT})]
