"""One item of `model_list`: which provider is called, how, for which model, with which parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from router.decide.params import CHAT_PARAMS, param_fault
from router.policy.lenient import Written
from router.policy.scalars import duration_text
from router.policy.traps import SECRET, shown, written
from router.tools.litellm_import.addresses import Address, Secrets, address_of, filled
from router.tools.litellm_import.config import Config, number, plain_value
from router.tools.litellm_import.facts import OTHER_NAMES
from router.tools.litellm_import.models import Book, OwnFacts, own_facts
from router.tools.litellm_import.origins import Origin, Unplaced, origin_of
from router.tools.litellm_import.outcomes import Account, Danger

LONGEST_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """`group` is its model_name; `order` and `weight` are None where they are not written; times in milliseconds.

    `wildcard` is the pattern in `model`, which only means something for a name that is asked for.
    """

    group: str
    entry: Written
    address: Address
    model: str
    facts: OwnFacts
    params: Mapping[str, Any] = field(default_factory=dict)
    attempt_ms: int | None = None
    retries: int | None = None
    order: float | None = None
    weight: float | None = None
    description: str = ""

    @property
    def is_wildcard(self) -> bool:
        return "*" in self.model or "*" in self.group


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What all deployments of a config are read with."""

    config: Config
    account: Account
    book: Book
    secrets: Secrets
    defaults: Mapping[str, Written]
    credentials: Mapping[str, Mapping[str, Written]]
    given: Mapping[str, str] = field(default_factory=dict)


def read_deployment(entry: Written, reading: Reading) -> Deployment | None:
    """None where nothing can be called; what becomes of each key is told to the account."""
    account, params = reading.account, entry.get("litellm_params")
    name, model = entry.get("model_name"), params.get("model") if params else None
    if params is None or name is None or model is None or not isinstance(model.value, str):
        account.no_effect(
            entry,
            "no deployment: it takes a `model_name` and `litellm_params` with a `model`, and is skipped",
        )
        return None
    keys = _effective(params, reading)
    origin = _origin(entry, model, keys, reading)
    if origin is None:
        return None
    mode = reading.book.mode(origin.kind, origin.model, entry.get("model_info", "mode"))
    if mode is not None:
        account.refused(
            entry,
            f"{shown(name.text)} is for {mode}: only chat is routed in this version, so none of it is imported",
            danger=Danger.LOST,
        )
        return None
    return _deployment(entry, str(name.text), model, origin, keys, reading)


def _origin(entry: Written, model: Written, keys: Mapping[str, Written], reading: Reading) -> Origin | None:
    text = filled(model.text, reading.given)
    found = origin_of(text, keys.get("custom_llm_provider"), keys.get("api_base"), reading.book)
    if isinstance(found, Unplaced):
        reading.account.refused(
            entry,
            f"nothing of {_group(entry)} is imported: {found.message}",
            help=found.help,
            danger=Danger.LOST,
        )
        return None
    if text != model.text:
        reading.account.changed(
            model, f"a target, {shown(text)}: the variable's value as it was given to the import"
        )
    if provider := keys.get("custom_llm_provider"):
        reading.account.imported(provider, "the `kind` of its provider")
    return found


def _group(entry: Written) -> str:
    name = entry.get("model_name")
    return shown(name.text) if name is not None else "this deployment"


def _effective(params: Written, reading: Reading) -> dict[str, Written]:
    """Its keys over those of the credential it names, over those of `default_litellm_params`."""
    named = params.get("litellm_credential_name")
    credential = reading.credentials.get(named.text, {}) if named else {}
    if named is not None and credential:
        reading.account.imported(named, "the credential's values are those of its provider")
    elif named is not None:
        reading.account.no_effect(named, f"there is no credential {shown(named.text)}")
    return {**reading.defaults, **credential, **dict(params.fields())}


def _deployment(
    entry: Written,
    group: str,
    model: Written,
    origin: Origin,
    keys: Mapping[str, Written],
    reading: Reading,
) -> Deployment:
    account = reading.account
    address = address_of(origin, keys, account, reading.secrets, reading.given)
    facts = own_facts(keys, entry.get("model_info"), address.kind, origin.model, account, reading.book)
    plain = Deployment(group=group, entry=entry, address=address, model=origin.model, facts=facts)
    _tell_model(model, origin, address.kind, account)
    draft = _Draft(deployment=plain, account=account)
    for name, key in keys.items():
        if name in CHAT_PARAMS:
            draft.parameter(name, key)
        elif name in _TAKEN:
            _TAKEN[name](draft, key)
    _tell_budget(keys, account)
    _tell_tags(keys, reading)
    description = entry.get("model_info", "description")
    if (
        description is not None
        and isinstance(description.value, str)
        and description.value.strip()
        and not SECRET.search(description.value)
    ):
        draft.deployment = replace(draft.deployment, description=" ".join(description.text.split()))
        account.imported(description, "the `description` of its policy")
    return draft.deployment


def _tell_budget(keys: Mapping[str, Written], account: Account) -> None:
    """litellm keeps a deployment's budget only where both its amount and its window are written."""
    amount, window = keys.get("max_budget"), keys.get("budget_duration")
    for key, other in ((amount, window), (window, amount)):
        if key is not None and (other is None or other.value is None):
            missing = "budget_duration" if key is amount else "max_budget"
            account.no_effect(
                key, f"there is no `{missing}` beside it: litellm keeps a budget only where both are"
            )


def _tell_tags(keys: Mapping[str, Written], reading: Reading) -> None:
    settings = reading.config.section("router_settings")
    filtering = settings.get("enable_tag_filtering") if settings else None
    for name in ("tags", "tag_regex"):
        if name in keys and (filtering is None or filtering.value is not True):
            reading.account.no_effect(
                keys[name], "`router_settings.enable_tag_filtering` is not true: tags choose no deployment"
            )


def _tell_model(model: Written, origin: Origin, kind: str, account: Account) -> None:
    if "*" in origin.model:
        return
    if origin.note:
        account.changed(model, origin.note)
    elif kind == "ollama" and OTHER_NAMES.get(model.text.partition("/")[0]) != "ollama":
        account.changed(
            model, "a target; it is asked through Ollama's chat API, not by one prompt made of the messages"
        )
    else:
        account.imported(model, "a target")


@dataclass(slots=True)
class _Draft:
    """A deployment while its keys are read."""

    deployment: Deployment
    account: Account

    def parameter(self, name: str, key: Written) -> None:
        value = plain_value(key)
        if isinstance(value, str) and value.startswith("os.environ/"):
            self.account.refused(
                key, "a parameter from a variable: policies say the value", help="write the value"
            )
            return
        if SECRET.search(written(value)):
            self.account.refused(key, "it holds what looks like a secret", danger=Danger.SECRET)
            return
        whole = number(key)
        if int in CHAT_PARAMS[name] and isinstance(value, str) and whole is not None:
            value = int(whole) if whole == int(whole) else whole
        fault = param_fault(name, value)
        if fault is not None:
            self.account.refused(key, fault)
            return
        self.deployment = replace(self.deployment, params={**self.deployment.params, name: value})
        self.account.imported(key, "a parameter of its target; one that the caller passes goes before")

    def timeout(self, key: Written) -> None:
        seconds = number(key)
        if seconds is None or not 0.001 <= seconds <= LONGEST_S:
            self.account.refused(key, "no time that an attempt may take, in seconds")
            return
        self.deployment = replace(self.deployment, attempt_ms=round(seconds * 1000))
        told = duration_text(round(seconds * 1000))
        self.account.changed(
            key,
            f"`timeout: {{attempt: {told}}}` of its target: a bound on the whole attempt, where litellm's is one on "
            "each read",
        )

    def retries(self, key: Written) -> None:
        count = number(key)
        if count is None or count < 0 or count != int(count):
            self.account.refused(key, "no number of retries")
            return
        self.deployment = replace(self.deployment, retries=int(count))
        self.account.changed(key, "`retry: {attempts: ...}` of its policy, which holds for all its targets")

    def order(self, key: Written) -> None:
        self.deployment = replace(self.deployment, order=number(key))
        self.account.imported(key, "where the target stands in its list")

    def weight(self, key: Written) -> None:
        self.deployment = replace(self.deployment, weight=number(key))
        self.account.changed(
            key,
            "the heavier one is tried first: every request begins there; a share of them (`pick`) comes later",
        )

    def stream(self, key: Written) -> None:
        if key.value is False:
            self.account.imported(key, "answers are not streamed")

    def drop_params(self, key: Written) -> None:
        if key.value is False:
            self.account.imported(key, "parameters are never dropped")
        elif not isinstance(key.value, bool):
            self.account.no_effect(
                key,
                "no true or false: litellm warns and takes it as not set; `additional_drop_params` was meant",
            )

    def fallbacks(self, key: Written) -> None:
        self.account.refused(
            key,
            "fallbacks of the SDK's `completion`, not of the router: they name models and addresses, not groups",
            help="make each a deployment of its own, and name its group in `router_settings.fallbacks`",
        )


_TAKEN: Mapping[str, Callable[[_Draft, Written], None]] = {
    "timeout": _Draft.timeout,
    "num_retries": _Draft.retries,
    "order": _Draft.order,
    "weight": _Draft.weight,
    "stream": _Draft.stream,
    "drop_params": _Draft.drop_params,
    "fallbacks": _Draft.fallbacks,
}
