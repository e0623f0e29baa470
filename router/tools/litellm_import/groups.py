"""From deployments to groups: names, order, wildcards and aliases. A group becomes a policy of its own."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from router.policy.lenient import Written
from router.policy.traps import shown
from router.policy.words import RESERVED
from router.tools.litellm_import.config import Config
from router.tools.litellm_import.deployments import Deployment
from router.tools.litellm_import.facts import STRATEGIES
from router.tools.litellm_import.models import Book, OwnFacts
from router.tools.litellm_import.outcomes import Account, Danger, Outcome

_NO_ALIAS = (
    "no group's name: an alias stands for one group, as `name` or `{model: name}`, and this never works"
)
OTHER_NAME = "a policy of another name: names are small letters and digits joined by `-`, `_` or `.`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What callers of litellm name as `model`. `name` is its policy; `alias_of` the group that an alias stands for."""

    model_name: str
    name: str
    deployments: tuple[Deployment, ...]
    written: Written
    alias_of: str | None = None


def policy_name(model_name: str) -> str:
    """The nearest name of the language: small letters and digits, in parts joined by `-`, `_` or `.`."""
    name = re.sub(r"[^a-z0-9._-]+", "-", model_name.lower())
    name = re.sub(r"[._-]*-[._-]*|[._-]{2,}", "-", name).strip("._-")
    if not name or not name[0].isalpha():
        name = f"m-{name}".rstrip("-")
    return f"{name}-policy" if name in RESERVED else name


def make_groups(
    deployments: Iterable[Deployment], asked_for: Iterable[str], config: Config, account: Account, book: Book
) -> dict[str, Group]:
    """Groups by model_name. `asked_for` are names that other keys mention: what makes a policy of a wildcard."""
    found: dict[str, list[Deployment]] = {}
    wild: list[Deployment] = []
    for each in deployments:
        if each.is_wildcard:
            wild.append(each)
        else:
            found.setdefault(each.group, []).append(each)
    _expand(wild, asked_for, found, account, book)
    names: dict[str, str] = {}
    groups: dict[str, Group] = {}
    for model_name, members in found.items():
        ordered = tuple(sorted(_called(members, account), key=_place))
        name = _unique(policy_name(model_name), names)
        names[name] = model_name
        written = members[0].entry.get("model_name") or members[0].entry
        groups[model_name] = Group(model_name=model_name, name=name, deployments=ordered, written=written)
    for group in groups.values():
        _tell(group, account)
    _tell_strategy(groups, config, account)
    return {**groups, **_aliases(groups, names, config, account)}


def _called(members: list[Deployment], account: Account) -> list[Deployment]:
    """Those that litellm ever calls: where some have an `order`, only they."""
    if all(each.order is None for each in members):
        return members
    for each in members:
        if each.order is None:
            account.withdraw(
                each.entry,
                Outcome.NO_EFFECT,
                "litellm never calls this deployment: others of its group have an `order`, and it has none",
                help="give it an `order`, and import again",
            )
    return [each for each in members if each.order is not None]


def _place(deployment: Deployment) -> tuple[float, float]:
    """By `order`, then the heavier first; else as written."""
    return deployment.order or 0.0, -(deployment.weight or 0.0)


def _unique(name: str, names: Mapping[str, str]) -> str:
    found, number = name, 2
    while found in names:
        found, number = f"{name}-{number}", number + 1
    return found


def _tell(group: Group, account: Account) -> None:
    count = len(group.deployments)
    for each in group.deployments:
        written = each.entry.get("model_name")
        if written is None or each.group != group.model_name:
            continue
        told = [OTHER_NAME] if group.name != group.model_name else []
        if count > 1:
            told.append(
                f"{count} targets of one policy, tried in order (by `order`, then `weight`, then as written); litellm "
                "picks one of them for each request"
            )
        if told:
            account.changed(written, "; ".join(told))
        else:
            account.imported(written, "a policy of that name")


def _tell_strategy(groups: Mapping[str, Group], config: Config, account: Account) -> None:
    settings = config.section("router_settings")
    key = settings.get("routing_strategy") if settings else None
    if key is None or key.value is None:
        return
    if key.text not in STRATEGIES:
        account.no_effect(key, f"{shown(key.text)} is no strategy of litellm's: it does not start with it")
    elif all(len(group.deployments) < 2 for group in groups.values()):
        account.no_effect(key, "every group has one deployment: there is nothing to choose between")


def _expand(
    wild: list[Deployment],
    asked_for: Iterable[str],
    found: dict[str, list[Deployment]],
    account: Account,
    book: Book,
) -> None:
    """A wildcard makes a policy for each name that it matches and that another key mentions."""
    made: dict[int, list[str]] = {index: [] for index in range(len(wild))}
    for name in dict.fromkeys(asked_for):
        if name in found or "*" in name:
            continue
        for index, each in enumerate(wild):
            model = _matched(each, name)
            if model is not None:
                facts = OwnFacts(listed=book.facts(each.address.kind, model) is not None)
                found.setdefault(name, []).append(replace(each, group=name, model=model, facts=facts))
                made[index].append(name)
    for index, each in enumerate(wild):
        _tell_wildcard(each, made[index], account)


def _matched(deployment: Deployment, name: str) -> str | None:
    """The model that `name` asks this wildcard for."""
    match = re.fullmatch(re.escape(deployment.group).replace(r"\*", "(.+)"), name)
    if match is None or "*" not in deployment.group:
        return None
    part = match[1]
    model = deployment.model.replace("*", part, 1)
    return None if "*" in model else model.removeprefix(f"{deployment.address.kind}/")


def _tell_wildcard(deployment: Deployment, names: list[str], account: Account) -> None:
    entry = deployment.entry
    advice = "write a policy for each model that is called: `router check` then knows its price and context"
    if not names:
        written = entry.get("litellm_params", "model")
        account.withdraw(
            entry,
            Outcome.NOT_SUPPORTED,
            f"a wildcard ({shown(written.text if written else deployment.group)}) stands for any model, and a policy "
            "lists its targets",
            help=advice,
            danger=Danger.LOST,
        )
        return
    told = f"one policy for each name that the config mentions: {', '.join(f'`{name}`' for name in names)}; no others"
    for key in (entry.get("model_name"), entry.get("litellm_params", "model")):
        if key is not None:
            account.changed(key, told, help=advice)


def _aliases(
    groups: Mapping[str, Group], names: dict[str, str], config: Config, account: Account
) -> dict[str, Group]:
    settings = config.section("router_settings")
    written = settings.get("model_group_alias") if settings else None
    found: dict[str, Group] = {}
    if written is not None and not any(_aliased(key) for _, key in written.fields()):
        account.no_effect(written, _NO_ALIAS)
    for alias, key in written.fields() if written else ():
        target = _aliased(key)
        if target is None:
            account.no_effect(key, _NO_ALIAS)
        elif alias in groups:
            account.refused(
                key,
                f"there is a group of that name, which litellm hides behind the alias; here `{alias}` stays the group",
                help=f"to send its callers elsewhere, make `{{policy: {groups[alias].name}}}` its target",
            )
        elif target.value not in groups:
            account.no_effect(key, f"there is no group {shown(target.value)}, so this alias never works")
        else:
            name = _unique(policy_name(alias), names)
            names[name] = alias
            found[alias] = Group(
                model_name=alias, name=name, deployments=(), written=key, alias_of=target.value
            )
            _tell_alias(key, alias, found[alias], groups[target.value], account)
    return found


def _aliased(key: Written) -> Written | None:
    """The name of the group that an alias stands for."""
    target = key.get("model") if isinstance(key.value, Mapping) else key
    return target if target is not None and isinstance(target.value, str) else None


def _tell_alias(key: Written, alias: str, group: Group, target: Group, account: Account) -> None:
    told = f"policy `{group.name}`, whose target is `{{policy: {target.name}}}`"
    if group.name != alias:
        account.changed(key, f"{told}; {OTHER_NAME}")
    else:
        account.imported(key, told)
    hidden = key.get("hidden") if isinstance(key.value, Mapping) else None
    if hidden is not None and hidden.value is True:
        account.changed(hidden, "a policy is not hidden: a tenant's `policies` say what it may call")
