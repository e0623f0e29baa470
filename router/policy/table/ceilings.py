"""The keys of ceilings, which only tighten on the way from a tenant to a target."""

from router.policy import words
from router.policy.forms import Block, Key, ListOf

CEILING = Block(
    ref="ceiling",
    name="a ceiling",
    description="What no request exceeds here, whatever its caller asks for.",
    keys={
        "input_tokens": Key(form=words.COUNT, description="Larger requests are refused."),
        "output_tokens": Key(form=words.COUNT, description="The most output that is asked for."),
        "attempts": Key(form=words.SENDS, description="Sends of one request, over all targets."),
        "added_cost": Key(
            form=words.MONEY,
            description="What input that a provider adds (search results, fetched files) may cost an attempt.",
        ),
    },
    at_least=1,
    help="write `{input_tokens: 100k, output_tokens: 400, attempts: 4}`",
    examples=({"input_tokens": "100k", "output_tokens": 400},),
)

MAX_PRICE = Block(
    ref="maxPrice",
    name="a highest price",
    description="Dearer targets, and those of unknown price, are passed over.",
    keys={
        "input_per_million": Key(form=words.MONEY, description="The most a million input tokens may cost."),
        "output_per_million": Key(form=words.MONEY, description="The most a million output tokens may cost."),
    },
    at_least=1,
    help="write `{input_per_million: $2, output_per_million: $8}`",
    examples=({"input_per_million": "$2", "output_per_million": "$8"},),
)

DEMANDS = {
    "ceiling": Key(form=CEILING, description="What no request exceeds here."),
    "allow": Key(
        form=ListOf(name="a list of targets", item=words.ALLOWED, at_least=1, unique=True, word=words.ALL),
        description="The targets that may serve, `provider/*` for all of a provider's; `all` where absent.",
    ),
    "require": Key(
        form=ListOf(name="a list of labels", item=words.CARRIED_LABEL, at_least=1, unique=True),
        description="Labels that a target must carry, every one of them.",
    ),
    "max_price": Key(form=MAX_PRICE, description="Dearer targets are passed over."),
}
"""What may stand on a policy, a tenant and an `each` alike."""

NEEDS = Key(
    form=ListOf(name="a list of capabilities", item=words.CAPABILITY, at_least=1, unique=True),
    description="What every target must be able to do, whatever the request needs.",
)
