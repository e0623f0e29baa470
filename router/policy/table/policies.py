"""The keys of policies."""

from router.policy import words
from router.policy.forms import Block, Key, ListOf
from router.policy.table.amounts import BUDGET, LIMITS, WAS
from router.policy.table.ceilings import DEMANDS, NEEDS
from router.policy.table.routes import ATTEMPT_TIMES, PARAMS, RULE, TARGETS

RETRY = Block(
    ref="retry",
    name="a retry rule",
    description="Sends to one target before the next one is tried; `off` for a single send.",
    text=words.OFF,
    keys={
        "attempts": Key(form=words.SENDS, description="Sends to one target, the first included (default 2)."),
        "backoff": Key(form=words.BACKOFF, description="How waits grow (default exponential)."),
        "base": Key(form=words.DURATION, description="The first wait (default 200ms)."),
        "max": Key(form=words.DURATION, description="The longest wait (default 2s)."),
        "on": Key(
            form=ListOf(name="a list of kinds of failure", item=words.SENT_FAILURE, at_least=1, unique=True),
            description="Failures worth another send (default transient).",
        ),
        "budget": Key(
            form=words.THRESHOLD,
            description="The share of the requests to a target that may be sent to it once more (default all).",
        ),
    },
    at_least=1,
    help="write `off`, or `{attempts: 2, backoff: exponential, base: 200ms, max: 2s}`",
    examples=({"attempts": 2, "backoff": "exponential", "base": "200ms", "max": "2s"}, "off"),
)

TIMEOUT = Block(
    ref="timeout",
    name="a timeout",
    description="How long a request and each attempt of it may take.",
    keys={
        "total": Key(form=words.DURATION, description="The whole request, waits included (default 60s)."),
        "attempt": Key(form=words.DURATION, description="One attempt; what is left of total where absent."),
        **ATTEMPT_TIMES,
        "stream": Key(
            form=words.DURATION, description="A stream, from its first content to its end (default 10m)."
        ),
    },
    at_least=1,
    help="write `{total: 45s, attempt: 8s}`",
    examples=({"total": "45s", "attempt": "8s"},),
)

CACHE = Block(
    ref="cache",
    name="a cache rule",
    description="Answers that may be served again; a cached answer costs nothing and counts nowhere.",
    text=words.OFF,
    keys={
        "ttl": Key(form=words.DURATION, description="How old an answer may be."),
        "scope": Key(form=words.SCOPE, description="Who may be served it (default tenant)."),
        "sampled": Key(form=words.FLAG, description="true: sampled answers may be kept too (default false)."),
        "serve_stale_on_error": Key(
            form=words.DURATION,
            description="How long past its ttl an answer may be served when every target fails (default never).",
        ),
    },
    at_least=1,
    help="write `off`, or `{ttl: 1h, scope: tenant}`",
    examples=({"ttl": "1h", "scope": "tenant"}, "off"),
)

POLICY = Block(
    ref="policy",
    name="a policy",
    description="A name that callers use, and what happens when they do.",
    keys={
        "description": Key(form=words.TEXT, description="What it is for, in a sentence."),
        "extends": Key(form=words.POLICY, description="The policy that says whatever this one does not."),
        "abstract": Key(
            form=words.FLAG,
            description="true: only there to be extended; nobody can call it (default false).",
        ),
        "targets": Key(
            form=TARGETS, description="Tried in order; the next when this one fails or may not be used."
        ),
        "rules": Key(
            form=ListOf(name="a list of rules", item=RULE),
            description="Read in order; the first that holds takes the place of the targets.",
        ),
        "fall_back_on": Key(
            form=ListOf(name="a list of kinds of failure", item=words.FAILURE, unique=True),
            description="Failures after which the next target is tried.",
        ),
        "retry": Key(form=RETRY, description="Sends to one target before the next one is tried."),
        "timeout": Key(form=TIMEOUT, description="How long a request and each attempt of it may take."),
        "breaker": Key(
            form=words.JUST_OFF,
            description="off: its targets are tried although their breakers are open, as a last resort may be.",
        ),
        **DEMANDS,
        "needs": NEEDS,
        "cache": Key(form=CACHE, description="Answers that may be served again."),
        "budget": Key(form=BUDGET, description="What all callers of this policy together may spend."),
        "limits": Key(form=LIMITS, description="What all callers of this policy together may ask of it."),
        "params": Key(
            form=PARAMS, description="Call parameters; a target's own and the caller's go before them."
        ),
        "params_unsupported": Key(
            form=words.UNSUPPORTED,
            description="A parameter that a target does not take: `error` passes the target over, `drop` calls it"
            " without (default error).",
        ),
        "was": Key(form=words.OLD_NAME, description=f"A policy that was renamed: {WAS} Not inherited."),
    },
    required=("targets",),
    unless=("extends", "abstract"),
    later=(
        "hedge",
        *["output", "mirror", "queue", "batch", "priority", "fit", "prompt", "clean"],
    ),
    help="a map with at least `targets`",
)
