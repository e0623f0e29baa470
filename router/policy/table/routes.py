"""The keys of targets and rules."""

from router.policy import words
from router.policy.forms import Block, Key, ListOf, Open
from router.policy.table.conditions import WHEN

PARAMS = Open(name="a map of call parameters", examples=({"temperature": 0},))

ATTEMPT_TIMES = {
    "first_content": Key(
        form=words.DURATION,
        description="Of a stream: the longest wait for the first text, tool call, audio or refusal.",
    ),
    "idle": Key(form=words.DURATION, description="Of a stream: the longest gap between two pieces."),
}

TARGET = Block(
    ref="target",
    name="a target",
    description="`provider/model`, the same as a map with settings of its own, or another policy's list.",
    text=words.TARGET_TEXT,
    keys={
        "model": Key(form=words.TARGET_TEXT, description="The target: provider/model."),
        "params": Key(form=PARAMS, description="Call parameters for this target alone."),
        "timeout": Key(
            form=Block(
                ref="targetTimeout",
                name="a target's timeout",
                description="The time of this target alone.",
                keys={
                    "attempt": Key(form=words.DURATION, description="The longest one attempt may take."),
                    **ATTEMPT_TIMES,
                },
                at_least=1,
                help="write `{attempt: 8s}`",
                examples=({"attempt": "8s"},),
            ),
            description="The longest one attempt at this target may take.",
        ),
        "policy": Key(form=words.POLICY, description="Another policy: its list, with its own settings."),
    },
    choice=("model", "policy"),
    alone="policy",
    later=("pick", "of"),
    help=words.TARGET_TEXT.help,
    examples=("openai/gpt-5-nano", {"policy": "last-resort"}),
)

TARGETS = ListOf(name="a list of targets", item=TARGET, at_least=1)

RULE = Block(
    ref="rule",
    name="a rule",
    description="The first rule that holds takes the place of the targets.",
    keys={
        "name": Key(form=words.NAME, description="Its name, in traces and messages."),
        "when": Key(form=WHEN, description="What must hold."),
        "targets": Key(form=TARGETS, description="Tried in place of the policy's targets."),
        "policy": Key(form=words.POLICY, description="The policy that takes over."),
        "reject": Key(form=words.TEXT, description="Refuse the request, and say why."),
    },
    required=("name", "when"),
    choice=("targets", "policy", "reject"),
    help="a name, a `when`, and one of `targets`, `policy`, `reject`",
    examples=({"name": "long", "when": {"input_tokens": {"over": "60k"}}, "policy": "smart"},),
)
