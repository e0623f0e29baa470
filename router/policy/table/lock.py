"""The keys of a lock file. It is written by `router lock`, and read as strictly as a file of policies."""

from router.policy import words
from router.policy.forms import Block, Key, MapOf, Scalar

_HELP = "`router lock` writes the file anew"

DIGEST = Scalar(name="a SHA-256 in hex", pattern="^[0-9a-f]{64}$", help=_HELP)
TARGET = Scalar(name="a target", pattern=words.TARGET_TEXT.pattern, help=_HELP)
FACT = Scalar(name="the name of a fact", pattern="^[a-z][a-z0-9_]*$", help=_HELP)
VALUE = Scalar(name="text or a number", types=("string", "integer"), pattern=r"\S", help=_HELP)

LOCK = Block(
    ref="lock",
    name="a lock file",
    description="What the policies and the price book said when they were locked.",
    keys={
        "version": Key(form=words.VERSION, description="The version of the language."),
        "policies": Key(form=DIGEST, description="The digest of the policies, as in traces and rows."),
        "prices": Key(form=DIGEST, description="The digest of the price book, as in traces and rows."),
        "targets": Key(
            form=MapOf(
                name="a map of targets", key=TARGET, value=MapOf(name="a map of facts", key=FACT, value=VALUE)
            ),
            description="What the price book says of each target in use, a fact a line.",
        ),
    },
    required=("version", "policies", "prices", "targets"),
    help=_HELP,
)
