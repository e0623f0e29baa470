"""The whole way: config -> files and findings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from router.errors import Problem
from router.policy.lenient import Written
from router.tools.litellm_import import judge
from router.tools.litellm_import.addresses import Secrets
from router.tools.litellm_import.config import Config, ConfigRefused, read_config
from router.tools.litellm_import.deployments import Deployment, Reading, read_deployment
from router.tools.litellm_import.drafts import make_policies
from router.tools.litellm_import.fallbacks import make_chains, mentioned, read_wishes
from router.tools.litellm_import.groups import make_groups
from router.tools.litellm_import.models import Book
from router.tools.litellm_import.money import make_budgets
from router.tools.litellm_import.outcomes import Account, Finding, Outcome, findings
from router.tools.litellm_import.providers import make_providers
from router.tools.litellm_import.settings import read_settings, variables
from router.tools.litellm_import.writer import Writer
from router.values import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What a config becomes. `files` (name -> text) is empty where `problem` says why nothing can be imported;
    `findings` then tell of its keys as far as they could be read. `policies` are the names that callers use, by
    litellm's; `notes` say what no key says and is different all the same."""

    config: Path
    files: Mapping[str, str]
    findings: tuple[Finding, ...]
    policies: Mapping[str, str]
    notes: tuple[str, ...] = ()
    problem: Problem | None = None


def import_config(path: Path, book: Book, given: Mapping[str, str] | None = None) -> Imported:
    """Never raises for what an author wrote. `given` are values of variables that choose what policies name."""
    account = Account(folder=path.parent)
    try:
        config = read_config(path, account)
    except ConfigRefused as refused:
        return Imported(config=path, files={}, findings=(), policies={}, problem=refused.problem)
    writer, policies = _made(config, account, book, given or {})
    if not writer.policies:
        _withdraw(config, account)
    judge.complete(account, config.roots)
    found = tuple(findings(account, config.roots))
    if not writer.policies:
        return Imported(config=path, files={}, findings=found, policies={}, problem=_nothing(config))
    return Imported(
        config=path, files=writer.files(), findings=found, policies=policies, notes=tuple(_notes(writer))
    )


def _made(
    config: Config, account: Account, book: Book, given: Mapping[str, str]
) -> tuple[Writer, Mapping[str, str]]:
    settings = read_settings(config, account)
    deployments = tuple(_deployments(config, account, book, given))
    wishes = read_wishes(config, account)
    groups = make_groups(deployments, mentioned(wishes, config), config, account, book)
    chains = make_chains(wishes, groups, _lost(config, groups), account)
    used = tuple(each for group in groups.values() for each in group.deployments)
    providers = make_providers(used, account)
    base, policies = make_policies(groups, chains, providers, settings, account)
    budgets = make_budgets(config, used, providers, account, book)
    default = groups.get(settings.default_group or "")
    writer = Writer(
        config=config,
        account=account,
        providers=providers,
        base=base,
        policies=policies,
        budgets=budgets,
        default_policy=default.name if default else None,
    )
    return writer, {group.model_name: group.name for group in groups.values()}


def _withdraw(config: Config, account: Account) -> None:
    """Nothing is written, so that nothing was imported."""
    for key in (each for root in config.roots for each in root.below()):
        found = account.of(key)
        if found is not None and found.outcome in (Outcome.IMPORTED, Outcome.CHANGED):
            account.retell(key, Outcome.NOT_SUPPORTED, "there is no policy that it would hold for")


def _notes(writer: Writer) -> Iterator[str]:
    base = writer.base
    if base.attempt_ms is None:
        yield (
            "no timeout is written: litellm waits up to 600 s for each read, and here a request ends after 60 s; "
            "`timeout: {total: 5m}` is more"
        )
    if base.attempts is None:
        yield "no retries are written: litellm sends three times to a group, and here a target is sent to twice"


def _deployments(
    config: Config, account: Account, book: Book, given: Mapping[str, str]
) -> Iterator[Deployment]:
    reading = Reading(
        config=config,
        account=account,
        book=book,
        secrets=Secrets(taken=variables(config)),
        defaults=_defaults(config),
        credentials=_credentials(config),
        given=given,
    )
    for entry in config.items("model_list"):
        found = read_deployment(entry, reading)
        if found is not None:
            yield found
    _tell_credentials(config, account)


def _tell_credentials(config: Config, account: Account) -> None:
    named = {
        key.text
        for item in config.items("model_list")
        if (key := item.get("litellm_params", "litellm_credential_name"))
    }
    for item in config.items("credential_list"):
        name, info = item.get("credential_name"), item.get("credential_info")
        if info is not None:
            account.no_effect(info, "a note: nothing acts on it")
        if name is None or name.text not in named:
            account.no_effect(item, "no deployment names this credential")
        else:
            account.imported(name, "its values are those of the providers that name it")


def _defaults(config: Config) -> Mapping[str, Written]:
    settings = config.section("router_settings")
    written = settings.get("default_litellm_params") if settings else None
    return dict(written.fields()) if written else {}


def _credentials(config: Config) -> Mapping[str, Mapping[str, Written]]:
    found: dict[str, Mapping[str, Written]] = {}
    for item in config.items("credential_list"):
        name, values = item.get("credential_name"), item.get("credential_values")
        if name is not None and values is not None:
            found[name.text] = dict(values.fields())
    return found


def _lost(config: Config, groups: Mapping[str, object]) -> frozenset[str]:
    """Groups that the config has, and nothing is made of."""
    names = {str(name.text) for item in config.items("model_list") if (name := item.get("model_name"))}
    return frozenset(names - groups.keys())


def _nothing(config: Config) -> Problem:
    items = config.items("model_list")
    place = items[0].place if items else Place(file=config.path.as_posix(), line=1, column=1)
    what = (
        "none of its deployments can be imported"
        if items
        else "it has no `model_list`: there is nothing to call"
    )
    advice = "the report says why, key by key" if items else "name the file that the proxy starts with"
    return Problem(code="nothing-to-import", message=what, place=place, help=advice)
