"""Checks of order and time: every rule and target that is written can have its turn."""

from collections.abc import Iterator

from router.decide.needs import needs_of
from router.errors import Problem
from router.plan import Condition, Plan, Policy, Rule
from router.policy.document import Spot
from router.policy.draft import Draft, problem
from router.policy.reach import Branch, Reached, branches
from router.policy.scalars import count, count_text, duration_ms, duration_text, share
from router.policy.traps import shown
from router.policy.walk import conditions_of, target_items
from router.values import Place


def impossible_conditions(draft: Draft) -> Iterator[Problem]:
    """Conditions that nothing can meet."""
    for policy in draft.written.policies.values():
        for when in conditions_of(policy):
            for key, field in when.fields():
                if key in ("input_tokens", "output_tokens", "budget_used"):
                    yield from _empty_bound(field)
                elif key == "local_time":
                    yield from _empty_span(field)


def _empty_bound(bound: Spot) -> Iterator[Problem]:
    over, up_to = bound.get("over"), bound.get("up_to")
    if over is None or up_to is None:
        return
    least, most = _number(over), _number(up_to)
    if least is not None and most is not None and least >= most:
        message = f"nothing is over {shown(over.value)} and up to {shown(up_to.value)}"
        yield problem("rule-never-reached", message, bound.key_place, help="`over` is the lower of the two")


def _number(bound: Spot) -> int | None:
    return share(bound.value) if bound.path[-2] == "budget_used" else count(bound.value)


def _empty_span(span: Spot) -> Iterator[Problem]:
    start, end = span.get("from"), span.get("to")
    if start is not None and end is not None and start.value == end.value:
        message = f"a span from {shown(start.value)} to the same minute"
        advice = "`to` is the minute after the last; leave `local_time` out for every hour"
        yield problem("rule-never-reached", message, span.key_place, help=advice)


def starved_targets(draft: Draft) -> Iterator[Problem]:
    """Targets that those before them, with one attempt each, leave no time or no attempt for."""
    plan, seen = draft.plan, set[Place]()
    for policy in plan.policies.values():
        for branch in branches(plan, policy):
            for found in _starved(branch, plan, draft):
                if found.place not in seen:
                    seen.add(found.place)
                    yield found


def _starved(branch: Branch, plan: Plan, draft: Draft) -> Iterator[Problem]:
    """The first of a branch: what comes after it starves too."""
    spent_s, names = 0.0, set[str]()
    for reached in branch.reached:
        candidate = reached.candidate
        if candidate.target.name in names:
            continue
        if candidate.attempts_ceiling is not None and len(names) >= candidate.attempts_ceiling:
            yield _out_of_attempts(reached, candidate.attempts_ceiling)
            return
        if spent_s >= candidate.total_s:
            yield from _out_of_time(reached, spent_s, branch, draft)
            return
        names.add(candidate.target.name)
        attempt_s = candidate.lexical.attempt_s
        spent_s += candidate.total_s if attempt_s is None else min(attempt_s, candidate.total_s)


def _out_of_attempts(reached: Reached, attempts: int) -> Problem:
    name = reached.candidate.target.name
    message = (
        f"`{name}` is never tried: `ceiling: {{attempts: {attempts}}}` is used up by the targets before it"
    )
    advice = "raise `attempts`, or take the target out"
    return problem("starved-target", message, reached.via, help=advice, severity="warning")


def _out_of_time(reached: Reached, spent_s: float, branch: Branch, draft: Draft) -> Iterator[Problem]:
    """Nothing is said where nobody said anything about time: that is the built-in default, and `explain` prints it."""
    candidate = reached.candidate
    before = [each.candidate for each in branch.reached[: branch.reached.index(reached)]]
    written = [draft.written.policies[each.policy].get("timeout") for each in before]
    if not any(written) and not any(each.lexical.attempt_s for each in before):
        return
    endless = any(each.lexical.attempt_s is None for each in before)
    name, spent, total = candidate.target.name, _duration(spent_s), _duration(candidate.total_s)
    message = (
        f"`{name}` is not tried when those before it time out: that takes {spent}, and it has {total} in all"
    )
    advice = "write a shorter `timeout: {attempt: ...}` for those before it, or a longer `total`"
    severity = "note" if endless else "warning"
    yield problem("starved-target", message, reached.via, help=advice, severity=severity)


def _duration(seconds: float) -> str:
    return duration_text(round(seconds * 1000))


def long_attempts(draft: Draft) -> Iterator[Problem]:
    for name, policy in draft.policies.items():
        spot = draft.written.policies[name]
        for scope in (spot, *target_items(spot)):
            yield from _beyond(scope.at("timeout", "attempt"), policy.total_s, "total")
            yield from _beyond(scope.at("timeout", "first_content"), policy.total_s, "total")
            yield from _beyond(scope.at("timeout", "idle"), policy.stream_s, "stream")


def _beyond(part: Spot | None, whole_s: float, whole: str) -> Iterator[Problem]:
    longest = duration_ms(part.value) if part else None
    if part is not None and longest is not None and longest > round(whole_s * 1000):
        subject = "an attempt" if part.key == "attempt" else f"`{part.key}`"
        limit = (
            f"the whole request {_duration(whole_s)}"
            if whole == "total"
            else f"the stream {_duration(whole_s)}"
        )
        message = f"{subject} may take {part.value}, and {limit}"
        advice = f"make `{part.key}` shorter, or `{whole}` longer"
        yield problem("attempt-beyond-total", message, part.key_place, help=advice, severity="warning")


def long_backoffs(draft: Draft) -> Iterator[Problem]:
    for name, policy in draft.policies.items():
        retry, base = policy.lexical.retry, draft.written.policies[name].at("retry", "base")
        if base is not None and retry.attempts > 1 and retry.base_s >= policy.total_s:
            total = _duration(policy.total_s)
            message = f"the first wait between retries, `{base.value}`, outlasts the whole request ({total})"
            advice = "make `base` shorter, or `timeout: {total: ...}` longer"
            severity = "warning"
            yield problem("backoff-beyond-deadline", message, base.key_place, help=advice, severity=severity)


def capped_backoffs(draft: Draft) -> Iterator[Problem]:
    """A first wait above the longest one is cut to that, also where nobody wrote a longest one."""
    seen = set[Place]()
    for name, policy in draft.policies.items():
        retry, spot = policy.lexical.retry, draft.written.policies[name]
        base, most = spot.at("retry", "base"), spot.at("retry", "max")
        written = base or most
        if written is None or retry.attempts == 1 or retry.base_s <= retry.max_s or written.key_place in seen:
            continue
        seen.add(written.key_place)
        first, longest = _duration(retry.base_s), _duration(retry.max_s)
        built_in = "" if most else ", built in"
        message = f"the first wait between retries, `{first}`, is cut to `max: {longest}`{built_in}"
        advice = "make `base` shorter, or `max` longer"
        yield problem("backoff-beyond-deadline", message, written.key_place, help=advice, severity="warning")


def small_contexts(draft: Draft) -> Iterator[Problem]:
    """Targets that some requests of their branch don't fit in."""
    plan, seen = draft.plan, set[Place]()
    for policy in plan.policies.values():
        for branch in branches(plan, policy):
            for reached in branch.reached:
                most, context = (
                    _largest_input(policy, branch, reached),
                    reached.candidate.target.context_tokens,
                )
                if (
                    most is not None
                    and context is not None
                    and context < most
                    and reached.entry.place not in seen
                ):
                    seen.add(reached.entry.place)
                    yield _small_context(reached, context, most)


def _largest_input(policy: Policy, branch: Branch, reached: Reached) -> int | None:
    """What its ceilings, its own rule and the rules before that leave; None: any size. A jump leads there from all."""
    if branch.jump is not None:
        return reached.candidate.input_ceiling
    rule = reached.rule
    before = policy.rules[: policy.rules.index(rule)] if rule else policy.rules
    own = [each.up_to for each in rule.when if _is_of_size(each)] if rule else []
    bounds = (reached.candidate.input_ceiling, *own, *map(_all_above, before))
    return min((bound for bound in bounds if bound is not None), default=None)


def _all_above(rule: Rule) -> int | None:
    """The size above which this rule takes every request; None: it asks for more than that."""
    if len(rule.when) != 1 or not _is_of_size(rule.when[0]) or rule.when[0].up_to is not None:
        return None
    return rule.when[0].over


def _is_of_size(condition: Condition) -> bool:
    return condition.field == "input_tokens" and not condition.negated


def _small_context(reached: Reached, context: int, most: int) -> Problem:
    name = reached.candidate.target.name
    message = (
        f"`{name}` takes {count_text(context)} tokens of input, and requests may have {count_text(most)}"
    )
    advice = "larger requests skip it; lower `ceiling: {input_tokens: ...}`, or send them elsewhere by a rule"
    return problem("smaller-context", message, reached.entry.place, help=advice, severity="warning")


def lost_capabilities(draft: Draft) -> Iterator[Problem]:
    """A target is dropped every time behind `when: {needs: [...]}` when it can do none of these, and in a policy whose
    own `params` ask every request for what it can't do."""
    for name, policy in draft.policies.items():
        always = needs_of((), policy.lexical.params)
        for branch in branches(draft.plan, policy):
            needs = branch.rule and next(
                (each.any_of for each in branch.rule.when if each.field == "needs" and not each.negated), None
            )
            for reached in branch.reached:
                supports = reached.candidate.target.supports
                if supports is None:
                    continue
                if needs and supports.isdisjoint(needs):
                    yield _lost(reached, "never tried", needs, "the rule is about")
                elif always - supports:
                    lacking = tuple(sorted(always - supports))
                    yield _lost(reached, "passed over", lacking, f"`params` of policy `{name}` ask for")


def _lost(reached: Reached, how: str, needs: tuple[str, ...], why: str) -> Problem:
    name = reached.candidate.target.name
    message = f"`{name}` is {how} here: it has no {' or '.join(needs)}, which {why}"
    advice = "take it out, or say what it can do: `models: {...: {supports: [...]}}`"
    return problem("capability-lost", message, reached.entry.place, help=advice, severity="warning")


def refused_params(draft: Draft) -> Iterator[Problem]:
    """A target that does not take a parameter which the files themselves set on it is passed over, unless a caller says
    something else."""
    found = {
        reached.entry.place: _refused(reached)
        for policy in draft.policies.values()
        for branch in branches(draft.plan, policy)
        for reached in branch.reached
        if reached.candidate.untaken
    }
    yield from found.values()


def _refused(reached: Reached) -> Problem:
    name, told = reached.candidate.target.name, ", ".join(reached.candidate.untaken)
    whose = f"`params` in policy `{reached.candidate.policy}` set"
    message = f"`{name}` is passed over here: it does not take {told}, which {whose}"
    advice = "set it on the other targets alone, or write `params_unsupported: drop` to call this one without"
    return problem("parameter-refused", message, reached.entry.place, help=advice, severity="warning")
