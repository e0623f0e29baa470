"""The scalars of case files that policies do not have."""

from typing import get_args

from router.errors import DropReason
from router.plan import StorePort
from router.policy import scalars, words
from router.policy.forms import Scalar
from router.values import Kind

INSTANT_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?$"
ANSWERS = "answers"
SPECIAL = (ANSWERS, "never_answers", "connection_refused", "connection_cut", "malformed")
"""What a target may do that is no kind of failure; the rest of its words are kinds."""

NOT_DONE = (Kind.OVER_BUDGET, Kind.OVER_LIMIT, Kind.CONNECTION)
"""Kinds that no target does: the first two send nothing, and a connection is refused, or cut."""

SENT_KINDS = tuple(str(kind) for kind in Kind if kind not in NOT_DONE)
REASONS = tuple(reason for reason in get_args(DropReason) if reason != "rejected")
"""Why a target is passed over; rejected are policies alone."""

ANSWERED = "answered"
NO_RULE = "none"

CASE_NAME = Scalar(
    name="the name of a case",
    pattern=r"^\S(.*\S)?$",
    examples=("the second target answers when the first is limited",),
    help="one line that says what holds",
)
TARGET = Scalar(
    name="a target",
    pattern=words.TARGET_TEXT.pattern,
    examples=("openai/gpt-5-nano",),
    help="write `provider/model`, as the policies do",
)
INSTANT = Scalar(
    name="an instant",
    pattern=INSTANT_PATTERN,
    examples=("2026-11-30 22:15", "2026-11-30T21:15:00Z"),
    help='quoted, local time of `settings.time_zone`: "2026-11-30 22:15"; or with an offset: "2026-11-30T21:15:00Z"',
)
TIMES = Scalar(
    name="a number of calls",
    types=("integer",),
    minimum=1,
    maximum=10_000,
    examples=(600,),
    help="a whole number from 1 to 10000",
)
LENGTH = Scalar(
    name="a length of time",
    pattern=f"{words.DURATION.pattern}|^0s$",
    examples=("1.5s", "0s"),
    help=f"{words.DURATION.help}; `0s` for none",
)
TOKENS = Scalar(
    name="a number of tokens",
    types=("integer",),
    minimum=0,
    maximum=scalars.MOST_TOKENS,
    examples=(900,),
    help="a whole number",
)
STATUS = Scalar(
    name="an HTTP status",
    types=("integer",),
    minimum=200,
    maximum=599,
    examples=(429,),
    help="a whole number from 200 to 599",
)
AMOUNT = Scalar(
    name="an amount",
    types=("integer", "string"),
    pattern=f"{scalars.MONEY}|{scalars.COUNT}",
    minimum=1,
    maximum=scalars.MOST_TOKENS,
    examples=("$4000", "1.5M"),
    help="money like `$4000`; a count like `1.5M` where the window counts tokens or requests",
)
DOES = Scalar(
    name="what a target does",
    words=(*SPECIAL, *SENT_KINDS),
    help=f"one of {', '.join((*SPECIAL, *SENT_KINDS))}",
)
DOES_TEXT = Scalar(
    name="what a target does",
    pattern=f"^({'|'.join((*SPECIAL, *SENT_KINDS))})$",
    words=(*SPECIAL, *SENT_KINDS),
    examples=("rate_limited", ANSWERS),
    help=f"one of {', '.join((*SPECIAL, *SENT_KINDS))}, or a map: `{{does: rate_limited, retry_after: 7s}}`",
)
ENDED = Scalar(
    name="how an attempt ended",
    words=(ANSWERED, *(str(kind) for kind in Kind)),
    help=f"`{ANSWERED}`, or a kind of failure: {', '.join(str(kind) for kind in Kind)}",
)
OWNER = Scalar(
    name="whose budget",
    words=("tenant", "user", "session", "child", "policy", "provider", "pool"),
    help="one of tenant, user, session, child, policy, provider, pool",
)
OWNER_NAME = Scalar(name="a name", pattern=r"\S", help="the tenant's path, the user, the policy, ...")
WINDOW = Scalar(
    name="a window",
    pattern=r"^(tokens_|requests_)?(per_(hour|day|week|month)|in_total)$",
    examples=("per_month", "tokens_per_day"),
    help="as the budget writes it: per_hour, per_day, per_week, per_month, in_total, tokens_per_day, "
    "requests_per_day, ...",
)
REASON = Scalar(
    name="why a target was passed over",
    words=REASONS,
    help=f"one of {', '.join(REASONS)}; `router explain --json` prints it as `reason`",
)
LANDING = Scalar(
    name="a policy's name",
    pattern=rf"^({NO_RULE}|{(words.NAME.pattern or '').removeprefix('^').removesuffix('$')})$",
    examples=("last-resort", NO_RULE),
    help=f"the name of the policy that takes over, or `{NO_RULE}`",
)
RULE = Scalar(
    name="a rule",
    pattern=rf"^({NO_RULE}|{(words.NAME.pattern or '').removeprefix('^').removesuffix('$')})$",
    examples=("long-document", NO_RULE),
    help=f"the name of a rule of the policy that is called, or `{NO_RULE}` for its targets",
)
STORES: tuple[str, ...] = get_args(StorePort)
ERRORS = (
    "NoRoute",
    "BudgetExceeded",
    "LimitExceeded",
    "TargetsExhausted",
    "DeadlineExceeded",
    "RequestError",
    "StoreError",
)
STORE = Scalar(name="a store", words=STORES, help=f"one of {', '.join(STORES)}")
ERROR = Scalar(name="an error", words=ERRORS, help=f"one of {', '.join(ERRORS)}")
EVENT = Scalar(
    name="the name of an event",
    pattern=r"^[A-Z][A-Za-z]+$",
    examples=("CacheHit", "RetryScheduled"),
    help="a class of `router.events`, like `CacheHit`",
)
