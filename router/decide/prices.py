"""Which price of a model applies: that of the moment of the reservation. What must hold on every day looks at all."""

from router.plan import PriceTable, Target


def price_at(target: Target, at_s: float) -> PriceTable | None:
    """The price of a call that is reserved at `at_s`; None: it is unknown then."""
    found = target.prices
    for change in target.price_changes:
        if change.at_s > at_s:
            break
        found = change.prices
    return found


def all_prices(target: Target) -> tuple[PriceTable | None, ...]:
    """Every price that the files and the price file give the model, in order of time."""
    return (target.prices, *(change.prices for change in target.price_changes))


def prices_an_hour(target: Target) -> bool:
    """Whether it is known, on every day and for every length, what it costs to keep input for an hour."""
    return all(
        each is not None and all(tier.cache_write_1h_ausd is not None for tier in each.tiers)
        for each in all_prices(target)
    )


def is_priced(target: Target) -> bool:
    """Whether its price is known on every day."""
    return None not in all_prices(target)
