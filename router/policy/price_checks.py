"""Checks of written prices and discounts: the days on which they hold, and that each is of something."""

from collections.abc import Iterator

from router.errors import Problem
from router.policy import scalars
from router.policy.document import Spot
from router.policy.draft import Draft, problem
from router.policy.prices import days_of
from router.policy.traps import shown


def empty_validity(draft: Draft) -> Iterator[Problem]:
    """A price or discount that holds on no day."""
    for spot in _dated(draft):
        days = days_of(spot)
        if days.since is not None and days.until is not None and days.since >= days.until:
            place = spot.at("valid_until").place  # type: ignore[union-attr]
            message = f"it holds on no day: from {days.since.isoformat()}, and until {days.until.isoformat()}"
            advice = (
                "`valid_until` is the first day on which it holds no longer: a later one than `valid_from`"
            )
            yield problem("validity-empty", message, place, help=advice)


def past_validity(draft: Draft) -> Iterator[Problem]:
    """A warning, never an error: what depends on today's date must not stop a restart at night."""
    for spot in _dated(draft) if draft.today else ():
        days = days_of(spot)
        empty = days.since is not None and days.until is not None and days.since >= days.until
        if days.until is not None and draft.today is not None and days.until <= draft.today and not empty:
            place = spot.at("valid_until").place  # type: ignore[union-attr]
            message = f"it holds no longer since {days.until.isoformat()}"
            advice = "take it out, or write what holds now"
            yield problem("validity-over", message, place, help=advice, severity="warning")


def pointless_discounts(draft: Draft) -> Iterator[Problem]:
    """A discount in a block whose price is `free`, be it its own or its provider's."""
    for block, provider in _blocks(draft):
        discount, price = block.get("discount"), block.get("price")
        if price is None and provider and not block.is_unsure_of("price"):
            price = provider.get("price")
        if discount is not None and price is not None and price.value == "free":
            message = f"this discount is off nothing: the price is `free` ({price.place})"
            advice = "take one of both out"
            yield problem("discount-of-free", message, discount.key_place, help=advice, also=price.place)


def repeated_tiers(draft: Draft) -> Iterator[Problem]:
    """Two texts of one number of tokens."""
    for block, _ in _blocks(draft):
        above, seen = block.at("price", "above"), dict[int, Spot]()
        for text, tier in above.fields() if above else ():
            length = scalars.count(text)
            if length is not None and length in seen:
                first = seen[length].key_place
                message = f"the price above {shown(text)} stands here and at {first}"
                yield problem("duplicate-name", message, tier.key_place, help="keep one of them", also=first)
            elif length is not None:
                seen[length] = tier


def _blocks(draft: Draft) -> Iterator[tuple[Spot, Spot | None]]:
    """Every provider, and every model with its provider."""
    for provider in draft.written.providers.values():
        yield provider, None
        models = provider.get("models")
        for _, model in models.fields() if models else ():
            yield model, provider


def _dated(draft: Draft) -> Iterator[Spot]:
    """Every price and discount."""
    for block, _ in _blocks(draft):
        yield from (found for key in ("price", "discount") if (found := block.get(key)) is not None)
