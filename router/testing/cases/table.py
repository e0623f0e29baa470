"""The table of keys of case files. Schema, messages and what is read all come from it; `ROOT` is a whole file."""

from router.decide.params import CHAT_PARAMS
from router.policy import words as policy_words
from router.policy.forms import Block, Form, Key, ListOf, MapOf, Open, Scalar
from router.testing.cases import words


def _list(item: Form, name: str, *, at_least: int = 1) -> ListOf:
    return ListOf(name=name, item=item, at_least=at_least)


def _names(item: Scalar, name: str) -> ListOf:
    return ListOf(name=name, item=item, at_least=1, unique=True)


REQUEST = Block(
    ref="request",
    name="a request",
    description="A call, by the arguments of `complete`. Of prompt, messages and input_tokens one is enough, or none.",
    keys={
        "policy": Key(form=policy_words.NAME, description="The policy that is called."),
        "tenant": Key(form=policy_words.TENANT, description="Who asks: the tenant's path."),
        "user": Key(form=policy_words.PERSON, description="Who asks: the user."),
        "session": Key(form=policy_words.PERSON, description="The session the call belongs to."),
        "tags": Key(
            form=ListOf(name="a list of tags", item=policy_words.TEXT, unique=True),
            description="Tags of the call.",
        ),
        "prefer": Key(form=_names(words.TARGET, "a list of targets"), description="Targets to try first."),
        "only": Key(form=_names(words.TARGET, "a list of targets"), description="Targets to try alone."),
        "timeout": Key(form=policy_words.DURATION, description="Less time than the policy gives."),
        "prompt": Key(form=policy_words.TEXT, description="What is asked, as one message of the user."),
        "messages": Key(
            form=_list(Open(name="a message", examples=({"role": "user", "content": "Hello"},)), "messages"),
            description="What is asked, as messages in OpenAI's form.",
        ),
        "input_tokens": Key(
            form=policy_words.COUNT, description="A prompt made to be counted as this many tokens by rules."
        ),
        "params": Key(
            form=Open(name="a map of call parameters", examples=({"temperature": 0},)),
            description="Parameters by OpenAI's names.",
        ),
    },
    at_least=1,
    habits={
        "team": "`tenant`",
        "content": "`prompt`",
        "tag": "`tags: [...]`",
        **{name: f"`params: {{{name}: ...}}`" for name in CHAT_PARAMS},
    },
    help="write `{policy: cheap-fast, tenant: acme/search, prompt: Hello}`",
    examples=({"policy": "cheap-fast", "tenant": "acme/search", "prompt": "Hello"},),
)

USAGE = Block(
    ref="usage",
    name="the usage of an answer",
    description="Tokens that the provider reports; roughly counted where absent.",
    keys={
        "input_tokens": Key(form=words.TOKENS, description="The whole input, cached tokens included."),
        "output_tokens": Key(form=words.TOKENS, description="The whole output, reasoning included."),
        "cached_input_tokens": Key(form=words.TOKENS, description="Of the input, what was cached."),
        "reasoning_tokens": Key(form=words.TOKENS, description="Of the output, what was reasoning."),
    },
    required=("input_tokens", "output_tokens"),
    help="write `{input_tokens: 900, output_tokens: 20}`",
    examples=({"input_tokens": 900, "output_tokens": 20},),
)

FAULT = Block(
    ref="fault",
    name="what a target does",
    description="One attempt at a target: a kind of failure or an answer, as a word or with what belongs to it.",
    text=words.DOES_TEXT,
    keys={
        "does": Key(
            form=words.DOES, description="A kind of failure, or what else happens (default answers)."
        ),
        "after": Key(form=policy_words.DURATION, description="How long it takes (default no time)."),
        "retry_after": Key(form=policy_words.DURATION, description="The Retry-After of a failure."),
        "status": Key(
            form=words.STATUS, description="The HTTP status of a failure, where not the usual one."
        ),
        "text": Key(form=policy_words.TEXT, description="The text of an answer."),
        "usage": Key(form=USAGE, description="What the provider reports."),
    },
    at_least=1,
    habits={
        **{word: f"`does: {word}`" for word in (*words.SPECIAL, *words.SENT_KINDS)},
        **dict.fromkeys(("kind", "fault", "error", "type"), "`does`"),
        **dict.fromkeys(("delay", "latency", "takes"), "`after`"),
        **dict.fromkeys(("content", "answer", "says"), "`text`"),
        "code": "`status`",
    },
    help=words.DOES_TEXT.help,
    examples=(
        "rate_limited",
        {"does": "rate_limited", "retry_after": "7s"},
        {"text": "Hello.", "after": "2s"},
    ),
)

FAULTS = MapOf(
    name="a map of targets",
    key=words.TARGET,
    value=_list(FAULT, "a list of what the target does, attempt by attempt"),
    description="By target, attempt by attempt; the last one goes on. A target that is not named answers.",
)

DOWN = ListOf(name="a list of stores", item=words.STORE, unique=True)

SPENT = Block(
    ref="spent",
    name="what was spent",
    description="What one budget holds before the first call, in the window of that time.",
    keys={
        "of": Key(form=words.OWNER, description="Whose budget."),
        "name": Key(form=words.OWNER_NAME, description="The name of the tenant, user, policy, ..."),
        "tenant": Key(form=policy_words.TENANT, description="Whose user or session, where `of` is one."),
        "window": Key(form=words.WINDOW, description="Which window of it, as the budget writes it."),
        "amount": Key(form=words.AMOUNT, description="How much."),
    },
    required=("of", "name", "window", "amount"),
    help="write `{of: tenant, name: acme, window: per_month, amount: $4000}`",
    examples=({"of": "tenant", "name": "acme", "window": "per_month", "amount": "$4000"},),
)


def _within(ref: str, amount: Scalar, what: str) -> Block:
    return Block(
        ref=ref,
        name=what,
        description=f"Exactly {what}, or bounds: `at_least`, `at_most`.",
        text=amount,
        keys={
            "at_least": Key(form=amount, description="Not less than this."),
            "at_most": Key(form=amount, description="Not more than this."),
        },
        at_least=1,
        habits={
            **dict.fromkeys(("max", "up_to", "under", "below", "lt", "less_than"), "`at_most`"),
            **dict.fromkeys(("min", "over", "above", "gt", "more_than"), "`at_least`"),
        },
        help=f"{amount.help}; or `{{at_most: {amount.examples[0]}}}`",
        examples=(amount.examples[0], {"at_most": amount.examples[0]}),
    )


LENGTH = _within("length", words.LENGTH, "a length of time")
COST = _within("cost", policy_words.MONEY, "an amount of money")

EXPECT = Block(
    ref="expect",
    name="an expectation",
    description="What must be so after the call. What is not said is not checked.",
    keys={
        "served_by": Key(form=words.TARGET, description="The target whose answer it is."),
        "rule": Key(
            form=words.RULE, description="The rule of the called policy that held; none: its targets."
        ),
        "jumps_to": Key(
            form=words.LANDING,
            description="The policy that takes over from a spent budget; none: nobody does.",
        ),
        "attempts": Key(
            form=_list(
                MapOf(
                    name="a target and how it ended",
                    key=words.TARGET,
                    value=words.ENDED,
                    help="write `{openai/gpt-5-nano: answered}`",
                ),
                "a list of `target: how it ended`",
                at_least=0,
            ),
            description="Every attempt in order; over_budget and over_limit are those that were not sent.",
        ),
        "waits": Key(
            form=_list(LENGTH, "a list of lengths of time", at_least=0),
            description="Every wait between attempts, in order.",
        ),
        "dropped": Key(
            form=MapOf(
                name="a map of targets",
                key=words.TARGET,
                value=words.REASON,
                help="each target with its reason: `{openai/gpt-5-nano: breaker_open}`",
            ),
            description="Targets that were passed over, each with the reason; there may be others.",
        ),
        "cost": Key(form=COST, description="What the call is charged, its failed attempts included."),
        "time": Key(form=LENGTH, description="How long the call takes."),
        "cached": Key(form=policy_words.FLAG, description="Whether the answer comes from the cache."),
        "stale": Key(
            form=policy_words.FLAG,
            description="Whether it is an answer older than its ttl, served as all targets failed.",
        ),
        "text": Key(form=policy_words.TEXT, description="The text of the answer."),
        "error": Key(form=words.ERROR, description="The class of the error that the call ends in."),
        "message": Key(form=policy_words.TEXT, description="A part of what the error says."),
        "events": Key(
            form=_list(words.EVENT, "a list of events"),
            description="Events in this order; others may come between them.",
        ),
        "no_events": Key(
            form=_names(words.EVENT, "a list of events"), description="Events that must not occur."
        ),
    },
    at_least=1,
    habits={
        **dict.fromkeys(("target", "model", "answered_by"), "`served_by`"),
        **dict.fromkeys(("raises", "exception", "fails"), "`error`"),
        **dict.fromkeys(("latency", "duration", "took"), "`time`"),
        **dict.fromkeys(("says", "answer", "content"), "`text`"),
    },
    help="say something that must be so: `{served_by: openai/gpt-5-nano}`",
    examples=({"served_by": "openai/gpt-5-nano", "cost": {"at_most": "$0.01"}},),
)

STEP = Block(
    ref="step",
    name="a step",
    description="One call of a case, after those before it, on the same clock, budgets, limits and cache.",
    keys={
        "after": Key(form=policy_words.DURATION, description="How long after the step before has ended."),
        "times": Key(form=words.TIMES, description="The same call this many times; each must meet `expect`."),
        "request": Key(form=REQUEST, description="What differs from the request of the case."),
        "in_flight": Key(form=words.TIMES, description="In this step, in place of the case's."),
        "faults": Key(form=FAULTS, description="In this step, in place of the case's for the same target."),
        "down": Key(form=DOWN, description="In this step, in place of the case's."),
        "expect": Key(form=EXPECT, description="What must be so."),
    },
    required=("expect",),
    habits={
        **dict.fromkeys(("wait", "sleep", "advance"), "`after`"),
        **dict.fromkeys(("repeat", "count"), "`times`"),
    },
    help="a map with at least `expect`",
    examples=({"after": "10m", "expect": {"cached": True}},),
)

CASE = Block(
    ref="case",
    name="a case",
    description="A call, or a sequence of calls, and what must come of it. Cases know nothing of each other.",
    keys={
        "name": Key(form=words.CASE_NAME, description="What holds, in one line."),
        "request": Key(form=REQUEST, description="The call; its steps may change parts of it."),
        "clock": Key(form=words.INSTANT, description="When the case begins (default 2026-01-05 12:00)."),
        "spent": Key(form=_list(SPENT, "a list of what was spent"), description="What budgets hold before."),
        "unset": Key(
            form=_names(policy_words.ENV_NAME, "a list of environment variables"),
            description="Variables that are not set; every other key is there.",
        ),
        "open": Key(
            form=_names(words.TARGET, "a list of targets"),
            description="Targets whose breakers have just opened when it begins.",
        ),
        "in_flight": Key(
            form=words.TIMES, description="Other calls of the same caller that are under way in each call."
        ),
        "faults": Key(form=FAULTS, description="What targets do, attempt by attempt of each call."),
        "down": Key(form=DOWN, description="Stores that can't be asked in each call."),
        "expect": Key(form=EXPECT, description="What must be so, where the case is one call."),
        "steps": Key(form=_list(STEP, "a list of steps"), description="Calls in sequence."),
    },
    required=("name",),
    help="a map with a `name`, a `request`, and `expect` or `steps`",
    examples=(
        {
            "name": "an answer",
            "request": {"policy": "cheap-fast"},
            "expect": {"served_by": "openai/gpt-5-nano"},
        },
    ),
)

DEFAULTS = Block(
    ref="defaults",
    name="the defaults",
    description="What holds in every case of the file that does not say otherwise.",
    keys={
        "request": Key(form=REQUEST, description="Parts of every request."),
        "clock": Key(form=words.INSTANT, description="When cases begin."),
    },
    at_least=1,
    help="write `{request: {policy: cheap-fast, tenant: acme/search}}`",
    examples=({"request": {"policy": "cheap-fast", "tenant": "acme/search"}},),
)

ROOT = Block(
    ref="cases",
    name="a case file",
    description="Cases for the policies of a folder: calls, and what must come of them.",
    keys={
        "version": Key(form=policy_words.VERSION, description="The version of the language; in every file."),
        "defaults": Key(form=DEFAULTS, description="What holds in every case that does not say otherwise."),
        "cases": Key(form=_list(CASE, "a list of cases"), description="The cases, each on its own."),
    },
    required=("version", "cases"),
    help="start with `version: 1`, then `cases:`",
)

SCHEMA = "cases.schema.json"
TITLE = "router cases, version 1"
