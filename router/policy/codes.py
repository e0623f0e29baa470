"""Every code a problem can carry. Stable words: tests, editors and ignore lists hold on to them.

`docs/lint.md` is printed from here and from the fixtures of each code; `python -m tests.pages` prints it anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Code:
    """`what` the files hold, in a phrase; `why` it matters, in a sentence or two; the `severities` it may have."""

    what: str
    why: str
    severities: tuple[str, ...] = ("error",)


_WARNING = ("warning",)
_NOTE = ("note",)

FILES: Mapping[str, Code] = {
    "no-policies": Code(
        "there is nothing to read where the policies should be",
        "An empty or misspelt folder would otherwise pass as policies without a mistake.",
    ),
    "unreadable": Code(
        "a file can't be read",
        "A file that is passed over takes its ceilings and budgets with it.",
    ),
    "lock-drift": Code(
        "the policies or the price book are not those of the lock file",
        "A price, a context or a margin that changed with an upgrade changes what calls cost and where they go. An"
        " error with `--frozen`; else a warning, or a note where nothing changed that a call meets.",
        ("error", "warning", "note"),
    ),
    "encoding": Code(
        "a file is not UTF-8 text",
        "Guessing an encoding turns names into others that look the same.",
    ),
    "yaml": Code(
        "a file is not YAML 1.2",
        "Nothing of what it says can be relied on, so nothing of it is used.",
    ),
    "second-document": Code(
        "a file holds more than one YAML document",
        "Many readers stop after the first one, and the rest would be lost without a word.",
    ),
    "anchor": Code(
        "an anchor or an alias: values are written where they hold",
        "A reviewer of one policy must see its values; `extends` shares them in a way that `explain` can trace.",
    ),
    "tag": Code(
        "a YAML tag: the form of a value follows from its key",
        "A tag makes a reader build something other than what stands there. `!openai/*` is one too.",
    ),
    "merge-key": Code(
        "`<<` is not part of YAML 1.2",
        "Some readers merge it and others keep a key named `<<`: the same file would mean two things.",
    ),
    "duplicate-key": Code(
        "a map holds the same key twice",
        "YAML readers keep one of them in silence, and not all keep the same one.",
    ),
    "empty-value": Code(
        "a key without a value, or a null",
        "It is a line that was not finished: whether it means none, all or the default is anybody's guess.",
    ),
    "key-not-text": Code(
        "a key that YAML reads as a number or a truth value",
        "A model named 4.10 would be looked up as 4.1.",
    ),
    "ambiguous-scalar": Code(
        "a plain value that YAML readers disagree about",
        "`no`, `0755` and `22:00` are text to YAML 1.2, and a truth value and numbers to YAML 1.1.",
    ),
    "comma-in-amount": Code(
        "a comma inside an amount: YAML starts a new key there",
        "`{per_month: $1,500}` is a budget of one dollar and a key `500`.",
    ),
    "space-after-colon": Code(
        "a colon without a space after it: YAML reads one long word",
        "`{per_day:$25}` is a key of that name without a value, and no budget.",
    ),
    "too-deep": Code(
        "values, nested policies or lines of `extends` deeper than any policy needs, or ways through nested policies "
        "that come to more than 1,024 targets",
        "What no reader can follow can't be reviewed, and a hostile file could exhaust the stack.",
    ),
}

FORM: Mapping[str, Code] = {
    "version": Code(
        "a file that does not say which version of the language it is written in",
        "Later versions may give words another meaning; a file that says its version never changes it.",
    ),
    "unknown-key": Code(
        "a key that is no word of the language in this place",
        "Most keys without effect are typos of budgets, limits and retries, and are missed when they are needed.",
    ),
    "unsupported": Code(
        "a word of the language that this version does not support yet",
        "A word that is read and not honoured promises what nobody keeps.",
    ),
    "wrong-form": Code(
        "a value of the wrong form or unit",
        "A bare `30` may be seconds, milliseconds, dollars or a share; the unit stands with the value.",
    ),
    "missing-key": Code(
        "a map that lacks a key it can't do without",
        "There is no default that would be right for everybody.",
    ),
    "literal-secret": Code(
        "a secret written out in a file",
        "Files are copied, reviewed and kept in a history for ever. Secrets are named, never written.",
    ),
}

NAMES: Mapping[str, Code] = {
    "duplicate-name": Code(
        "one name declared in two places",
        "Files add up by name, and nothing says which of two declarations should win.",
    ),
    "reserved-name": Code(
        "a name that is a word of the language",
        "`policies: all` could not be told from a policy named `all`.",
    ),
    "dangling-name": Code(
        "a name that nothing declares",
        "A fallback that leads nowhere is otherwise found out on the first failure.",
    ),
    "undeclared-provider": Code(
        "a target whose provider is not declared",
        "Its key, address and budget would be unknown.",
    ),
    "undeclared-ancestor": Code(
        "a tenant whose parent is not declared",
        "Every ancestor is charged, so every ancestor has a budget that somebody wrote or left out.",
    ),
    "unknown-kind": Code(
        "a provider of no known kind",
        "Without a kind nothing is known of how to call it, or of its standard key.",
    ),
    "unknown-model": Code(
        "a model that neither the policies nor the price file know",
        "It has no price and no context window, and is most often a typo that fails on every call.",
    ),
    "pattern-matches-nothing": Code(
        "an item of `allow` that no model matches",
        "A misspelt pattern allows less than it seems to, and shows only when the last other target is down.",
    ),
    "unknown-label": Code(
        "a required label that no provider or model carries",
        "Nothing could ever serve whoever requires it.",
    ),
    "unknown-parameter": Code(
        "a parameter that no call can carry",
        "Providers drop or refuse what they don't know.",
    ),
    "unknown-time-zone": Code(
        "a time zone that does not exist",
        "Calendar budgets would refill at the wrong hour.",
    ),
    "missing-address": Code(
        "a provider that can't be reached without a `base_url`",
        "Only the owner of the account knows where it is, and every call would fail.",
    ),
    "misplaced-setting": Code(
        "a setting that this kind of provider does not take",
        "It would be written and never sent.",
    ),
    "not-lean": Code(
        "`wire: lean` of a kind that the lean wire does not carry",
        "It carries the kinds whose every request and answer was found equal to litellm's own; others could differ.",
    ),
    "was-still-there": Code(
        "`was` names something that the files still declare",
        "Both would spend from one counter, and a call of either would use up the budget of the other.",
    ),
    "counted-twice": Code(
        "two things were renamed from the same name",
        "What was spent under it belongs to one of them; both would go on from it and share what is left.",
    ),
    "was-changes-nothing": Code(
        "`was` names the thing itself, or stands on an abstract policy",
        "Nothing is counted under any other name, so it keeps nothing.",
    ),
    "was-never-counted": Code(
        "`was` names a path below a tenant that was renamed as well",
        "Spend is counted under first names: under this one there is none, and the budget would begin anew.",
    ),
    "rules-not-restated": Code(
        "targets of its own beside rules that are inherited",
        "The rules would still send some requests to the targets of the parent, which the child meant to replace.",
    ),
    "abstract-policy": Code(
        "an abstract policy where one that can be called belongs",
        "It is only there to be extended: it may lack targets, and no check looks at it as a whole.",
    ),
    "cycle": Code(
        "policies that lead back to themselves",
        "The list of targets would never end.",
    ),
}

MEANING: Mapping[str, Code] = {
    "target-written-twice": Code(
        "a target that stands twice in one list",
        "The second place is never reached: what was meant is `retry`, or another model.",
    ),
    "target-never-reached": Code(
        "a target that every call drops or passes by: for what is asked of it, for its double, or for rules before it",
        "The chain is shorter than it looks.",
    ),
    "no-target-left": Code(
        "a policy that a tenant may call, and that leaves it no target on some call",
        "Such calls are refused, whatever the providers do. A warning where only `enabled: false` is the cause.",
        ("error", "warning"),
    ),
    "rule-never-reached": Code(
        "a rule that an earlier one always hides, or that can never hold",
        "Its author believes that it routes something.",
    ),
    "rules-overlap": Code(
        "two rules that can both hold and lead elsewhere",
        "Their order decides, and nothing else says which of them was meant. Often it is as it should be.",
        _NOTE,
    ),
    "rules-undecided": Code(
        "rules whose conditions multiply too far to be proved reachable",
        "What is not told of such a policy may be there all the same.",
        _NOTE,
    ),
    "caller-controlled": Code(
        "a rule by which callers give themselves what the policy's own targets would not",
        "User, session, tag and needs are what the application says: whoever writes the right tag gets the target.",
        _WARNING,
    ),
    "policy-not-granted": Code(
        "a tenant is given a policy that its parent withholds",
        "Ceilings only tighten: every call of that policy would be refused.",
    ),
    "no-policies-named": Code(
        "a root tenant that does not say which policies it may call",
        "Neither all nor none may be assumed; `policies: all` says it.",
    ),
    "uncallable-policy": Code(
        "a policy that no tenant may call and no policy leads to",
        "It was forgotten, or its tenants were: nothing ever runs it.",
        _WARNING,
    ),
    "never-used": Code(
        "a pool that no budget names, or an abstract policy that nothing extends",
        "It bounds and shapes no call. Most often the line that should name it was forgotten.",
        _WARNING,
    ),
    "nested-cache": Code(
        "a cache that never applies, because its policy is only reached from others",
        "The cache of the policy that is called is the one that counts.",
        _WARNING,
    ),
    "validity-empty": Code(
        "a price or a discount that holds on no day",
        "`valid_until` is the first day on which it holds no longer; written the other way round it never applies.",
    ),
    "breaker-pointless": Code(
        "a breaker says something that nothing comes of",
        "`of_at_least` is about a `failure_rate`, and a longest time below the first one is never reached: its author"
        " means something else than what happens.",
    ),
    "discount-of-free": Code(
        "a discount where the price is `free`",
        "It is off nothing: one of both is not what was meant.",
    ),
    "unknown-price": Code(
        "a model without a price under a hard budget",
        "What it costs can't be reserved, so the budget would not hold.",
    ),
    "no-output-ceiling": Code(
        "a hard budget over targets whose output nothing bounds",
        "The worst case of an attempt is then the longest answer the model can give, which ties up the budget; where"
        " not even that is known, there is no worst case.",
        ("error", "warning"),
    ),
    "useless-jump": Code(
        "a `when_spent` that can't help where it stands",
        "A policy that takes over is held to every budget but the spent one of the policy that it takes over from.",
    ),
    "jump-not-free": Code(
        "a tenant's budget that hands over to a policy that costs money",
        "The tenant's budget holds for whoever takes over: where it is spent, nothing but what is free can be sent.",
    ),
    "budget-below-attempt": Code(
        "a budget that can't pay one attempt",
        "Below the least cost every call is refused; below the worst cost some are, though the budget is unspent.",
        ("error", "warning"),
    ),
    "limit-below-request": Code(
        "a token limit below what one request reserves",
        "The largest requests that the policy lets through can never be admitted.",
        _WARNING,
    ),
    "smaller-context": Code(
        "a target whose context is smaller than the policy lets requests be",
        "It is passed over for the largest requests, and the chain is shorter for them than it looks.",
        _WARNING,
    ),
    "capability-lost": Code(
        "a target that can't do what the rule it stands in asks for",
        "It is passed over in every request that the rule was written for.",
        _WARNING,
    ),
    "parameter-refused": Code(
        "a target that does not take a parameter which the files set on it",
        "It is passed over in every request, unless its caller says something else: the chain is shorter than it"
        " looks.",
        _WARNING,
    ),
    "starved-target": Code(
        "a target that those before it leave no time or attempt for",
        "A fallback that can't be reached is no fallback. A note where one before it has no time of its"
        " own, and so may take all of it.",
        ("warning", "note"),
    ),
    "attempt-beyond-total": Code(
        "an attempt that may take longer than its whole request",
        "The attempt is cut off by the request's own end, and nothing comes after it.",
        _WARNING,
    ),
    "backoff-beyond-deadline": Code(
        "a wait between retries that outlasts the request, or the longest wait that is allowed",
        "The retries it announces are never sent, or sooner than it says.",
        _WARNING,
    ),
    "sampled-cache": Code(
        "a cache for sampled answers that does not say so",
        "Answers at a temperature differ each time, so none is kept: the cache stays empty.",
        _WARNING,
    ),
    "shared-cache": Code(
        "a cache shared by all tenants in a policy without a description",
        "What one tenant asked is answered with what another was told: that must be meant, and said.",
        _WARNING,
    ),
    "open-store": Code(
        "a ledger or limiter that fails open, where budgets or limits are written",
        "They are hard while the store answers, and not while it does not: calls then go on without it.",
        _NOTE,
    ),
    "cannot-roll": Code(
        "a rolling budget that can't be kept so",
        "Hours, days and weeks slide; a request, a month and a total do not. Amounts have an end that stores share.",
    ),
    "warning-never-given": Code(
        "`warn_at` on a budget of one request",
        "It begins anew with each request: a warning is of a budget that fills up.",
    ),
    "not-enforced": Code(
        "a budget or limit in shadow",
        "It is counted and told, and refuses nothing: what it is meant to keep can be exceeded.",
        _NOTE,
    ),
    "condition-on-shadow": Code(
        "a condition on a budget that is in shadow",
        "The rule would route by an amount that holds nothing yet: trying a budget would change where calls go.",
    ),
    "window-never-refills": Code(
        "a budget in total",
        "It has no next window: what it holds is spent once.",
        _NOTE,
    ),
    "unbounded-users": Code(
        "buckets for each user of a tenant that has no total itself",
        "The application says who the user is: new names are new buckets, and nothing bounds them all.",
        _WARNING,
    ),
    "validity-over": Code(
        "a price or a discount whose last day is over",
        "What it said holds no longer, and whoever reads it may think that it does. A warning, because a date must not"
        " stop a restart at night.",
        _WARNING,
    ),
    "model-deprecated": Code(
        "a model that its provider is about to retire",
        "From that day on every call of it fails. A warning, because a date must not stop a restart at night.",
        _WARNING,
    ),
}

CODES: Mapping[str, Code] = MappingProxyType({**FILES, **FORM, **NAMES, **MEANING})
