"""The digest: SHA-256 over what the files mean, whatever they look like."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date
from functools import cache
from typing import Any

from router.policy.document import Spot
from router.policy.draft import Draft
from router.policy.targets import own_facts

_LOOKS = frozenset({"place", "text", "description", "disabled_at", "present"})


def seal(draft: Draft) -> Draft:
    """Pass: everything else is in the draft by now."""
    return replace(draft, digest=digest(draft))


def digest(draft: Draft) -> str:
    """Prices, contexts and other facts of the price file are left out: they have a digest of their own."""
    meaning = {
        "providers": draft.providers,
        "models": {name: _models(spot) for name, spot in draft.written.providers.items()},
        "policies": draft.policies,
        "tenants": draft.tenants,
        "settings": draft.settings,
    }
    text = json.dumps(canonical(meaning), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


_AS_THEY_ARE = frozenset({str, int, float, bool, type(None)})


@cache
def _meaningful(kind: type) -> tuple[str, ...] | None:
    """The fields of a dataclass that say more than where and how it was written; None: it is none."""
    if not is_dataclass(kind):
        return None
    return tuple(field.name for field in fields(kind) if field.name not in _LOOKS)


def canonical(value: Any) -> Any:
    """Plain JSON values without places and looks; sets as sorted lists."""
    kind: type = type(value)
    if kind in _AS_THEY_ARE:
        return value
    names = _meaningful(kind)
    if names is not None:
        return {name: canonical(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): canonical(below) for key, below in value.items()}
    if isinstance(value, frozenset):
        return sorted(str(item) for item in value)
    if isinstance(value, tuple | list):
        return [canonical(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _models(provider: Spot) -> Mapping[str, Any]:
    """What the files say of models themselves."""
    models = provider.get("models")
    named = {name: own_facts(spot) for name, spot in models.fields()} if models else {}
    return {"all": own_facts(provider), "named": named}
