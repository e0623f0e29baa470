"""The keys of providers and their models."""

from router.policy import words
from router.policy.forms import Block, Key, ListOf, MapOf
from router.policy.table.amounts import BUDGET, LIMITS, WAS

SECRET = Block(
    ref="secret",
    name="a secret by reference",
    description="Where the secret is: `{env: NAME}` or `{file: PATH}`. Secrets are named, never written.",
    keys={
        "env": Key(form=words.ENV_NAME, description="The environment variable that holds it."),
        "file": Key(form=words.FILE_NAME, description="The file that holds it, and nothing else."),
    },
    choice=("env", "file"),
    help="write `{env: NAME}` or `{file: PATH}`",
    examples=({"env": "OPENAI_API_KEY"}, {"file": "/run/secrets/openai"}),
)

API_KEY = Block(
    ref="apiKey",
    name="an API key by reference",
    description="Where the key is: `{env: NAME}` or `{file: PATH}`. Keys are named, never written.",
    keys={
        **SECRET.keys,
        "enabled": Key(form=words.FLAG, description="false: this key is not used (default true)."),
        "limits": Key(
            form=LIMITS, description="What is sent with this key; the next key steps in where it is full."
        ),
    },
    choice=SECRET.choice,
    beside=("enabled", "limits"),
    later=("allow",),
    help=SECRET.help,
    examples=SECRET.examples,
)

ADDRESS = Block(
    ref="address",
    name="an address",
    description="Where the provider is: text, or `{env: NAME}`, `{file: PATH}`.",
    keys=SECRET.keys,
    choice=SECRET.choice,
    text=words.ADDRESS_TEXT,
    help=words.ADDRESS_TEXT.help,
    examples=("http://localhost:8000/v1", {"env": "VLLM_URL"}),
)

_RATES = {
    "input_per_million": Key(form=words.MONEY, description="A million input tokens."),
    "output_per_million": Key(form=words.MONEY, description="A million output tokens."),
    "cached_per_million": Key(form=words.MONEY, description="A million cached input tokens; else as input."),
    "cache_write_per_million": Key(
        form=words.MONEY, description="A million input tokens written to the cache; else as input."
    ),
    "cache_write_1h_per_million": Key(
        form=words.MONEY, description="A million written to be kept for an hour; else as cache_write."
    ),
    "audio_input_per_million": Key(form=words.MONEY, description="A million tokens of audio; else as input."),
    "image_input_per_million": Key(
        form=words.MONEY, description="A million tokens of images; else as input."
    ),
    "reasoning_per_million": Key(
        form=words.MONEY, description="A million output tokens of reasoning; else as output."
    ),
    "audio_output_per_million": Key(
        form=words.MONEY, description="A million output tokens of audio; else as output."
    ),
}

TIER = Block(
    ref="priceTier",
    name="a price of long inputs",
    description="What a request costs whose whole input is longer: a price by itself, without the rest of the other.",
    keys=_RATES,
    required=("input_per_million", "output_per_million"),
    help="write `{input_per_million: $4, output_per_million: $12}`",
    examples=({"input_per_million": "$4", "output_per_million": "$12"},),
)

_DAYS = {
    "valid_from": Key(
        form=words.DATE,
        description="The first day on which it holds, in settings.time_zone; else ever since.",
    ),
    "valid_until": Key(
        form=words.DATE, description="The first day on which it holds no longer; else for good."
    ),
}

PRICE = Block(
    ref="price",
    name="a price",
    description="What the provider charges, in place of the price file; `free` where it charges nothing.",
    text=words.FREE,
    keys={
        **_RATES,
        "per_request": Key(form=words.MONEY, description="A fee for each request."),
        "above": Key(
            form=MapOf(name="a map of prices of long inputs", key=words.LENGTH, value=TIER),
            description="Prices of requests whose whole input is longer than so many tokens.",
        ),
        **_DAYS,
    },
    required=("input_per_million", "output_per_million"),
    help="write `free`, or `{input_per_million: $2, output_per_million: $8}`",
    examples=({"input_per_million": "$2", "output_per_million": "$8"}, "free"),
)

DISCOUNT = Block(
    ref="discount",
    name="a discount",
    description="What is off every price, be it written here or the price file's.",
    text=words.SHARE,
    keys={"off": Key(form=words.SHARE, description="The share that is off."), **_DAYS},
    required=("off",),
    help='write `20%`, or `{off: 20%, valid_until: "2027-01-01"}`',
    examples=("20%", {"off": "20%", "valid_until": "2027-01-01"}),
)

BREAKER = Block(
    ref="breaker",
    name="a breaker",
    description="When a model is left alone, and how it comes back; `off` where its provider has one. It only takes "
    "attempts away.",
    text=words.OFF,
    keys={
        "failures": Key(
            form=words.TIMES,
            description="Failures in a row that open it (default 5 where there is no failure_rate).",
        ),
        "failure_rate": Key(
            form=words.THRESHOLD, description="The share of failures within the window that opens it."
        ),
        "of_at_least": Key(
            form=words.COUNT,
            description="Attempts in the window without which no rate is taken (default 20).",
        ),
        "within": Key(
            form=words.DURATION, description="The window; older failures count no more (default 1m)."
        ),
        "slower_than": Key(
            form=words.DURATION,
            description="Answers that take longer count as failures; of a stream the time to its first content.",
        ),
        "open_for": Key(
            form=words.DURATION,
            description="How long it is open at first (default 30s); twice as long each time that it fails again.",
        ),
        "open_at_most": Key(
            form=words.DURATION, description="The longest that it is open (default ten times open_for)."
        ),
        "probes": Key(
            form=words.TIMES,
            description="Attempts that may try it at one time once that is over (default 1).",
        ),
        "success_threshold": Key(
            form=words.TIMES, description="Probes in a row whose answers close it (default 1)."
        ),
    },
    at_least=1,
    help="write `off`, or `{failures: 5, within: 1m, open_for: 30s}`",
    examples=({"failures": 5, "within": "1m", "open_for": "30s"}, "off"),
)

_FACTS = {
    "price": Key(form=PRICE, description="Its price, in place of the price file's."),
    "discount": Key(form=DISCOUNT, description="What is off its price, its fee included."),
    "context": Key(form=words.COUNT, description="The most input tokens it takes."),
    "max_output": Key(form=words.COUNT, description="The most output tokens it gives."),
    "supports": Key(
        form=ListOf(name="a list of capabilities", item=words.CAPABILITY, unique=True),
        description="What it can do; requests that need more skip it.",
    ),
    "tokens": Key(
        form=words.TOKEN_METHOD, description="How its input is counted, where the family's way is wrong."
    ),
    "breaker": Key(form=BREAKER, description="When it is left alone; each model has a breaker of its own."),
    "labels": Key(
        form=ListOf(name="a list of labels", item=words.LABEL, unique=True),
        description="What `require` may ask for, such as a region; a model has its provider's too.",
    ),
    "enabled": Key(
        form=words.FLAG, description="false: taken out of every policy, as in an outage (default true)."
    ),
}

MODEL = Block(
    ref="model",
    name="a model",
    description="What the price file does not know of a model, or what is different here.",
    keys={
        "as": Key(form=words.MODEL, description="The name its price and context are looked up under."),
        "deployment": Key(form=words.MODEL, description="The name the provider is asked for."),
        **_FACTS,
        "limits": Key(form=LIMITS, description="What is sent to this model, by all callers together."),
    },
    help="a map, empty where there is nothing to say: `{}`",
    examples=({"context": "128k", "max_output": "8k", "supports": ["tools", "json"]},),
)

PROVIDER = Block(
    ref="provider",
    name="a provider",
    description="Where models are called. `{}` is enough for a known kind: its standard variable is the key.",
    keys={
        "kind": Key(form=words.KIND, description="The kind of API; the provider's name where that is one."),
        "keys": Key(
            form=ListOf(name="a list of keys", item=API_KEY, at_least=1),
            description="API keys by reference; a second one steps in when the first is limited or refused.",
        ),
        "base_url": Key(form=ADDRESS, description="The address, where the kind has none of its own."),
        "api_version": Key(form=words.TEXT, description="azure: the version of the API."),
        "region": Key(form=words.TEXT, description="bedrock, vertex_ai: the region that is called."),
        "project": Key(form=words.TEXT, description="vertex_ai, watsonx: the project that is billed."),
        **{
            name: Key(
                form=key.form, description=f"Of all its models that say nothing else: {key.description}"
            )
            for name, key in _FACTS.items()
            if name not in ("labels", "enabled")
        },
        "wire": Key(form=words.WIRE, description="What carries its calls (default `auto`)."),
        "labels": Key(form=_FACTS["labels"].form, description="Labels of all its models."),
        "enabled": Key(form=words.FLAG, description="false: its models are taken out of every policy."),
        "models": Key(
            form=MapOf(name="a map of models", key=words.MODEL, value=MODEL),
            description="Models that the price file does not know, or knows otherwise.",
        ),
        "budget": Key(form=BUDGET, description="One invoice: what all tenants together may spend here."),
        "limits": Key(form=LIMITS, description="What is sent to this provider, by all callers together."),
        "was": Key(form=words.OLD_NAME, description=f"A provider that was renamed: {WAS}"),
    },
    later=("pick_key",),
    help="a map, `{}` for a known kind",
    examples=({}, {"kind": "azure", "base_url": {"env": "AZURE_URL"}, "keys": [{"env": "AZURE_KEY"}]}),
)
