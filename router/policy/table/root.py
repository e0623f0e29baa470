"""The keys of a file."""

from router.policy import words
from router.policy.forms import Block, Key, MapOf
from router.policy.table.amounts import POOL
from router.policy.table.policies import POLICY
from router.policy.table.providers import PROVIDER, SECRET
from router.policy.table.tenants import TENANT

_STATE = Block(
    ref="state",
    name="a state store",
    description="Where spend and limits are kept: text, or `{env: NAME}`, `{file: PATH}`.",
    keys=SECRET.keys,
    choice=SECRET.choice,
    text=words.STATE,
    help=words.STATE.help,
    examples=words.STATE.examples,
)

_CACHE = Block(
    ref="cachePlace",
    name="a place for answers",
    description="Where answers are kept: text, or `{env: NAME}`, `{file: PATH}`.",
    keys=SECRET.keys,
    choice=SECRET.choice,
    text=words.CACHE_PLACE,
    help=words.CACHE_PLACE.help,
    examples=words.CACHE_PLACE.examples,
)

_ON_STORE_ERROR = Block(
    ref="onStoreError",
    name="what a store that fails does to a call",
    description="closed: the call fails before anything is sent. open: it goes on without that store, and an event says"
    " so.",
    keys={
        "ledger": Key(
            form=words.STORE_ERROR,
            description="Budgets and limits on tokens (default closed); open: not hard.",
        ),
        "limiter": Key(
            form=words.STORE_ERROR,
            description="Request rates and concurrency (default closed); open: not hard.",
        ),
        "health": Key(form=words.STORE_ERROR, description="Which keys rest (default open)."),
        "cache": Key(form=words.STORE_ERROR, description="Stored answers (default open)."),
    },
    at_least=1,
    help="write `{ledger: closed, limiter: open}`",
    examples=({"limiter": "open"},),
)

SETTINGS = Block(
    ref="settings",
    name="the settings",
    description="Of the whole folder; in one file only.",
    keys={
        "time_zone": Key(form=words.ZONE, description="Of calendar windows and local_time (default UTC)."),
        "state": Key(form=_STATE, description="Where spend and limits are kept."),
        "cache": Key(form=_CACHE, description="Where answers are kept: a folder, a server, or memory."),
        "default_policy": Key(form=words.POLICY, description="The policy of calls that name none."),
        "on_store_error": Key(form=_ON_STORE_ERROR, description="What a store that fails does to a call."),
    },
    later=("alerts",),
    help="a map: `{time_zone: Europe/Berlin}`",
)

ROOT = Block(
    ref="document",
    name="a policy file",
    description="Providers, policies, tenants and shared budgets of a router. Files of one folder add up by name.",
    keys={
        "version": Key(form=words.VERSION, description="The version of the language; in every file."),
        "settings": Key(form=SETTINGS, description="Settings of the whole folder; in one file only."),
        "providers": Key(
            form=MapOf(name="a map of providers", key=words.NAME, value=PROVIDER),
            description="Where models are called.",
        ),
        "policies": Key(
            form=MapOf(name="a map of policies", key=words.NAME, value=POLICY),
            description="What callers name, and what happens when they do.",
        ),
        "tenants": Key(
            form=MapOf(name="a map of tenants", key=words.TENANT, value=TENANT),
            description="Who may call what, and for how much.",
        ),
        "budgets": Key(
            form=MapOf(name="a map of budgets", key=words.NAME, value=POOL),
            description="Budgets with a name, for `budget: {pool: NAME}`: all that name one spend from it.",
        ),
    },
    required=("version",),
    help="start with `version: 1`",
)
