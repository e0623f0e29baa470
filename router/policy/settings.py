"""Pass: the settings of the whole folder."""

from dataclasses import replace
from datetime import UTC, tzinfo

from router.plan import OnStoreError, Settings, StoreFailure
from router.policy.document import Spot, text_of
from router.policy.draft import Draft
from router.policy.references import reference_of
from router.values import SecretRef


def resolve_settings(draft: Draft) -> Draft:
    spot = draft.written.settings
    if spot is None:
        return draft
    return replace(
        draft,
        settings=Settings(
            time_zone=text_of(spot.get("time_zone")) or "UTC",
            state=_place(spot.get("state")),
            cache=_place(spot.get("cache")),
            default_policy=text_of(spot.get("default_policy")),
            on_store_error=_on_store_error(spot.get("on_store_error")),
        ),
    )


def _place(spot: Spot | None) -> str | SecretRef | None:
    return text_of(spot) or (reference_of(spot) if spot else None)


def _on_store_error(spot: Spot | None) -> OnStoreError:
    """What is not written is as it is without the block."""
    usual, said = OnStoreError(), {name: text_of(below) for name, below in spot.fields()} if spot else {}
    return OnStoreError(
        ledger=_failure(said.get("ledger"), usual.ledger),
        limiter=_failure(said.get("limiter"), usual.limiter),
        health=_failure(said.get("health"), usual.health),
        cache=_failure(said.get("cache"), usual.cache),
    )


def _failure(said: str | None, usual: StoreFailure) -> StoreFailure:
    """A word that is neither is told by the schema."""
    return "open" if said == "open" else "closed" if said == "closed" else usual


def zone_of(settings: Settings) -> tzinfo:
    """UTC in place of a zone that there is not, which is told by its own check."""
    if settings.time_zone == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(settings.time_zone)
    except (OSError, ValueError, KeyError):  # KeyError: zoneinfo's own not-found
        return UTC
