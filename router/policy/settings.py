"""Pass: the settings of the whole folder."""

from dataclasses import replace

from router.plan import Settings
from router.policy.document import Spot
from router.policy.draft import Draft


def resolve_settings(draft: Draft) -> Draft:
    spot = draft.written.settings
    return replace(
        draft,
        settings=Settings(
            time_zone=_text(spot, "time_zone") or "UTC",
            state=_text(spot, "state"),
            cache=_text(spot, "cache"),
            default_policy=_text(spot, "default_policy"),
        ),
    )


def _text(spot: Spot | None, key: str) -> str | None:
    found = spot.get(key) if spot else None
    return found.value if found and isinstance(found.value, str) else None
