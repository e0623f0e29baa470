"""Pass: `extends`. A policy that extends another says whatever that one says and it does not say itself.

Maps merge key by key, scalars and lists replace, `off` removes a block; there is no other merge. Each value keeps the
place where it was written, whichever policy that was.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from router.errors import Problem
from router.policy.document import Spot, text_of
from router.policy.draft import Draft, problem
from router.policy.phrases import suggestion
from router.policy.table.amounts import AMOUNTS, DEFAULTS, ROLLING
from router.policy.table.policies import CACHE
from router.policy.traps import shown
from router.policy.windows import windowless
from router.policy.words import RESERVED

NOT_INHERITED = frozenset({"extends", "abstract", "was"})
LONGEST_LINE = 32
"""Parents of one policy, one above the other."""

AMOUNT_BLOCKS = ("budget", "limits")


def weave_policies(draft: Draft) -> Draft:
    """Every policy with all that it inherits; one whose line of parents is broken stays as it is written."""
    written = draft.written.policies
    woven = woven_policies(written)
    problems = [
        *_broken_lines(draft),
        *_unstated_rules(written, woven),
        *_targetless(draft, woven),
        *_ageless_caches(written, woven),
        *_windowless(written),
    ]
    return replace(draft, written=replace(draft.written, policies=woven)).blaming(problems)


def woven_policies(written: Mapping[str, Spot]) -> Mapping[str, Spot]:
    """By name, in the same order."""
    woven: dict[str, Spot] = {}
    for name in written:
        _weave(name, written, woven)
    return {name: woven[name] for name in written}


def is_abstract(policy: Spot) -> bool:
    """Only there to be extended."""
    abstract = policy.get("abstract")
    return abstract is not None and abstract.value is True


def parent_of(policy: Spot) -> str | None:
    """The name of the policy that it extends."""
    return text_of(policy.get("extends"))


def line_of(name: str, policies: Mapping[str, Spot]) -> tuple[str, ...] | None:
    """The policy, its parent, and so on to the last one; None where that line has no end, or none that a reader would
    come to, or leads nowhere."""
    line = [name]
    while (parent := parent_of(policies[line[-1]])) is not None:
        if parent in line or parent not in policies or len(line) > LONGEST_LINE:
            return None
        line.append(parent)
    return tuple(line)


def _weave(name: str, written: Mapping[str, Spot], woven: dict[str, Spot]) -> None:
    line = line_of(name, written)
    if line is None:
        woven[name] = written[name]
        return
    for child, parent in zip(reversed(line), (None, *reversed(line)), strict=False):
        if child not in woven:
            own = written[child]
            woven[child] = own if parent is None else _over(_spread(own), _inherited(_spread(woven[parent])))


def _spread(policy: Spot) -> Spot:
    """What stands beside the windows of its amounts, written into each of them: a child's `enforce` is not of the
    windows that it inherits, nor its parent's of its own."""
    fields = dict(policy.fields())
    if not any(
        key in DEFAULTS for name in AMOUNT_BLOCKS if name in fields for key, _ in fields[name].fields()
    ):
        return policy
    return _map_of(
        policy, {key: _spread_amounts(spot) if key in AMOUNT_BLOCKS else spot for key, spot in fields.items()}
    )


def _spread_amounts(block: Spot) -> Spot:
    fields = dict(block.fields())
    beside = {key: spot for key, spot in fields.items() if key in DEFAULTS}
    if not isinstance(block.value, dict) or not beside:
        return block
    return _map_of(
        block,
        {
            key: spot if key == "pool" else _map_of(spot, {**_beside(key, beside), **_long_parts(spot)})
            for key, spot in fields.items()
            if key not in beside
        },
    )


def _beside(window: str, beside: Mapping[str, Spot]) -> Mapping[str, Spot]:
    """What of that can be said of a window: a month does not roll, and one request never fills up, so that nothing
    warns of it, whatever those beside it do."""
    never = {*([] if window in ROLLING else ["rolling"]), *(["warn_at"] if "per_request" in window else [])}
    return {key: spot for key, spot in beside.items() if key not in never}


def _long_parts(window: Spot) -> Mapping[str, Spot]:
    return dict(window.fields()) if isinstance(window.value, dict) else {"at_most": window}


def _inherited(parent: Spot) -> Spot:
    return _map_of(parent, {key: spot for key, spot in parent.fields() if key not in NOT_INHERITED})


def _over(child: Spot, parent: Spot) -> Spot:
    """`child` with what only `parent` says; `parent` where the child says nothing."""
    child, parent = _long(child, parent), _long(parent, child)
    if not isinstance(child.value, dict) or not isinstance(parent.value, dict):
        return child
    own, above = dict(child.fields()), dict(parent.fields())
    merged = {key: _over(own[key], above[key]) if key in above else own[key] for key in own}
    return _map_of(child, {**merged, **{key: above[key] for key in above if key not in own}})


def _long(spot: Spot, other: Spot) -> Spot:
    """An amount in its long form, where what it is merged with is written so."""
    if spot.key in AMOUNTS and isinstance(other.value, dict) and not isinstance(spot.value, dict):
        return _map_of(spot, {"at_most": spot})
    return spot


def _map_of(at: Spot, parts: Mapping[str, Spot]) -> Spot:
    return replace(at, value={key: part.value for key, part in parts.items()}, parts=parts)


# --- What is wrong with it --------------------------------------------------------------------------------------------


def _broken_lines(draft: Draft) -> Iterator[Problem]:
    written = draft.written.policies
    told: set[str] = set()
    for name, policy in written.items():
        parent = policy.get("extends")
        if parent is None or parent.text is None or parent.text in RESERVED:
            continue
        if parent.text not in written:
            if draft.may_declare("policies", parent.text):
                continue
            advice = suggestion(parent.text, written, what="policies here:")
            yield problem(
                "dangling-name", f"there is no policy {shown(parent.text)}", parent.place, help=advice
            )
        elif name not in told:
            line, ends = _above(name, written)
            if not ends and parent_of(written[line[-1]]) == name:
                told.update(line)
                yield _circular(line, written)
            elif len(line) > LONGEST_LINE + 1:
                message = f"policy {shown(name)} has more than {LONGEST_LINE} parents, one above the other"
                advice = "extend a policy further up, or write out what it is to say"
                yield problem("too-deep", message, parent.place, help=advice)


def _circular(circle: tuple[str, ...], written: Mapping[str, Spot]) -> Problem:
    """Told at the step that closes it."""
    steps = " -> ".join(f"`{step}`" for step in (*circle, circle[0]))
    last = written[circle[-1]]
    place = (last.get("extends") or last).place
    return problem(
        "cycle", f"policies extend themselves: {steps}", place, help="take one of these `extends` out"
    )


def _above(name: str, written: Mapping[str, Spot]) -> tuple[tuple[str, ...], bool]:
    """The policy and its parents, as far as too long a line; and whether that is all of them."""
    line = [name]
    while (parent := parent_of(written[line[-1]])) is not None and parent in written:
        if parent in line or len(line) > LONGEST_LINE + 1:
            return tuple(line), False
        line.append(parent)
    return tuple(line), True


def _unstated_rules(written: Mapping[str, Spot], woven: Mapping[str, Spot]) -> Iterator[Problem]:
    """`targets` and `rules` travel together: rules of a parent that speak of other targets would be a surprise."""
    for name, policy in written.items():
        targets, parent = policy.get("targets"), parent_of(policy)
        if targets is None or parent is None or line_of(name, written) is None:
            continue
        if policy.get("rules") is not None or policy.is_unsure_of("rules"):
            continue
        rules = woven[parent].get("rules")
        if rules is not None and any(rules.items()):
            message = (
                f"policy {shown(name)} writes `targets`, but not the `rules` it inherits from {shown(parent)}"
            )
            advice = "write `rules:` too: those that still hold, or `rules: []`"
            place = targets.key_place
            yield problem("rules-not-restated", message, place, help=advice, also=rules.key_place)


def _targetless(draft: Draft, woven: Mapping[str, Spot]) -> Iterator[Problem]:
    """Form asks for `targets` only where nothing is extended: what was inherited is known now."""
    for name, policy in woven.items():
        own = draft.written.policies[name]
        if not isinstance(own.value, dict) or is_abstract(policy) or policy.get("targets") is not None:
            continue
        stands_in = own.get("extends") is not None or own.get("abstract") is not None
        line = line_of(name, draft.written.policies)
        if stands_in and line is not None and not any(_is_unsure(each, draft) for each in line):
            message = f"policy {shown(name)} has no `targets`, and inherits none"
            advice = "write `targets: [...]`, or `abstract: true` if it is only there to be extended"
            yield problem("missing-key", message, own.key_place, help=advice)


def _ageless_caches(written: Mapping[str, Spot], woven: Mapping[str, Spot]) -> Iterator[Problem]:
    """How old an answer may be is said somewhere on the line; a child need not say it again."""
    for name, policy in woven.items():
        cache = policy.get("cache")
        if cache is None or not isinstance(cache.value, dict) or not cache.value or is_abstract(policy):
            continue
        own = (written[each].get("cache") for each in line_of(name, written) or (name,))
        if cache.get("ttl") is None and not any(each.is_unsure_of("ttl") for each in own if each):
            yield problem("missing-key", "`cache` has no `ttl`", cache.key_place, help=CACHE.help)


def _windowless(written: Mapping[str, Spot]) -> Iterator[Problem]:
    """Of policies that extend one: what they say beside windows is for their own, and they have none."""
    for policy in written.values():
        if parent_of(policy) is not None:
            yield from (
                found
                for name in AMOUNT_BLOCKS
                if (block := policy.get(name)) is not None and (found := windowless(block)) is not None
            )


def _is_unsure(name: str, draft: Draft) -> bool:
    """Whether its targets, or that it needs none, were written but could not be read."""
    policy = draft.written.policies[name]
    return any(map(policy.is_unsure_of, ("targets", "extends", "abstract")))
