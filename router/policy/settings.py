"""Pass: the settings of the whole folder."""

from dataclasses import replace

from router.plan import Settings
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
        ),
    )


def _place(spot: Spot | None) -> str | SecretRef | None:
    return text_of(spot) or (reference_of(spot) if spot else None)
