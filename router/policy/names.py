"""Checks of names: everything that policies, rules and settings point at exists, and nothing points in a circle."""

from collections.abc import Hashable, Iterator, Mapping

from router.decide.jumps import budgets_within
from router.decide.match import ROOT, leads_to, taking_over
from router.decide.params import CHAT_PARAMS, ELSEWHERE, NOT_YET, param_fault
from router.errors import Problem
from router.plan import Budget, Entry, Policy, TargetEntry, Tenant
from router.policy.document import Spot, text_of
from router.policy.draft import Draft, problem
from router.policy.phrases import close_to, suggestion
from router.policy.scalars import count
from router.policy.traps import shown
from router.policy.walk import conditions_of, target_items
from router.policy.windows import WINDOWS, windowless
from router.policy.words import BUDGET_OWNER, RESERVED
from router.values import Place


def dangling_policies(draft: Draft) -> Iterator[Problem]:
    """What policies, and budgets of tenants, lead to."""
    of_tenants = (entry for budget in caller_budgets(draft.tenants) for entry in taking_over((budget,)))
    of_policies = (entry for policy in draft.all_policies.values() for entry in leads_to(policy))
    for entry in (*of_policies, *of_tenants):
        if entry.policy in draft.abstract:
            yield abstract_policy(entry.policy, entry.place, draft)
        elif not draft.may_declare("policies", entry.policy) and entry.policy not in RESERVED:
            advice = suggestion(entry.policy, draft.policies, what="policies here:")
            yield problem(
                "dangling-name", f"there is no policy {shown(entry.policy)}", entry.place, help=advice
            )


def caller_budgets(tenants: Mapping[str, Tenant]) -> Iterator[Budget]:
    """Of every tenant and each of its users, sessions and children."""
    for tenant in tenants.values():
        yield from budgets_within(tenant)


def abstract_policy(name: str, place: Place, draft: Draft) -> Problem:
    message = f"policy {shown(name)} is abstract: it is only there to be extended"
    advice = "name one that extends it, or take `abstract: true` out"
    also = draft.abstract[name].place
    return problem("abstract-policy", message, place, help=advice, also=also)


def default_policy(draft: Draft) -> Iterator[Problem]:
    written = draft.written.settings.get("default_policy") if draft.written.settings else None
    if written is None or written.text is None:
        return
    if written.text in draft.abstract:
        yield abstract_policy(written.text, written.place, draft)
    elif not draft.may_declare("policies", written.text):
        advice = suggestion(written.value, draft.policies, what="policies here:")
        yield problem(
            "dangling-name", f"there is no policy {shown(written.value)}", written.place, help=advice
        )


DEEPEST_NESTING = 32
"""Policies within policies; what checks and calls walk down, in turns that multiply."""


def cycles(draft: Draft) -> Iterator[Problem]:
    """Each cycle once, at the entry that closes it, and nesting that no reader could follow."""
    heights: dict[str, int] = {}
    for name in draft.all_policies:
        yield from _cycles_from(name, draft, (), heights)


def _cycles_from(
    name: str, draft: Draft, path: tuple[str, ...], heights: dict[str, int]
) -> Iterator[Problem]:
    """`heights`: how many levels of policies lie below each policy that was looked at."""
    policy = draft.all_policies.get(name)
    if policy is None or name in heights:
        return
    height = 0
    for entry in leads_to(policy):
        if entry.policy in (*path, name):
            circle = (*path, name)[(*path, name).index(entry.policy) :]
            shown_path = " -> ".join(f"`{step}`" for step in (*circle, entry.policy))
            message = f"policies lead back to themselves: {shown_path}"
            yield problem("cycle", message, entry.place, help="take one of these steps out")
            continue
        if entry.policy not in draft.all_policies:
            continue
        if len(path) < DEEPEST_NESTING:
            yield from _cycles_from(entry.policy, draft, (*path, name), heights)
        height = max(height, 1 + heights.get(entry.policy, DEEPEST_NESTING))
        if height > DEEPEST_NESTING:
            message = f"policies nested deeper than {DEEPEST_NESTING} levels below {shown(name)}"
            yield problem("too-deep", message, entry.place, help="write the targets out where they are tried")
            height = 0  # told once, not again by everything above
    heights[name] = height


MOST_TARGETS = 1024
"""Of one call, nested policies included: what is matched for every request, and looked at by checks, path by path."""


def multiplied(draft: Draft) -> Iterator[Problem]:
    """Nested policies whose ways multiply beyond what a call can go through, told where they come to be too many."""
    sizes: dict[str, int] = {}
    told: set[str] = set()
    for name, policy in draft.all_policies.items():
        if _ways(name, draft, sizes, depth=0) > MOST_TARGETS and _walked(policy, draft) > MOST_TARGETS:
            told.add(name)
    for name in told:
        entry = next(leads_to(draft.all_policies[name]), None)
        if entry and told.isdisjoint(each.policy for each in leads_to(draft.all_policies[name])):
            message = f"with those of the policies it nests, {shown(name)} comes to more than {MOST_TARGETS} targets"
            advice = (
                "a policy counts on every way that leads to it and adds up to something else: nest it once"
            )
            yield problem("too-deep", message, entry.place, help=advice)


def _ways(name: str, draft: Draft, sizes: dict[str, int], *, depth: int) -> int:
    """The targets of the longest list that a policy can become, each way to a target counted: quick, and too many."""
    policy = draft.all_policies.get(name)
    if policy is None or depth > DEEPEST_NESTING:  # deeper than that is told as such
        return 0
    if name not in sizes:
        sizes[name] = 0  # while it is being counted: a cycle, which is told elsewhere, ends here
        for entries in (policy.entries, *(rule.entries for rule in policy.rules)):
            below = (
                1 if isinstance(each, TargetEntry) else _ways(each.policy, draft, sizes, depth=depth + 1)
                for each in entries
            )
            sizes[name] = max(sizes[name], sum(below))
        for entry in taking_over(policy.budgets):
            sizes[name] = max(sizes[name], _ways(entry.policy, draft, sizes, depth=depth + 1))
    return sizes[name]


def _walked(policy: Policy, draft: Draft) -> int:
    """Steps of a walk as a call takes it, each rule followed, as far as too many."""
    seen: set[Hashable] = set()
    waiting, steps = [(policy, ROOT.into(policy))], 0
    while waiting and steps <= MOST_TARGETS:
        current, path = waiting.pop()
        steps += sum(isinstance(each, TargetEntry) for each in current.entries)
        steps += sum(isinstance(each, TargetEntry) for rule in current.rules for each in rule.entries)
        for below in filter(None, (draft.all_policies.get(entry.policy) for entry in leads_to(current))):
            there = path.into(below)
            if (way := (below.name, there.sums)) not in seen:
                seen.add(way)
                steps += 1
                waiting.append((below, there))
    return steps


def repeated_targets(draft: Draft) -> Iterator[Problem]:
    for policy in draft.all_policies.values():
        for entries in (policy.entries, *(rule.entries for rule in policy.rules)):
            yield from _repeated(entries)


def _repeated(entries: tuple[Entry, ...]) -> Iterator[Problem]:
    first: dict[str, Entry] = {}
    for entry in entries:
        name = entry.target if isinstance(entry, TargetEntry) else f"{{policy: {entry.policy}}}"
        if name in first:
            also = first[name].place
            message = f"{shown(name)} stands here and at {also}: its second place is never reached"
            advice = "a target is tried again by `retry: {attempts: ...}`; take one out"
            yield problem("target-written-twice", message, entry.place, help=advice, also=also)
        first.setdefault(name, entry)


def condition_names(draft: Draft) -> Iterator[Problem]:
    """Tenants, providers and budgets that conditions ask about."""
    for policy in draft.written.policies.values():
        for when in conditions_of(policy):
            yield from _unknown_tenants(when, draft)
            yield from _unknown_budget(when.get("budget_used"), draft)
            yield from _no_bound(when.get("budget_used"))


def _unknown_tenants(when: Spot, draft: Draft) -> Iterator[Problem]:
    named = when.get("tenant")
    for item in named.items() if named else ():
        if item.text is not None and not _may_exist(item.text, draft):
            advice = suggestion(item.value, draft.tenants, what="tenants here:")
            yield problem("dangling-name", f"there is no tenant {shown(item.value)}", item.place, help=advice)


def _may_exist(path: str, draft: Draft) -> bool:
    """Declared, or a child whose parent has a bucket for every child."""
    parent = path.rpartition("/")[0]
    if draft.may_declare("tenants", path):
        return True
    above = draft.written.tenants.get(parent)
    if above is None or not _is_whole(above, "each"):
        return draft.may_declare("tenants", parent)
    return any(each.of == "child" for each in draft.tenants[parent].each)


def _unknown_budget(used: Spot | None, draft: Draft) -> Iterator[Problem]:
    of = used.get("of") if used else None
    if used is None or of is None:
        return
    name = used.get("name")
    if of.value == "provider":
        if name is None:
            if used.is_unsure_of("name"):
                return
            advice = "write `{of: provider, name: openai, window: per_month, over: 80%}`"
            yield problem(
                "missing-key", "`budget_used` of a provider does not name it", used.key_place, help=advice
            )
        elif not draft.may_declare("providers", name.text):
            advice = suggestion(str(name.value), draft.written.providers, what="providers here:")
            yield problem(
                "undeclared-provider",
                f"provider {shown(name.value)} is not declared",
                name.place,
                help=advice,
            )
            return
    elif name is not None and of.value in BUDGET_OWNER.words:
        message = f"`name` means nothing to a budget of {shown(of.value)}"
        yield problem("wrong-form", message, name.key_place, help="take it out; only a provider is named")
    yield from _no_such_budget(used, of, name, draft)


def _no_such_budget(used: Spot, of: Spot, name: Spot | None, draft: Draft) -> Iterator[Problem]:
    window = used.get("window")
    if window is None or window.text is None or window.text not in WINDOWS or of.text is None:
        return
    if window.text in _windows(of.text, name, draft) or not _knows_budgets(of.text, name, draft):
        return
    whose = {"tenant": "any tenant", "user": "each user", "policy": "this policy"}.get(
        of.text, "this provider"
    )
    message = f"there is no budget {shown(window.text)} of {whose}, so this is always unknown"
    yield problem("dangling-name", message, window.place, help="write that budget, or ask about one there is")


def _windows(of: str, name: Spot | None, draft: Draft) -> frozenset[str]:
    """Every window that there is a budget for."""

    def found() -> frozenset[str]:
        return frozenset(window for block in _budget_blocks(of, name, draft) for window, _ in block.fields())

    return found() if of == "provider" else draft.once(f"windows of {of}", found)


def _budget_blocks(of: str, name: Spot | None, draft: Draft) -> Iterator[Spot]:
    """The budgets that may be meant, and the pools that they spend from."""
    for block in _own_blocks(of, name, draft):
        yield block
        pool = draft.written.budgets.get(text_of(block.get("pool")) or "")
        if pool is not None:
            yield pool


def _own_blocks(of: str, name: Spot | None, draft: Draft) -> Iterator[Spot]:
    match of:
        case "tenant":
            blocks = [spot.get("budget") for spot in draft.written.tenants.values()]
        case "user":
            blocks = [spot.at("each", "user", "budget") for spot in draft.written.tenants.values()]
        case "provider":
            provider = draft.written.providers.get(text_of(name) or "")
            blocks = [provider.get("budget") if provider else None]
        case _:
            # a nested policy's rules ask about the budget of the policy that was called: any of those may be it
            blocks = [spot.get("budget") for spot in draft.written.policies.values()]
    yield from (block for block in blocks if block is not None)


def _knows_budgets(of: str, name: Spot | None, draft: Draft) -> bool:
    """Whether every budget of this sort could be read."""
    block = {"provider": "providers", "policy": "policies"}.get(of, "tenants")
    written: Mapping[str, Spot] = getattr(draft.written, block)
    if of == "provider":
        provider = written.get(text_of(name) or "")
        return provider is not None and _is_whole(provider, "budget")
    key = "each" if of == "user" else "budget"
    if any(each in draft.written.unread or draft.written.refused.get(each) for each in (block, "budgets")):
        return False
    return draft.once(f"budgets of {of}", lambda: all(_is_whole(spot, key) for spot in written.values()))


def _is_whole(spot: Spot, key: str) -> bool:
    below = spot.get(key)
    return not spot.is_unsure_of(key) if below is None else below.is_whole


def _no_bound(used: Spot | None) -> Iterator[Problem]:
    if used is not None and not any(used.get(key) or used.is_unsure_of(key) for key in ("over", "up_to")):
        advice = "write `over: 80%` or `up_to: 80%`"
        yield problem("missing-key", f"`{used.key}` has no bound", used.key_place, help=advice)


def parameters(draft: Draft) -> Iterator[Problem]:
    for policy in draft.written.policies.values():
        for scope in (policy, *target_items(policy)):
            params = scope.get("params")
            for name, spot in params.fields() if params else ():
                yield from _parameter(name, spot)


def _parameter(name: str, spot: Spot) -> Iterator[Problem]:
    fault = param_fault(name, spot.value)
    if fault is None:
        return
    if name in NOT_YET:
        yield problem("unsupported", fault, spot.key_place, help="take it out")
    elif name in CHAT_PARAMS:
        yield problem("wrong-form", fault, spot.place, help=_parameter_help(spot.value))
    else:
        message = f"unknown parameter {shown(name)}"
        advice = ELSEWHERE.get(name) or suggestion(name, CHAT_PARAMS)
        yield problem("unknown-parameter", message, spot.key_place, help=advice)


def _parameter_help(value: object) -> str:
    """Parameters are sent as they stand: `1k` is a word of this language, and none of OpenAI's."""
    number = count(value) if isinstance(value, str) else None
    return "parameters have OpenAI's names and forms" if number is None else f"write it out: `{number}`"


def windowless_blocks(draft: Draft) -> Iterator[Problem]:
    """Budgets and limits that say how they are enforced, but not what."""
    for block in (*amount_blocks(draft), *draft.written.budgets.values()):
        if (found := windowless(block)) is not None:
            yield found


def pools(draft: Draft) -> Iterator[Problem]:
    """Every pool that a budget spends from is declared."""
    for block in amount_blocks(draft):
        pool = block.get("pool")
        if pool is not None and pool.text is not None and not draft.may_declare("budgets", pool.text):
            advice = suggestion(pool.text, draft.written.budgets, what="budgets here:")
            advice = advice or f"declare it: `budgets: {{{pool.text}: {{per_day: $50}}}}`"
            message = f"there is no budget {shown(pool.text)}"
            yield problem("dangling-name", message, pool.place, help=advice)


def amount_blocks(draft: Draft) -> Iterator[Spot]:
    """Every budget and every limits of providers, their models and keys, policies, tenants and each of theirs."""
    written = draft.written
    for spot in (*written.providers.values(), *written.policies.values(), *written.tenants.values()):
        below = (each.fields() for name in ("each", "models") if (each := spot.get(name)))
        scopes = [spot, *(scope for fields in below for _, scope in fields)]
        scopes += keys.items() if (keys := spot.get("keys")) else ()
        yield from (block for scope in scopes for name in ("budget", "limits") if (block := scope.get(name)))


def time_zone(draft: Draft) -> Iterator[Problem]:
    zone = draft.written.settings.get("time_zone") if draft.written.settings else None
    if zone is None or not isinstance(zone.value, str) or zone.value == "UTC":
        return
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(zone.value)
    except (OSError, ValueError, KeyError):  # KeyError: zoneinfo's own not-found
        advice = _zone_advice(zone.value)
        yield problem(
            "unknown-time-zone", f"there is no time zone {shown(zone.value)}", zone.place, help=advice
        )


def _zone_advice(name: str) -> str:
    zones = _zones()
    if not zones:
        return "no time zones are installed here: install the `tzdata` package"
    close = close_to(name, zones)
    return f"did you mean `{close}`?" if close else "write an IANA name, like `Europe/Berlin`"


def _zones() -> set[str]:
    from zoneinfo import available_timezones

    return available_timezones()
