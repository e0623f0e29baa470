"""What an author probably meant: a value spelled the way of elsewhere, a word of another router, a variable's name.

Pure functions from what was written to what would be right here, or None. A guess is only made where it fits the form.
"""

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from router.policy import scalars, words
from router.policy.forms import Scalar
from router.values import NUSD_PER_USD

_DURATION_UNITS = {
    "ms": ("ms", "msec", "msecs", "millisecond", "milliseconds"),
    "s": ("s", "sec", "secs", "second", "seconds"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
}
_UNIT = {spelled: unit for unit, spellings in _DURATION_UNITS.items() for spelled in spellings}
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?|\.[0-9]{1,9}) *([a-z]+)[ ,]*")
_DIGITS = r"([0-9]{1,12}(?:[_, ][0-9]{3}){0,4}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})"  # groups of three: `1,500.50`
_COUNT = re.compile(rf"{_DIGITS} *([kKmM]?)(?: *tokens)?")
_MONEY = re.compile(rf"(?:USD|US\$|\$)? *{_DIGITS} *([kKmM]?) *(?:USD|dollars?|\$)?", re.IGNORECASE)
_SHARE = re.compile(r"% *([0-9.]{1,9})|([0-9.]{1,9}) *(?:%|percent)")
_CLOCK = re.compile(r"([0-9]{1,2})(?:[:.]([0-9]{2}))?(?::00)? *(am|pm)?", re.IGNORECASE)
_TIMES = {"": 1, "k": 1_000, "m": 1_000_000}


def meant(form: Scalar, text: str) -> str | None:
    """`30s` for `30 sec`, `90m` for `1h30m`, `200k` for `200K`, `$1500` for `$1,500`; None: who knows."""
    guess = _GUESSES.get(form.name)
    found = guess(text.strip()) if guess else None
    return found if found is not None and re.search(form.pattern or "", found) else None


def _duration(text: str) -> str | None:
    parts = _PART.findall(text.lower())
    if not parts or _PART.sub("", text.lower()) or any(unit not in _UNIT for _, unit in parts):
        return None
    ms = sum(Fraction(number) * scalars.MS_PER_UNIT[_UNIT[unit]] for number, unit in parts)
    return scalars.duration_text(int(ms)) if ms and ms.denominator == 1 else None


def _count(text: str) -> str | None:
    found = _COUNT.fullmatch(text)
    number = _number(found[1], found[2]) if found else Fraction(0)
    return scalars.count_text(int(number)) if number and number.denominator == 1 else None


def _money(text: str) -> str | None:
    found = _MONEY.fullmatch(text)
    nusd = _number(found[1], found[2]) * NUSD_PER_USD if found else Fraction(0)
    return scalars.money_text(int(nusd)) if nusd and nusd.denominator == 1 else None


def _number(digits: str, unit: str) -> Fraction:
    return Fraction(re.sub("[_, ]", "", digits)) * _TIMES[unit.lower()]


def _share(text: str) -> str | None:
    found = _SHARE.fullmatch(text)
    return f"{found[1] or found[2]}%" if found else None


def _clock(text: str) -> str | None:
    found = _CLOCK.fullmatch(text)
    if found is None or not (found[2] or found[3]):
        return None
    hour, half = int(found[1]), (found[3] or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return f"{hour:02d}:{found[2] or '00'}"


_GUESSES: Mapping[str, Callable[[str], str | None]] = MappingProxyType(
    {
        words.DURATION.name: _duration,
        words.COUNT.name: _count,
        words.MONEY.name: _money,
        words.SHARE.name: _share,
        words.CLOCK.name: _clock,
    }
)


_KINDS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("vllm", "llama.cpp", "llamacpp", "llama-cpp", "llama_cpp", "sglang"), "hosted_vllm"),
        **dict.fromkeys(("lmstudio", "lm-studio"), "lm_studio"),
        **dict.fromkeys(("google", "google-ai", "google_ai", "googleai"), "gemini"),
        **dict.fromkeys(("vertex", "vertexai", "vertex-ai", "google-vertex"), "vertex_ai"),
        **dict.fromkeys(("together", "togetherai", "together-ai"), "together_ai"),
        **dict.fromkeys(("fireworks", "fireworks-ai"), "fireworks_ai"),
        **dict.fromkeys(("azure-openai", "azure_openai", "azureopenai"), "azure"),
        **dict.fromkeys(("aws", "aws-bedrock", "amazon", "amazon-bedrock"), "bedrock"),
        "claude": "anthropic",
    }
)


def kind_meant(name: str) -> str | None:
    """The kind of a provider that goes by this name elsewhere; servers that speak OpenAI's wire are `hosted_vllm`."""
    return _KINDS.get(name.lower())


_NAME = r"([A-Z][A-Z0-9_]*)"  # small letters may be those of a secret, which no message shows
_REFERENCES = (
    re.compile(_NAME),
    re.compile(rf"\${_NAME}"),
    re.compile(rf"\$?\{{{{1,2}} *(?:env\.|env:)?{_NAME} *\}}{{1,2}}"),
    re.compile(rf"(?:os\.environ/|env\.|env:){_NAME}"),
)


def variable_in(text: str) -> str | None:
    """`OPENAI_API_KEY` for `$OPENAI_API_KEY`, `${OPENAI_API_KEY}`, `os.environ/OPENAI_API_KEY`, or just the name."""
    found = (reference.fullmatch(text) for reference in _REFERENCES)
    return next((match[1] for match in found if match), None)


class Habit(NamedTuple):
    """What a word of other routers is here: the key that says it, where that stands beside it, and how to write it."""

    key: str
    advice: str


_KEYS = Habit("keys", "`keys: [{env: NAME}]`")
_ADDRESS = Habit("base_url", "`base_url`")
_TARGETS = Habit("targets", "`targets: [provider/model]`")
_RATES = Habit("limits", "`limits: {requests_per_minute: 600, tokens_per_minute: 200k}`")
_BUDGET = Habit("budget", "`budget: {per_day: $25}`")
_TIMEOUT = Habit("timeout", "`timeout: {total: 45s, attempt: 8s}`")
_PARAMS = Habit("params", "`params: {temperature: 0}`")

_A_RATE = Habit("", "a rate: `limits: {requests_per_minute: 600, tokens_per_minute: 200k}`")
_ONE_REQUEST = Habit("", "the number of sends of one request: `ceiling: {attempts: 3}`")


def _no_longer(unit: str) -> Habit:
    """A window that would be longer than any: the nearest word would be a far larger budget."""
    return Habit("", f"`{unit}per_month` at the longest, or `{unit}in_total`, which never refills")


_SPANS = {
    word: Habit(key, f"`{key}`")
    for key, spellings in {
        "per_hour": ("hourly", "hour"),
        "per_day": ("daily", "day"),
        "per_week": ("weekly", "week"),
        "per_month": ("monthly", "month"),
        "in_total": ("total", "max", "lifetime"),
    }.items()
    for word in spellings
} | {
    **dict.fromkeys(
        ("per_second", "per_minute", "per_sec", "per_min"),
        Habit("", "`per_hour` at the least; rates stand in `limits`"),
    ),
    **dict.fromkeys(("yearly", "annual", "annually", "quarterly"), _no_longer("")),
    **{
        f"{unit}{window}": _no_longer(unit)
        for unit in ("", "tokens_", "requests_")
        for window in ("per_year", "per_quarter")
    },
    **{
        f"{unit}_{window}": _A_RATE
        for unit in ("requests", "tokens")
        for window in ("per_second", "per_minute")
    },
    **dict.fromkeys(("rpm", "tpm"), _A_RATE),
    "requests_per_request": _ONE_REQUEST,
}

_BUDGETS_OF_RATES = {
    f"{unit}_{window}": f"`budget: {{{unit}_{window}: {amount}}}`"
    for unit, amount in (("requests", "10k"), ("tokens", "2M"))
    for window in ("per_day", "per_week", "per_month", "in_total")
}
"""What no limit bounds, as the budget that does."""

_RATE_SPANS = {
    **dict.fromkeys(("rpm", "rpm_limit"), Habit("requests_per_minute", "`requests_per_minute`")),
    **dict.fromkeys(("tpm", "tpm_limit"), Habit("tokens_per_minute", "`tokens_per_minute`")),
    **{word: Habit("", f"a budget: {written}") for word, written in _BUDGETS_OF_RATES.items()},
    **{
        f"{unit}_per_year": Habit(
            "", f"a budget, of a month at the longest: {_BUDGETS_OF_RATES[f'{unit}_per_month']}"
        )
        for unit in ("requests", "tokens")
    },
}

_WITHOUT_BUDGET = {"model": "a model", "apiKey": "a key"}
"""What has limits and no budget."""

_HABITS: Mapping[str, Mapping[str, Habit]] = MappingProxyType(
    {
        "provider": {
            **dict.fromkeys(("api_key", "apikey", "key", "token"), _KEYS),
            **dict.fromkeys(("api_base", "endpoint", "url", "host"), _ADDRESS),
            **dict.fromkeys(("rpm", "tpm"), _RATES),
        },
        "policy": {
            **dict.fromkeys(("model", "models", "model_list", "deployments"), _TARGETS),
            **dict.fromkeys(
                ("fallback", "fallbacks"),
                Habit("", "the rest of `targets`: the next one is tried when one fails"),
            ),
            **dict.fromkeys(
                ("num_retries", "max_retries", "retries"), Habit("retry", "`retry: {attempts: 3}`")
            ),
            **dict.fromkeys(("max_budget", "budget_duration"), _BUDGET),
            **dict.fromkeys(("request_timeout", "stream_timeout"), _TIMEOUT),
            **dict.fromkeys(
                ("max_tokens", "max_output_tokens"), Habit("ceiling", "`ceiling: {output_tokens: 1k}`")
            ),
            **dict.fromkeys(("rpm", "tpm"), _RATES),
            **dict.fromkeys(("temperature", "top_p", "seed"), _PARAMS),
        },
        "tenant": {
            **dict.fromkeys(("models", "allowed_models"), Habit("allow", "`allow: [provider/*]`")),
            **dict.fromkeys(("max_budget", "budget_duration", "spend_limit"), _BUDGET),
            **dict.fromkeys(("rpm", "tpm", "rpm_limit", "tpm_limit"), _RATES),
        },
        "rule": {
            **dict.fromkeys(("if", "condition", "conditions", "match"), Habit("when", "`when: {...}`")),
            **dict.fromkeys(("then", "use", "route"), Habit("", "one of `targets`, `policy`, `reject`")),
        },
        "between": {
            **dict.fromkeys(
                ("greater_than", "more_than", "above", "gt", "min"), Habit("over", "`over`: more than")
            ),
            **dict.fromkeys(("less_than", "below", "under", "lt", "max"), Habit("up_to", "`up_to`: at most")),
        },
        "budget": _SPANS,
        "pool": _SPANS,
        "limits": _RATE_SPANS,
        "maxPrice": {
            "input": Habit("input_per_million", "`input_per_million`"),
            "output": Habit("output_per_million", "`output_per_million`"),
        },
    }
)


def habit(block: str, key: str, *, of: str = "") -> Habit | None:
    """What `key` is called here, in a block of that definition, which stands in one of the definition `of`."""
    if block == "limits" and of in _WITHOUT_BUDGET and key in _BUDGETS_OF_RATES:
        written = f"{_BUDGETS_OF_RATES[key]} of its provider holds for all of that together"
        return Habit("", f"a budget, and {_WITHOUT_BUDGET[of]} has none: {written}")
    return _HABITS.get(block, {}).get(key)


_WINDOW = re.compile(r"(^|_)per_")


def least_likeness(key: str) -> float:
    """How like a word of the language a key must be to be taken for it: one window is no slip of the hand for another,
    and may be hundreds of times as long."""
    return 0.8 if _WINDOW.search(key) else 0.6
