"""The keys of budgets and limits."""

from router.policy import words
from router.policy.forms import Block, Key, ListOf, Scalar

LIMIT_UNITS = ("requests", "tokens", "input_tokens", "output_tokens")
LIMIT_WINDOWS = ("per_second", "per_minute", "per_hour")

WAS = "the name that what it spent is counted under, its first one."
DEFAULTS = ("enforce", "rolling", "warn_at", "when_spent")
"""What may stand beside windows: it holds for each of them that does not say it itself."""

ROLLING = frozenset(
    f"{unit}{window}"
    for unit in ("", "tokens_", "requests_")
    for window in ("per_hour", "per_day", "per_week")
)
"""The windows of a budget that may be rolling."""


WARN_AT = ListOf(name="a list of shares", item=words.THRESHOLD, at_least=1, unique=True)
WHEN_SPENT = Block(
    ref="whenSpent",
    name="what happens when a budget is spent",
    description="`reject`, or the policy that takes over where no target fits what is left, before anything is sent.",
    text=words.REJECT,
    keys={"policy": Key(form=words.POLICY, description="The policy that takes over.")},
    required=("policy",),
    help="write `reject`, or `{policy: last-resort}`",
    examples=({"policy": "last-resort"}, "reject"),
)


_ENFORCE = (
    "hard: what does not fit is not sent. shadow: it is sent all the same, counted, and an event tells."
)


_OF_BUDGETS = {
    "rolling": Key(
        form=words.FLAG,
        description="Of an hour, a day or a week: it slides in steps of a sixtieth, and is no calendar window.",
    ),
    "warn_at": Key(
        form=WARN_AT, description="Shares of it that an event tells of, once each, but of per_request."
    ),
    "when_spent": Key(form=WHEN_SPENT, description="Who takes over where nothing fits (default reject)."),
}
_OF_BUDGETS_ALONE = {
    "rolling": "a limit always slides: take it out",
    "warn_at": "a word of budgets: a limit fills and empties all the time",
    "when_spent": "a word of budgets: a limit is never spent, it frees again by itself",
}


def _amount(ref: str, name: str, amount: Scalar, description: str, *, of_budget: bool = True) -> Block:
    return Block(
        ref=ref,
        name=name,
        description=description,
        text=amount,
        keys={
            "at_most": Key(form=amount, description="The amount of the window."),
            "enforce": Key(form=words.ENFORCE, description=_ENFORCE),
            **(_OF_BUDGETS if of_budget else {}),
        },
        required=("at_most",),
        habits={} if of_budget else _OF_BUDGETS_ALONE,
        help=amount.help,
        examples=amount.examples,
    )


MONEY_WINDOW = _amount("moneyWindow", "a window of a budget", words.MONEY, "An amount, or `{at_most: $25}`.")
COUNT_WINDOW = _amount("countWindow", "a window of a budget", words.COUNT, "A count, or `{at_most: 2M}`.")
RATE_WINDOW = _amount(
    "rateWindow", "a window of limits", words.COUNT, "A count, or `{at_most: 600}`.", of_budget=False
)

_SPANS = {
    "per_request": "All attempts of one request together.",
    "per_hour": "A calendar hour in settings.time_zone.",
    "per_day": "A calendar day in settings.time_zone.",
    "per_week": "A week from Monday in settings.time_zone.",
    "per_month": "A calendar month in settings.time_zone.",
    "in_total": "Once and for all: it never refills.",
}

_WINDOWS = {
    **{key: Key(form=MONEY_WINDOW, description=f"Money. {span}") for key, span in _SPANS.items()},
    **{
        f"tokens_{key}": Key(form=COUNT_WINDOW, description=f"Tokens, input and output. {span}")
        for key, span in _SPANS.items()
    },
    **{
        f"requests_{key}": Key(form=COUNT_WINDOW, description=f"Requests, each once. {_SPANS[key]}")
        for key in words.CALENDAR_WINDOWS
    },
    "enforce": Key(form=words.ENFORCE, description="The default of the windows beside it."),
    "rolling": Key(
        form=words.FLAG,
        description="The default of the hours, days and weeks beside it; other windows keep calendar.",
    ),
    "warn_at": Key(form=WARN_AT, description="The default of the windows beside it, but per_request."),
    "when_spent": Key(form=WHEN_SPENT, description="The default of the windows beside it."),
}
_HELP = "windows with amounts: `{per_request: $0.30, per_day: $25}`"
_EXAMPLES = ({"per_request": "$0.30", "per_day": "$25"},)

BUDGET = Block(
    ref="budget",
    name="a budget",
    description="Money, tokens or requests per window. Before each attempt its worst case is reserved; what does not "
    "fit is not sent.",
    keys={
        **_WINDOWS,
        "pool": Key(
            form=words.BUDGET, description="A budget of `budgets:` that this one spends from as well."
        ),
    },
    at_least=1,
    help=_HELP,
    examples=_EXAMPLES,
)

POOL = Block(
    ref="pool",
    name="a shared budget",
    description="Money, tokens or requests per window, spent by all whose `budget` names it as their `pool`.",
    keys={
        **_WINDOWS,
        "was": Key(form=words.OLD_NAME, description=f"A pool that was renamed: {WAS}"),
    },
    at_least=1,
    help=_HELP,
    examples=_EXAMPLES,
)

LIMITS = Block(
    ref="limits",
    name="limits",
    description="Rates over sliding windows, and how many requests may run at once.",
    keys={
        **{
            f"{unit}_{window}": Key(
                form=RATE_WINDOW,
                description=f"{unit.replace('_', ' ').capitalize()} in any {window.removeprefix('per_')}.",
            )
            for unit in LIMIT_UNITS
            for window in LIMIT_WINDOWS
        },
        "concurrent_requests": Key(form=RATE_WINDOW, description="Requests in flight at one time."),
        "enforce": Key(form=words.ENFORCE, description="The default of the rates beside it."),
    },
    at_least=1,
    habits=_OF_BUDGETS_ALONE,
    help="rates like `{requests_per_minute: 600, concurrent_requests: 20}`",
    examples=({"requests_per_minute": 600, "tokens_per_minute": "200k", "concurrent_requests": 20},),
)

AMOUNTS = frozenset(
    name
    for block in (BUDGET, LIMITS)
    for name, key in block.keys.items()
    if key.form in (MONEY_WINDOW, COUNT_WINDOW, RATE_WINDOW)
)
"""The keys whose value is an amount, short or long."""
