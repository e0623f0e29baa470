"""The keys of tenants."""

from router.policy import words
from router.policy.forms import Block, Key, ListOf
from router.policy.table.amounts import BUDGET, LIMITS, WAS
from router.policy.table.ceilings import DEMANDS

EACH_SCOPE = Block(
    ref="eachScope",
    name="what each may spend",
    description="A budget, limits and ceilings for every one of them: one bucket per value.",
    keys={
        "budget": Key(form=BUDGET, description="Money per window, for each one."),
        "limits": Key(form=LIMITS, description="Rates, for each one."),
        **DEMANDS,
    },
    help="write `{budget: {per_day: $1}}`, `{limits: {...}}`, or `{}`",
)

EACH = Block(
    ref="each",
    name="`each`",
    description="Budgets, limits and ceilings of every user, session or child below this tenant.",
    keys={
        "user": Key(form=EACH_SCOPE, description="Every user; calls must name one."),
        "session": Key(form=EACH_SCOPE, description="Every session; calls must name one."),
        "child": Key(form=EACH_SCOPE, description="Every direct child, those in no file included."),
    },
    at_least=1,
    help="write `{user: {budget: {per_day: $1}}}`",
)

CONTENT = Block(
    ref="content",
    name="what content is never kept in",
    description="Where the content of requests and answers of this tenant, and of all below it, is never kept.",
    keys={
        "cache": Key(
            form=words.NEVER, description="never: its answers are neither stored nor served from a store."
        ),
        "log": Key(
            form=words.NEVER, description="never: its calls are not recorded; no log holds content anyway."
        ),
    },
    at_least=1,
    help="write `{cache: never, log: never}`",
    examples=({"cache": "never", "log": "never"},),
)

TENANT = Block(
    ref="tenant",
    name="a tenant",
    description="A team. A path is a hierarchy: acme/search spends from acme too.",
    keys={
        "policies": Key(
            form=ListOf(name="a list of policies", item=words.POLICY, unique=True, word=words.ALL),
            description="The policies it may call; the parent's where absent.",
        ),
        "budget": Key(form=BUDGET, description="What it and everything below it may spend."),
        "limits": Key(form=LIMITS, description="Rates of it and everything below it."),
        "each": Key(form=EACH, description="Budgets, limits and ceilings of every user, session or child."),
        **DEMANDS,
        "content": Key(form=CONTENT, description="Where what it asks and is answered is never kept."),
        "was": Key(
            form=words.OLD_PATH, description=f"A tenant that was renamed: {WAS} Those below it follow it."
        ),
    },
    later=("access",),
    help="a map: `{policies: all, budget: {per_month: $5000}}`",
)
