"""What becomes of a key that nothing was made of: from what litellm does with it."""

import re
from collections.abc import Iterable, Iterator, Mapping

from router.policy.lenient import Written
from router.policy.phrases import close_to
from router.tools.litellm_import import facts
from router.tools.litellm_import.facts import NO_EFFECT, NO_SECTION, READS, SECTIONS, topic
from router.tools.litellm_import.outcomes import Account, Danger, Outcome, Verdict, pattern
from router.values import Place

_KNOWN: Mapping[str, frozenset[str]] = {
    section: READS[section] for section in ("litellm_settings", "general_settings", "router_settings")
}
_ELSEWHERE: Mapping[str, frozenset[str]] = {
    **{f"`{section}`": known for section, known in _KNOWN.items()},
    "the `litellm_params` of a deployment": READS["litellm_params"],
}
_DEAD = Outcome.NO_EFFECT
_SECRET_NAME = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL")


def complete(account: Account, roots: Iterable[Written]) -> None:
    """Give every key that has no verdict yet its own, or leave it to the one above where that was refused whole."""
    for root in roots:
        _tell_repeated(account, root)
        used = _used_elsewhere(root)
        for key, refused in _judged(account, root):
            verdict = verdict_of(key)
            if len(key.path) == 1 and key.path[0] in used:
                verdict = _dead(f"{verdict.message}; what its anchors hold is told where it is used")
            if verdict.outcome is _DEAD or not refused:
                account.say(key, verdict.outcome, verdict.message, help=verdict.help, danger=verdict.danger)


def _tell_repeated(account: Account, root: Written) -> None:
    for key in root.below():
        told = f"the same key stands again at {account.cited(key.place)}: of two, YAML readers keep the last"
        for lost in key.lost:
            account.no_effect(lost, told)


def _judged(account: Account, root: Written) -> Iterator[tuple[Written, bool]]:
    """The keys at which verdicts are given, and whether something above them was refused as a whole."""
    for section, found in root.fields():
        if section in _KNOWN:
            replaced = account.knows(found)
            yield from ((key, replaced) for _, key in found.fields())
        elif section == "environment_variables":
            yield from ((key, False) for _, key in found.fields())
        elif section == "model_list":
            for item in found.items():
                yield from _of_a_deployment(account, item)
        yield found, False


def _of_a_deployment(account: Account, item: Written) -> Iterator[tuple[Written, bool]]:
    refused = account.knows(item)
    for name, key in item.fields():
        if name in ("litellm_params", "model_info"):
            yield from ((below, refused) for _, below in key.fields())
        yield key, refused


def _used_elsewhere(root: Written) -> frozenset[str]:
    """Sections that nothing reads, and of which aliases in others bring in what they hold."""
    at: dict[Place, set[str]] = {}
    for key in (each for each in root.below() if each.path):
        at.setdefault(key.place, set()).add(str(key.path[0]))
    return frozenset(name for names in at.values() if len(names) > 1 for name in names) - SECTIONS.keys()


def verdict_of(key: Written) -> Verdict:
    """Of a section, a key of a section, or a key of a deployment, that nothing was made of."""
    name, section = pattern(key.path), str(key.path[0])
    if section not in SECTIONS:
        return _dead(NO_SECTION.get(section) or f"no such section{_close(section, SECTIONS)}")
    if name in NO_EFFECT:
        return _dead(NO_EFFECT[name])
    if key.is_leaf and not isinstance(key.value, bool | int | float) and not key.value:
        return _dead("an empty value, which litellm takes as not written")
    if name in facts.DATABASE:
        about = facts.STORAGE.search(name)
        message = facts.STORAGE_MESSAGE if about else facts.DATABASE_MESSAGE
        advice = "" if about else facts.DATABASE_HELP
        return Verdict(outcome=Outcome.NEEDS_DATABASE, message=message, help=advice)
    if section == "environment_variables" and len(key.path) == 2:
        return _variable(key)
    if len(key.path) == 1:
        return Verdict(outcome=Outcome.NOT_SUPPORTED, message=SECTIONS[section])
    unknown = _unknown(key, section)
    if unknown is not None:
        return unknown
    found = topic(name)
    return Verdict(outcome=Outcome.NOT_SUPPORTED, message=found.message, help=found.help)


def _variable(key: Written) -> Verdict:
    """One that litellm sets for its own process, which is how some hand it keys."""
    name = str(key.path[1])
    literal = isinstance(key.value, str) and "os.environ/" not in key.value and "$" not in key.value
    secret = literal and _SECRET_NAME.search(name) is not None
    return Verdict(
        outcome=Outcome.NOT_SUPPORTED,
        message="nothing here sets a variable: it is read from the environment"
        + ("; what looks like a secret is written out, and not copied" if secret else ""),
        help=f"set {name} where the application starts",
        danger=Danger.SECRET if secret else None,
    )


def _unknown(key: Written, section: str) -> Verdict | None:
    """A key that litellm does not know where it stands."""
    last = str(key.path[-1])
    if section in _KNOWN:
        return None if last in _KNOWN[section] else _dead(_misplaced(last, section))
    if len(key.path) == 3:
        return None if last in READS["deployment"] else _dead("no key of a deployment")
    if key.path[2] == "model_info":
        acts = last in READS["model_info"] or last.startswith("supports_") or "_cost" in last
        return None if acts else _dead("litellm shows it in /model/info, and nothing acts on it")
    if last in READS["litellm_params"]:
        return None
    message = (
        "no key of litellm's: it is sent on to the provider, and calls here carry OpenAI's parameters alone"
    )
    return Verdict(outcome=Outcome.NOT_SUPPORTED, message=message)


def _misplaced(name: str, section: str) -> str:
    there = next((place for place, known in _ELSEWHERE.items() if name in known), None)
    if there is not None:
        return f"it belongs in {there}: here nothing reads it"
    return f"no such key{_close(name, _KNOWN[section])}"


def _close(name: str, known: Iterable[str]) -> str:
    close = close_to(name, known, cutoff=0.85)
    return f": `{close}` was meant" if close else ""


def _dead(message: str) -> Verdict:
    return Verdict(outcome=_DEAD, message=message)
