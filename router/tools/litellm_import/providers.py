"""Distinct addresses as providers with names of their own, and what is said of their models."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from router.policy.kinds import KINDS
from router.policy.lenient import Written
from router.tools.litellm_import.addresses import Address, Env, stem_of
from router.tools.litellm_import.deployments import Deployment
from router.tools.litellm_import.groups import policy_name
from router.tools.litellm_import.models import OwnFacts, is_fact
from router.tools.litellm_import.outcomes import Account, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What the provider block says of one model, and the deployment that says it."""

    facts: OwnFacts
    written: Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    name: str
    address: Address
    models: Mapping[str, Model]
    written: Written


def make_providers(deployments: Iterable[Deployment], account: Account) -> dict[Address, Provider]:
    """One provider for each distinct address, in the order in which they are first met."""
    members: dict[Address, list[Deployment]] = {}
    for each in deployments:
        members.setdefault(each.address, []).append(each)
    names = _names(members)
    return {
        address: Provider(
            name=names[address],
            address=address,
            models=_models(using, account),
            written=using[0].entry,
        )
        for address, using in members.items()
    }


def _models(deployments: Iterable[Deployment], account: Account) -> dict[str, Model]:
    """By model; the first deployment that says something of it holds for all of them."""
    found: dict[str, Model] = {}
    for each in deployments:
        known = found.get(each.model)
        plain = OwnFacts(listed=each.facts.listed)
        if known is None or (known.facts == OwnFacts(listed=known.facts.listed) and each.facts != plain):
            found[each.model] = Model(facts=each.facts, written=each.entry)
        elif each.facts not in (plain, known.facts):
            _tell_other_facts(each, known, account)
    return found


def _tell_other_facts(deployment: Deployment, known: Model, account: Account) -> None:
    place = account.cited(known.written.place)
    for key in deployment.entry.below():
        verdict = account.of(key)
        if verdict is not None and verdict.outcome is Outcome.IMPORTED and is_fact(key):
            account.retell(
                key,
                Outcome.CHANGED,
                f"the same model of the same provider stands at {place}, and what is said there holds for both",
            )


def _names(addresses: Iterable[Address]) -> dict[Address, str]:
    """The kind's own name for its own address; else the word that tells it apart, from variables, host or region."""
    names: dict[Address, str] = {}
    taken: set[str] = set()
    for address in sorted(addresses, key=_is_special):
        candidates = (policy_name(name) for name in _candidates(address) if name)
        free = (
            name for name in candidates if name not in taken and name not in KINDS.keys() - {address.kind}
        )
        first = next(free, None)
        number = 2
        while first is None:
            numbered = f"{address.kind}-{number}"
            first, number = (numbered if numbered not in taken else None), number + 1
        names[address] = first
        taken.add(first)
    return names


def _is_special(address: Address) -> bool:
    return address != Address(kind=address.kind)


def _candidates(address: Address) -> tuple[str, ...]:
    """Names from the plainest to the most particular; where it is, a region or a project, is always said."""
    kind, word = address.kind, stem_of(address.kind, address.base_url, address.key)
    host = stem_of(kind, address.base_url) if isinstance(address.base_url, str) else ""
    where = address.region or address.project or ""
    apart = [part for part in (address.region, address.project, address.api_version) if part]
    plain = kind if word in ("", kind) else word if _is_foreign(address) else f"{kind}-{word}"
    return (
        f"{plain}-{where}" if where else plain,
        f"{kind}-{word}-{where}".rstrip("-"),
        f"{plain}-{port}" if (port := _port(address)) else "",
        *([f"{kind}-{host}", f"{word}-{host}"] if host not in ("", word) else []),
        *(f"{plain}-{part}" for part in apart),
        "-".join([plain, *apart]),
        _numbered_host(address),
    )


def _is_foreign(address: Address) -> bool:
    """Another vendor's server that speaks this kind's format: known by its own name, not by the kind's."""
    return address.kind in ("openai", "anthropic", "hosted_vllm") and address.base_url is not None


def _port(address: Address) -> str:
    """Tells servers on one machine apart."""
    return str(urlsplit(address.base_url).port or "") if isinstance(address.base_url, str) else ""


def _numbered_host(address: Address) -> str:
    if isinstance(address.base_url, Env) or address.base_url is None:
        return ""
    parts = urlsplit(address.base_url)
    return re.sub(r"[^a-z0-9]+", "-", f"{address.kind}-{parts.hostname}-{parts.port or ''}").strip("-")
