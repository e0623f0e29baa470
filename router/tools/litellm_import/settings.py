"""Settings that hold for all deployments: retries, times, the cache; read once, told to the account."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain

from router.decide.classify import TRANSIENT
from router.policy.lenient import Written
from router.policy.scalars import duration_text, money_nusd
from router.policy.traps import shown
from router.tools.litellm_import.config import Config, exact, number
from router.tools.litellm_import.facts import RETRY_POLICY
from router.tools.litellm_import.models import dollars
from router.tools.litellm_import.outcomes import Account, Danger, Outcome
from router.values import Kind

MOST_SENDS = 20
LONGEST_S = 86_400
DEFAULT_TTL_S = 60
_WINDOWS: Mapping[str, str] = {
    "1h": "per_hour",
    "1d": "per_day",
    "24h": "per_day",
    "7d": "per_week",
    "1w": "per_week",
    "30d": "per_month",
    "1mo": "per_month",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`retries` as litellm counts them: sends after the first. None: not written. `retries_key` is where they are,
    where that was understood."""

    retries: int | None = None
    retries_key: Written | None = None
    retry_on: tuple[str, ...] | None = None
    retry_base_ms: int | None = None
    attempt_ms: int | None = None
    cache_ttl_ms: int | None = None
    time_zone: str | None = None
    default_group: str | None = None


def read_settings(config: Config, account: Account) -> Settings:
    reader = _Reader(config=config, account=account)
    key, count = reader.retries()
    retries, on = reader.retry_policy(count)
    reader.checks()
    return Settings(
        retries=retries,
        retries_key=key,
        retry_on=on,
        retry_base_ms=reader.retry_after(),
        attempt_ms=reader.attempt(),
        cache_ttl_ms=reader.cache(),
        time_zone=reader.time_zone(),
        default_group=reader.default_group(),
    )


def preferred(config: Config, account: Account, *places: tuple[str, str]) -> Written | None:
    """The first of these keys (section, name) that is written; those after it have no effect, which is told."""
    found = [key for section, name in places if (key := _written(config, section, name)) is not None]
    for other in found[1:]:
        account.no_effect(
            other, f"`{'.'.join(map(str, found[0].path))}` ({account.cited(found[0].place)}) goes before it"
        )
    return found[0] if found else None


def _written(config: Config, section: str, name: str) -> Written | None:
    found = config.section(section)
    key = found.get(name) if found else None
    return None if key is None or key.value is None or key.value == () else key


def window_of(duration: Written | None) -> str | None:
    """The window of the language that a duration of litellm's is; None: there is none."""
    return _WINDOWS.get(duration.text) if duration is not None else None


def money_of(key: Written | None) -> Decimal | None:
    """Dollars above nothing, exact to nine decimals."""
    amount = exact(key)
    return amount if amount and money_nusd(dollars(amount)) is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    config: Config
    account: Account

    def retries(self) -> tuple[Written | None, int | None]:
        key = preferred(
            self.config, self.account, ("router_settings", "num_retries"), ("litellm_settings", "num_retries")
        )
        count = number(key)
        if key is None:
            return None, None
        if count is None or count < 0 or count != int(count):
            self.account.refused(key, "no number of retries")
            return None, None
        return key, int(count)

    def retry_policy(self, retries: int | None) -> tuple[int | None, tuple[str, ...] | None]:
        """One number for all kinds of failure, and the kinds that are worth a retry."""
        policy = _written(self.config, "router_settings", "retry_policy")
        counts = dict(self._retry_counts(policy)) if policy else {}
        if not counts:
            return retries, None
        otherwise = counts.pop("", retries if retries is not None else 2)
        by_kind = {str(kind): otherwise for kind in Kind if kind in TRANSIENT} | counts
        on = tuple(str(kind) for kind in Kind if by_kind.get(str(kind), 0) > 0)
        most = max((by_kind[kind] for kind in on), default=0)
        return (most, None) if set(on) == {str(kind) for kind in TRANSIENT} else (most, on)

    def _retry_counts(self, policy: Written) -> Iterator[tuple[str, int]]:
        for name, key in policy.fields():
            count = number(key)
            if name not in RETRY_POLICY:
                close = name.replace("Retries", "ErrorRetries")
                meant = f": `{close}` was meant" if close in RETRY_POLICY else ""
                self.account.no_effect(key, f"no field of a retry policy{meant}")
            elif count is None or count < 0:
                self.account.refused(key, "no number of retries")
            else:
                kind = RETRY_POLICY[name] or "other"
                self.account.changed(
                    key,
                    f"whether `retry: {{on: [...]}}` has `{kind}`; one number of attempts, the largest, is for all",
                )
                yield RETRY_POLICY[name], int(count)

    def retry_after(self) -> int | None:
        key = _written(self.config, "router_settings", "retry_after")
        seconds = number(key)
        if key is None:
            return None
        if seconds is None or not 0 <= seconds <= LONGEST_S:
            self.account.refused(key, "no time to wait, in seconds")
            return None
        if seconds == 0:
            self.account.changed(
                key,
                "waits are drawn between nothing and a bound that grows from 200ms; a Retry-After is kept",
            )
            return None
        self.account.changed(
            key, "`retry: {base: ...}`: waits are drawn up to a bound that grows from it, not from it"
        )
        return round(seconds * 1000)

    def attempt(self) -> int | None:
        key = preferred(
            self.config, self.account, ("router_settings", "timeout"), ("litellm_settings", "request_timeout")
        )
        seconds = number(key)
        if key is None:
            return None
        if seconds is None or not 0.001 <= seconds <= LONGEST_S:
            self.account.refused(key, "no time that an attempt may take, in seconds")
            return None
        self.account.changed(
            key,
            f"`timeout: {{attempt: {duration_text(round(seconds * 1000))}, total: ...}}`: bounds on each whole attempt "
            "and on the request, which has time for one attempt at each target of the longest list; litellm's is a "
            "bound on each read, and nothing bounds its requests",
        )
        return round(seconds * 1000)

    def cache(self) -> int | None:
        """How long answers are kept; None: not at all."""
        on, routed = (
            _written(self.config, "litellm_settings", "cache"),
            _written(self.config, "router_settings", "cache_responses"),
        )
        params = _written(self.config, "litellm_settings", "cache_params")
        if on is not None and on.value is not True:
            self.account.imported(on, "no policy has a `cache`")
        if routed is not None and routed.value is not True:
            self.account.imported(routed, "no policy has a `cache`")
        asked = [key for key in (on, routed) if key is not None and key.value is True]
        if not asked:
            if params is not None:
                self.account.no_effect(params, "`litellm_settings.cache` is not true: the cache is off")
            return None
        for key in asked:
            self.account.changed(
                key,
                "`cache: {ttl: ..., sampled: true}` of each policy: kept on disk, or where `settings: {cache: ...}` "
                "says, and apart for each tenant, where litellm serves one tenant's answers to another, and none to "
                "requests of more than four messages",
            )
        if params is not None and (kind := params.get("type")):
            self.account.changed(
                kind,
                "answers are kept in a folder beside the policies; `settings: {cache: redis://HOST:PORT}` keeps them "
                "on a server",
            )
        ttl = params.get("ttl") if params else None
        seconds = number(ttl)
        if ttl is None or seconds is None or not 0.001 <= seconds <= LONGEST_S * 30:
            return DEFAULT_TTL_S * 1000
        self.account.imported(ttl, "`ttl` of the cache")
        return round(seconds * 1000)

    def time_zone(self) -> str | None:
        key = _written(self.config, "litellm_settings", "timezone")
        if key is None:
            return None
        from zoneinfo import available_timezones

        if key.text not in available_timezones():
            self.account.refused(key, f"no time zone that is known here: {shown(key.text)}")
            return None
        self.account.imported(key, "`settings: {time_zone: ...}`, in which days and months of budgets begin")
        return key.text

    def default_group(self) -> str | None:
        """The group of `completion_model`, where there is one of that name."""
        key = _written(self.config, "general_settings", "completion_model")
        names = {name.text for item in self.config.items("model_list") if (name := item.get("model_name"))}
        if key is None:
            return None
        if key.text not in names:
            self.account.no_effect(key, f"there is no group {shown(key.text)}")
            return None
        self.account.changed(
            key,
            "`settings: {default_policy: ...}`: the policy of calls that name none, where litellm sends every call "
            "there",
        )
        return key.text

    def checks(self) -> None:
        key = _written(self.config, "router_settings", "enable_pre_call_checks")
        if key is not None and key.value is True:
            self.account.imported(
                key, "a target whose context is too small for a request is not called with it"
            )
        elif key is not None:
            self.account.changed(
                key, "a target whose context is too small for a request is not called with it"
            )


def proxy_budget(config: Config, account: Account) -> tuple[Written, str, Decimal] | None:
    """(key, window, dollars) of `max_budget` where litellm kept it: it needs a database. What else it is, is told."""
    key = _written(config, "litellm_settings", "max_budget")
    duration = _written(config, "litellm_settings", "budget_duration")
    if key is None:
        return None
    amount, window = money_of(key), window_of(duration)
    if amount is None:
        account.no_effect(key, "0 or no amount: litellm takes it as no budget", danger=Danger.MONEY)
        return None
    amounts = f"{window or 'per_month'}: ${amount}"
    advice = f"`budgets: {{everyone: {{{amounts}}}}}`, and `budget: {{pool: everyone}}` in each policy"
    if _written(config, "general_settings", "database_url") is None:
        account.say(key, *_without_database(), help=advice)
        if duration is not None:
            account.say(duration, Outcome.NEEDS_DATABASE, "the window of that budget")
        return None
    if window is None:
        account.refused(
            key, "its window is none of the language's: hours, days, weeks and months", help=advice
        )
        return None
    return key, window, amount


def _without_database() -> tuple[Outcome, str]:
    return Outcome.NEEDS_DATABASE, "spend is added up in litellm's database, and the config names none"


def variables(config: Config) -> set[str]:
    """Every variable that the config names."""
    texts = (key.text for root in config.roots for key in root.leaves())
    found = (
        re.findall(r"os\.environ/([A-Za-z_][A-Za-z0-9_]*)|\$\{([A-Za-z_][A-Za-z0-9_]*)", text)
        for text in texts
    )
    return {name for match in chain.from_iterable(found) for name in match if name}
