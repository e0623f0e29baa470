"""Budgets that litellm keeps: imported as hard ones, where all that they would pay for has a price and an end."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from router.policy.catalog import known_facts
from router.policy.lenient import Written
from router.policy.traps import shown
from router.tools.litellm_import.addresses import Address
from router.tools.litellm_import.config import Config
from router.tools.litellm_import.deployments import Deployment
from router.tools.litellm_import.models import Book
from router.tools.litellm_import.outcomes import Account, Danger
from router.tools.litellm_import.providers import Provider
from router.tools.litellm_import.settings import money_of, proxy_budget, window_of

HARD = (
    "a hard budget: the worst case of each attempt is reserved before it is sent, where litellm adds up what answers "
    "have cost after them, and lets a burst through"
)
POOL = "everyone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """`per_day: $25`, and the key that says so."""

    window: str
    dollars: Decimal
    written: Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """`proxy` is over all policies, `providers` by name of the provider."""

    proxy: Amount | None = None
    providers: Mapping[str, Amount] | None = None


def make_budgets(
    config: Config,
    deployments: Iterable[Deployment],
    providers: Mapping[Address, Provider],
    account: Account,
    book: Book,
) -> Budgets:
    used = tuple(deployments)
    return Budgets(
        proxy=_proxy(config, used, providers, account, book),
        providers=dict(_by_provider(config, used, providers, account, book)),
    )


def _proxy(
    config: Config,
    deployments: tuple[Deployment, ...],
    providers: Mapping[Address, Provider],
    account: Account,
    book: Book,
) -> Amount | None:
    found = proxy_budget(config, account)
    if found is None:
        return None
    key, window, dollars = found
    unbounded = _unbounded(deployments, providers, book)
    duration = config.section("litellm_settings")
    written = duration.get("budget_duration") if duration else None
    if unbounded:
        _refuse(key, unbounded, account)
        if written is not None:
            account.refused(written, "the window of a budget that is not imported")
        return None
    account.changed(key, f"`budgets: {{{POOL}: {{{window}: ...}}}}`, which every policy spends from: {HARD}")
    if written is not None:
        account.changed(written, f"`{window}`, a window of the calendar")
    return Amount(window=window, dollars=dollars, written=key)


def _by_provider(
    config: Config,
    deployments: tuple[Deployment, ...],
    providers: Mapping[Address, Provider],
    account: Account,
    book: Book,
) -> Iterator[tuple[str, Amount]]:
    settings = config.section("router_settings")
    written = settings.get("provider_budget_config") if settings else None
    for kind, key in written.fields() if written else ():
        amount = _amount(key, account)
        if amount is None:
            continue
        of_kind = [each for each in providers.values() if each.address.kind == kind]
        if not of_kind:
            account.no_effect(key, f"no deployment is of the provider {shown(kind)}")
        elif len(of_kind) > 1:
            account.refused(
                key,
                f"{kind} is {len(of_kind)} providers here, each with keys or an address of its own",
                help="`budgets: {NAME: {per_day: $25}}` and `budget: {pool: NAME}` at each make it one",
            )
        elif unbounded := _unbounded(
            (each for each in deployments if each.address == of_kind[0].address), providers, book
        ):
            _refuse(key, unbounded, account)
        else:
            account.changed(
                key, f"`budget: {{{amount.window}: ...}}` of provider `{of_kind[0].name}`: {HARD}"
            )
            yield of_kind[0].name, amount


def _amount(key: Written, account: Account) -> Amount | None:
    limit = key.get("budget_limit") or key.get("max_budget")
    window = window_of(key.get("time_period") or key.get("budget_duration"))
    dollars = money_of(limit)
    if dollars is None or window is None:
        account.refused(
            key,
            "no amount with a window of the language: `{budget_limit: 25, time_period: 1d}`, for an hour, a day, a "
            "week or a month",
        )
        return None
    return Amount(window=window, dollars=dollars, written=key)


def _unbounded(
    deployments: Iterable[Deployment], providers: Mapping[Address, Provider], book: Book
) -> list[str]:
    """Targets whose cost nothing bounds."""
    return sorted(
        {
            f"`{providers[each.address].name}/{each.model}`"
            for each in deployments
            if not _is_bounded(each, providers[each.address], book)
        }
    )


def _is_bounded(deployment: Deployment, provider: Provider, book: Book) -> bool:
    own = provider.models[deployment.model].facts
    facts = known_facts(book.prices, provider.address.kind, own.alias or deployment.model)
    priced = bool(own.prices) or (facts is not None and facts.prices is not None)
    ends = (
        own.max_output
        or (facts.max_output_tokens if facts else None)
        or deployment.params.get("max_tokens")
        or deployment.params.get("max_completion_tokens")
    )
    return own.is_free or (priced and ends is not None)


def _refuse(key: Written, unbounded: list[str], account: Account) -> None:
    shown_few = ", ".join(unbounded[:3]) + (f" and {len(unbounded) - 3} more" if len(unbounded) > 3 else "")
    account.refused(
        key,
        f"no hard budget can be kept over what has no known price or output: {shown_few}",
        help="write `price:` and `max_output:` of these models, then the budget",
        danger=Danger.MONEY,
    )
