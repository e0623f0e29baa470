"""The scalars of the language: each with its pattern, examples and a sentence on how to write it."""

from dataclasses import replace
from typing import get_args

from router.decide.needs import NEEDS
from router.policy import scalars
from router.policy.forms import Scalar
from router.policy.kinds import KINDS
from router.values import Kind, Wire

RESERVED = ("all", "none", "off", "free", "true", "false", "null")
NAME_PATTERN = rf"^(?!(?:{'|'.join(RESERVED)})$)[a-z][a-z0-9]*([._-][a-z0-9]+)*$"
SEGMENT = r"[^/\u0000-\u001f\u007f]+"
ADDRESS = r"^https?://[^\s@]+$"
ENV = r"^[A-Za-z_][A-Za-z0-9_]*$"

NAME = Scalar(
    name="a name",
    pattern=NAME_PATTERN,
    examples=("cheap-fast", "last-resort"),
    help="small letters and digits, in parts joined by `-`, `_` or `.`; first a letter",
)
POLICY = replace(NAME, name="a policy's name", refers_to="policies")
BUDGET = replace(NAME, name="a budget's name", examples=("canary",), refers_to="budgets")
PROVIDER = replace(NAME, name="a provider's name", examples=("openai",), refers_to="providers")
TEXT = Scalar(name="text", pattern=r"\S", help="write some text")
DURATION = Scalar(
    name="a duration",
    pattern=scalars.DURATION,
    examples=("250ms", "8s", "1.5m", "1h", "7d"),
    help="one number and one unit of ms, s, m, h, d: `250ms`, `8s`, `1.5m`, `1h`, `7d`",
)
COUNT = Scalar(
    name="a count",
    types=("integer", "string"),
    pattern=scalars.COUNT,
    minimum=1,
    maximum=scalars.MOST_TOKENS,
    examples=(500, "200k", "1.5M"),
    help="a whole number above 0, with `k` for thousands or `M` for millions: `500`, `200k`, `1.5M`",
)
LENGTH = replace(COUNT, name="a number of input tokens", types=("string",), examples=("200k", "128k"))
MONEY = Scalar(
    name="an amount of money",
    pattern=scalars.MONEY,
    examples=("$25", "$0.30", "$0.0005"),
    help="dollars with up to nine decimals, without separators: `$25`, `$0.30`, `$1500`",
)
SHARE = Scalar(
    name="a share",
    pattern=scalars.SHARE,
    examples=("80%", "0.5%"),
    help="a percentage from 0% to 100%: `80%`, `0.5%`",
)
THRESHOLD = replace(
    SHARE,
    name="a share above 0%",
    pattern=rf"^(?!0{{1,2}}(\.0{{1,3}})?%$){scalars.SHARE.removeprefix('^')}",
    examples=("50%", "80%"),
    help="a percentage above 0%, up to 100%: `80%`",
)
CLOCK = Scalar(
    name="a time of day", pattern=scalars.CLOCK, examples=("22:00", "06:30"), help='quoted, 24 hours: "22:00"'
)
DATE = Scalar(
    name="a date",
    pattern=scalars.DATE,
    examples=("2026-12-01",),
    help='quoted, a day that there is: "2026-12-01"',
)
FLAG = Scalar(name="true or false", types=("boolean",), help="write `true` or `false`")
SENDS = Scalar(
    name="a number of sends",
    types=("integer",),
    minimum=1,
    maximum=20,
    examples=(2, 3),
    help="a whole number from 1 to 20; the first send counts",
)
TIMES = Scalar(
    name="a number of times",
    types=("integer",),
    minimum=1,
    maximum=100,
    examples=(5, 1),
    help="a whole number from 1 to 100",
)
VERSION = Scalar(name="`1`", types=("integer",), words=(1,), examples=(1,), help="write `version: 1`")
OFF = Scalar(name="`off`", pattern="^off$", words=("off",), help="write `off` or a map")
JUST_OFF = Scalar(
    name="the word `off`", words=("off",), examples=("off",), help="write `off`, or leave it out"
)
REJECT = Scalar(
    name="`reject`", pattern="^reject$", words=("reject",), help="write `reject` or `{policy: last-resort}`"
)
FREE = Scalar(name="`free`", pattern="^free$", words=("free",), help="write `free` or a map of prices")
ALL = Scalar(name="`all`", pattern="^all$", words=("all",), help="write `all` or a list of names")
ADDRESS_TEXT = Scalar(
    name="an address",
    pattern=ADDRESS,
    examples=("http://localhost:8000/v1",),
    help="it must start with http:// or https:// and hold no credentials; or write `{env: NAME}`, `{file: PATH}`",
)
ENV_NAME = Scalar(
    name="the name of an environment variable",
    pattern=ENV,
    examples=("OPENAI_API_KEY",),
    help="the variable's name, like `OPENAI_API_KEY`",
)
FILE_NAME = Scalar(
    name="the path of a file",
    # One line of text: that of a key is the name that its limits are counted under.
    pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$",
    examples=("/run/secrets/openai",),
)
KIND = Scalar(
    name="a kind of provider",
    words=tuple(KINDS),
    examples=("openai", "azure"),
    help=f"one of {', '.join(KINDS)}",
)
MODEL = Scalar(
    name="a model's name",
    pattern=r"^\S+$",
    examples=("gpt-5-nano",),
    help="a name without spaces",
)
TARGET_TEXT = Scalar(
    name="a target",
    pattern=r"^[a-z][a-z0-9]*([._-][a-z0-9]+)*/\S+$",
    examples=("openai/gpt-5-nano", "groq/openai/gpt-oss-20b"),
    help="write `provider/model`, or a map: `{model: provider/model, params: {...}}`, `{policy: name}`",
    refers_to="targets",
)
ALLOWED = Scalar(
    name="a target or a pattern",
    pattern=TARGET_TEXT.pattern,
    examples=("openai/gpt-5-nano", "openai/*"),
    help="write `provider/model`, or `provider/*` for all of a provider's models",
    refers_to="patterns",
)
LABEL = Scalar(name="a label", pattern=NAME_PATTERN, examples=("eu", "zero-retention"), help=NAME.help)
CARRIED_LABEL = replace(LABEL, name="the label of a provider or model", refers_to="labels")
TOKEN_METHOD = Scalar(
    name="a way to count tokens",
    words=("exact", "margin", "window"),
    help="`exact`: tiktoken has its tokenizer; `margin`: an estimate with a margin; `window`: the whole context",
)
WIRE = Scalar(
    name="a wire",
    words=get_args(Wire),
    examples=("auto", "litellm"),
    help="`auto`: the lean wire where it is equal to litellm's own; `litellm`: always that one; `lean`: the lean one",
)
NEVER = Scalar(name="`never`", words=("never",), help="write `never`, or leave it out")
TENANT = Scalar(
    name="a tenant's path",
    pattern=rf"^{SEGMENT}(/{SEGMENT})*$",
    examples=("acme", "acme/search"),
    help="segments joined by one `/`: `acme`, `acme/search`",
    refers_to="tenants",
)
PERSON = Scalar(
    name="text without `/`", pattern=rf"^{SEGMENT}$", examples=("alice",), help="printable text without `/`"
)
OLD_NAME = replace(NAME, name="a former name", refers_to="", help="the name it had: " + NAME.help)
OLD_PATH = replace(
    TENANT, name="a tenant's former path", refers_to="", help="the path it had: `acme`, `acme/search`"
)
CAPABILITY = Scalar(name="a capability", words=NEEDS, help=f"one of {', '.join(NEEDS)}")
FAILURE = Scalar(
    name="a kind of failure",
    words=("transient", *(str(kind) for kind in Kind)),
    help=f"`transient`, or any of {', '.join(str(kind) for kind in Kind)}",
)
SENT_FAILURE = Scalar(
    name="a kind of failure that can be retried",
    words=("transient", *(str(kind) for kind in Kind if kind not in (Kind.OVER_BUDGET, Kind.OVER_LIMIT))),
    help="`transient`, or kinds of failure that an attempt can end in, like `server_error`, `timeout`",
)
BACKOFF = Scalar(
    name="a backoff",
    words=("constant", "linear", "exponential", "fibonacci"),
    later=("adaptive",),
    help="one of constant, linear, exponential, fibonacci",
)
UNSUPPORTED = Scalar(name="what becomes of a parameter", words=("error", "drop"), help="`error` or `drop`")
SCOPE = Scalar(name="a scope", words=("tenant", "user", "shared"), help="one of tenant, user, shared")
ENFORCE = Scalar(
    name="a way to enforce",
    words=("hard", "shadow"),
    examples=("shadow",),
    help="`hard`: what does not fit is not sent; `shadow`: it is sent, and an event tells",
)
STORE_ERROR = Scalar(name="`closed` or `open`", words=("closed", "open"), help="write `closed` or `open`")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = Scalar(name="a day", words=WEEKDAYS, help=f"one of {', '.join(WEEKDAYS)}")
BUDGET_OWNER = Scalar(
    name="whose budget",
    words=("tenant", "user", "policy", "provider"),
    help="one of tenant, user, policy, provider",
)
BUDGET_WINDOWS = ("per_request", "per_hour", "per_day", "per_week", "per_month", "in_total")
CALENDAR_WINDOWS = BUDGET_WINDOWS[1:]  # of a single request nothing is spent yet when rules are read
WINDOW = Scalar(name="a window", words=CALENDAR_WINDOWS, help=f"one of {', '.join(CALENDAR_WINDOWS)}")
_SERVER = r"(rediss?|valkeys?)://[^\s@]+|unix://\S+"
STATE = Scalar(
    name="a state store",
    pattern=rf"^(memory|sqlite:///[^\s?][^?]*(\?synchronous=full)?|{_SERVER})$",
    examples=("sqlite:///../.router/state.db", "memory", "redis://localhost:6379"),
    help="write `memory`, `sqlite:///FILE` (a relative file starts at the folder of the policies; with "
    "`?synchronous=full` it survives a power loss), `redis://HOST:PORT`, or `{env: NAME}`, `{file: PATH}` for an "
    "address with credentials",
)
CACHE_PLACE = Scalar(
    name="a place for answers",
    pattern=rf"^(memory|{_SERVER}|(?![a-z]+://)\S.*)$",
    examples=("memory", "../.router/cache", "redis://localhost:6379"),
    help="write `memory`, a folder, `redis://HOST:PORT`, or `{env: NAME}`, `{file: PATH}` for an address with "
    "credentials",
)
ZONE = Scalar(
    name="a time zone",
    pattern=r"^\S+$",
    examples=("Europe/Berlin", "UTC"),
    help="an IANA name like `Europe/Berlin`",
)
