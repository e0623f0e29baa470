"""Pass: the settings of the whole folder."""

from dataclasses import replace

from router.plan import Settings
from router.policy.document import text_of
from router.policy.draft import Draft


def resolve_settings(draft: Draft) -> Draft:
    spot = draft.written.settings
    if spot is None:
        return draft
    return replace(
        draft,
        settings=Settings(
            time_zone=text_of(spot.get("time_zone")) or "UTC",
            state=text_of(spot.get("state")),
            cache=text_of(spot.get("cache")),
            default_policy=text_of(spot.get("default_policy")),
        ),
    )
