"""The keys of `when`."""

from router.policy import words
from router.policy.forms import Block, Key, ListOf, Scalar

_BETWEEN = Block(
    ref="between",
    name="a bound",
    description="`over` is more than, `up_to` is at most: one is the other's complement.",
    keys={
        "over": Key(form=words.COUNT, description="More than this."),
        "up_to": Key(form=words.COUNT, description="At most this."),
    },
    at_least=1,
    help="write `{over: 60k}`, `{up_to: 60k}`, or both",
    examples=({"over": "60k"},),
)

_LOCAL_TIME = Block(
    ref="localTime",
    name="a span of the day",
    description="From `from` up to, not including, `to`, in settings.time_zone; over midnight where `to` is earlier.",
    keys={
        "from": Key(form=words.CLOCK, description="The first minute."),
        "to": Key(form=words.CLOCK, description="The minute after the last."),
        "days": Key(
            form=ListOf(name="a list of days", item=words.DAY, at_least=1, unique=True),
            description="The days it starts on; every day where absent.",
        ),
    },
    required=("from", "to"),
    help='write `{from: "22:00", to: "06:00", days: [mon, fri]}`',
    examples=({"from": "22:00", "to": "06:00"},),
)

_BUDGET_USED = Block(
    ref="budgetUsed",
    name="the use of a budget",
    description="How much of a window of a budget is spent or reserved.",
    keys={
        "of": Key(form=words.BUDGET_OWNER, description="Whose budget."),
        "name": Key(form=words.PROVIDER, description="The provider's name, where `of` is provider."),
        "window": Key(form=words.WINDOW, description="Which window of it."),
        "over": Key(form=words.SHARE, description="More than this share."),
        "up_to": Key(form=words.SHARE, description="At most this share."),
    },
    required=("of", "window"),
    help="write `{of: tenant, window: per_month, over: 80%}`",
    examples=({"of": "tenant", "window": "per_month", "over": "80%"},),
)


def _any_of(item: Scalar, description: str) -> Key:
    form = ListOf(name=f"a list, each item {item.name}", item=item, at_least=1, unique=True)
    return Key(form=form, description=description)


_FIELDS = {
    "tenant": _any_of(words.TENANT, "The caller's tenant is one of these, or below one of them."),
    "user": _any_of(words.PERSON, "The user is one of these. The caller says who that is."),
    "session": _any_of(words.PERSON, "The session is one of these. The caller says which."),
    "tag": _any_of(words.TEXT, "The call carries one of these tags. The caller writes them."),
    "input_tokens": Key(form=_BETWEEN, description="The estimate of the request's input."),
    "output_tokens": Key(form=_BETWEEN, description="The output that the request asks for."),
    "needs": _any_of(words.CAPABILITY, "The request needs one of these."),
    "stream": Key(form=words.FLAG, description="Whether the answer is streamed."),
    "local_time": Key(form=_LOCAL_TIME, description="The time of day, in settings.time_zone."),
    "budget_used": Key(form=_BUDGET_USED, description="How much of a budget is used."),
}

NOT = Block(
    ref="not",
    name="`not`",
    description="None of these may hold.",
    keys=_FIELDS,
    at_least=1,
    later=("share",),
    help="fields as in `when`: `{tenant: [acme/search]}`",
)

WHEN = Block(
    ref="when",
    name="`when`",
    description="All of these must hold. What the request does not say is unknown, and unknown does not match.",
    keys={**_FIELDS, "not": Key(form=NOT, description="None of these may hold.")},
    at_least=1,
    later=("share",),
    help="fields that must all hold: `{input_tokens: {over: 60k}}`",
    examples=({"input_tokens": {"over": "60k"}},),
)
