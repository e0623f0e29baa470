"""Settings that changed: those of policies, and those of the whole folder."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from router.plan import CacheRule, Lexical, OnStoreError, Settings
from router.policy.effective import kinds_text
from router.policy.scalars import duration_text, share_text
from router.policy.traps import written
from router.tools.diff.amounts import related
from router.tools.diff.change import Change, Effect
from router.tools.diff.side import Moved, Side, place_of

PARTITIONS = ("user", "tenant", "shared")
"""Scopes of a cache, each wider than the one before."""


def setting_changes(old: Side, new: Side, among: Moved) -> Iterator[Change]:
    for name in among.policies:
        was, now = old.plan.policies[name], new.plan.policies[name]
        before = {**lexical_texts(was.lexical), **_cache_texts(was.cache)}
        after = {**lexical_texts(now.lexical), **_cache_texts(now.cache)}
        for what, one, other in texts_changed(before, after):
            yield Change(
                area="settings",
                subjects=(f"policy {name}",),
                what=what,
                before=one,
                after=other,
                text=related(what, one, other),
                effect=_effect(what, was.cache, now.cache),
                old_place=place_of(old.written.policies[name], what),
                new_place=place_of(new.written.policies[name], what),
            )
    yield from _of_folder(old, new)


def texts_changed(
    before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[tuple[str, str | None, str | None]]:
    """(name, text before, text after); a block that is `off` on one side is told as one."""
    names = dict.fromkeys((*before, *after))
    blocks = [name for name in names if any(other.startswith(f"{name}.") for other in names)]
    for block in blocks:
        if (block in before) != (block in after):
            yield block, _block(block, before), _block(block, after)
    inside = tuple(f"{block}." for block in blocks)
    for name in names:
        if name not in blocks and not name.startswith(inside) and before.get(name) != after.get(name):
            yield name, before.get(name), after.get(name)


def _block(name: str, texts: Mapping[str, str]) -> str:
    start = f"{name}."
    parts = [f"{key.removeprefix(start)}: {text}" for key, text in texts.items() if key.startswith(start)]
    return texts.get(name) or f"{{{', '.join(parts)}}}"


def lexical_texts(lexical: Lexical, params: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Every setting as an author writes it; `params` of a target over those of its policy."""
    retry = lexical.retry
    found = {"fall_back_on": kinds_text(lexical.fall_back_on)}
    if retry.attempts == 1 and not retry.on:
        found["retry"] = "off"
    else:
        found |= {
            "retry.attempts": str(retry.attempts),
            "retry.backoff": retry.backoff,
            "retry.base": _duration(retry.base_s),
            "retry.max": _duration(retry.max_s),
            "retry.on": kinds_text(retry.on),
        }
        if retry.budget is not None:
            found["retry.budget"] = share_text(retry.budget)
    times = {
        "attempt": lexical.attempt_s,
        "first_content": lexical.first_content_s,
        "idle": lexical.idle_s,
    }
    found |= {f"timeout.{name}": _duration(time_s) for name, time_s in times.items() if time_s is not None}
    if not lexical.heeds_breakers:
        found["breaker"] = "off"
    found |= {"params_unsupported": "drop"} if lexical.params_unsupported == "drop" else {}
    sent = {**lexical.params, **(params or {})}
    return {**found, **{f"params.{name}": written(value) for name, value in sorted(sent.items())}}


def _cache_texts(cache: CacheRule | None) -> dict[str, str]:
    if cache is None:
        return {"cache": "off"}
    texts = {
        "cache.ttl": _duration(cache.ttl_s),
        "cache.scope": cache.scope,
        "cache.sampled": written(cache.sampled),
    }
    return texts | ({"cache.serve_stale_on_error": _duration(cache.stale_s)} if cache.stale_s else {})


def _effect(what: str, was: CacheRule | None, now: CacheRule | None) -> Effect:
    """An answer that more callers may be handed is one that somebody else asked for."""
    if what not in ("cache", "cache.scope"):
        return "neither"
    before, after = (PARTITIONS.index(each.scope) if each else 0 for each in (was, now))
    if was is None:
        return "loosens" if now and now.scope == "shared" else "neither"
    if now is None:
        return "tightens" if was.scope == "shared" else "neither"
    return "loosens" if after > before else "tightens" if after < before else "neither"


def _of_folder(old: Side, new: Side) -> Iterator[Change]:
    yield from _on_store_error(old, new)
    for each in fields(Settings):
        if each.name == "on_store_error":
            continue
        before, after = getattr(old.plan.settings, each.name), getattr(new.plan.settings, each.name)
        if before != after:
            yield Change(
                area="settings",
                subjects=("settings",),
                what=each.name,
                before=before,
                after=after,
                text=related(each.name, before, after),
                old_place=place_of(old.written.settings, each.name),
                new_place=place_of(new.written.settings, each.name),
            )


def _on_store_error(old: Side, new: Side) -> Iterator[Change]:
    """A store that may fail open holds nothing back while it is down."""
    for each in fields(OnStoreError):
        before: str = getattr(old.plan.settings.on_store_error, each.name)
        after: str = getattr(new.plan.settings.on_store_error, each.name)
        if before != after:
            what = f"on_store_error.{each.name}"
            yield Change(
                area="settings",
                subjects=("settings",),
                what=what,
                before=before,
                after=after,
                text=related(what, before, after),
                effect="loosens" if after == "open" else "tightens",
                old_place=place_of(old.written.settings, what),
                new_place=place_of(new.written.settings, what),
            )


def _duration(seconds: float) -> str:
    return duration_text(round(seconds * 1000))
