"""How a value of the wrong form is described: what it must be, what it is, and how to write it."""

import re
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from router.policy import words
from router.policy.document import Path
from router.policy.forms import Block, Form, ListOf, MapOf, Open, Scalar
from router.policy.guesses import kind_meant, meant, variable_in
from router.policy.scalars import COUNT, COUNT_UNITS, MONEY, MOST_TOKENS
from router.policy.traps import NO_SPACE, SECRET, Fault, no_space, odd_space, shown

_YES = {"on": "true", "yes": "true", "y": "true", "off": "false", "no": "false", "n": "false"}
_MODEL_ALONE = re.compile(r"[A-Za-z][A-Za-z0-9.:_-]*[0-9.:_-][A-Za-z0-9.:_-]*")
SECRETIVE = frozenset({"keys", "base_url", "env", "file", "api_key", "key", "token", "password"})


MOST_NAMES = 40
"""A longer list helps nobody."""

_MANY = 200
_NEIGHBOURS = 60


def close_to(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The one known word that `name` was probably meant to be."""
    names = sorted(set(known))
    close = get_close_matches(name, names if len(names) <= _MANY else _near(name, names), n=1, cutoff=cutoff)
    return close[0] if close else None


def _near(name: str, names: Sequence[str]) -> list[str]:
    """Of very many sorted names those that begin alike, or end alike: comparing with each takes a tenth of a second."""
    backwards = sorted(each[::-1] for each in names)
    at, back = bisect(names, name), bisect(backwards, name[::-1])
    ends = backwards[max(0, back - _NEIGHBOURS) : back + _NEIGHBOURS]
    return sorted({*names[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS], *(each[::-1] for each in ends)})


def suggestion(name: str, known: Iterable[str], *, what: str = "one of", cutoff: float = 0.6) -> str:
    """`did you mean ...?` where something is close, else what there is."""
    names = sorted(set(known))
    close = close_to(name, names, cutoff=cutoff)
    if close is not None:
        return f"did you mean `{close}`?"
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{what} {', '.join(names[:MOST_NAMES])}{more}" if names else ""


def label(path: Path) -> str:
    """What a value is called in a message: its key, or which item of which list it is."""
    if not path:
        return "the file"
    last = path[-1]
    return shown(last) if isinstance(last, str) else f"item {last + 1} of {label(path[:-1])}"


def expected(form: Form) -> str:
    match form:
        case Block(text=Scalar() as text):
            return f"{text.name} or a map"
        case ListOf(word=Scalar() as word):
            return f"{word.name} or {form.name}"
        case Block():
            return f"a map ({form.name})"
        case MapOf() | ListOf() | Scalar() | Open():
            return form.name


def is_secretive(path: Path) -> bool:
    """Whether what stands at `path` may be a secret that its author wrote where a reference belongs."""
    return bool(SECRETIVE.intersection(step for step in path if isinstance(step, str)))


def quoted(value: object, path: Path) -> str:
    """The offending value for a message, unless it may be a secret."""
    return "a value that is not shown here" if is_secretive(path) else shown(value)


def wrong_form(form: Form, value: object, path: Path, raw: str | None) -> Fault:
    """`raw` is the text of a plain scalar that YAML reads as a number or a truth value."""
    is_reference = isinstance(form, Block) and form.ref in ("secret", "apiKey")
    if is_reference and isinstance(value, str) and (name := variable_in(value)) and not looks_secret(value):
        message = f"{label(path)} must be a secret by reference, not text"
        return Fault("wrong-form", message, f"write `{{env: {name}}}`")
    if isinstance(value, str) and (secret := literal_secret(value, path)):
        return secret
    if isinstance(value, str) and not is_secretive(path) and (odd := odd_space(value)):
        return odd
    taken = isinstance(form, Scalar) and _later_word(form, value)
    if taken:
        message = f"`{label(path).strip('`')}: {taken}` is part of the language but not supported by this version yet"
        return Fault("unsupported", message, form.help if isinstance(form, Scalar) else "")
    if isinstance(form, Block) and isinstance(value, str) and (joined := _joined(form, value)):
        return joined
    if raw is not None and isinstance(form, Scalar | Block) and _wants_text(form, value):
        message = f"{label(path)} must be {expected(form)}, not {_kind(value, raw)}"
        return Fault("wrong-form", message, _unit_help(form, raw))
    message = f"{label(path)} must be {expected(form)}, not {quoted(value, path)}"
    if isinstance(form, ListOf) and is_secretive(path):
        return Fault("wrong-form", message, _listed_reference(value))
    return Fault("wrong-form", message, _help(form, None if is_secretive(path) else value))


def _listed_reference(value: object) -> str:
    """A secret by reference that stands without the list around it: only what is the name of a variable is shown."""
    name = value.get("env") if isinstance(value, dict) else value
    found = variable_in(name) if isinstance(name, str) and not looks_secret(name) else None
    return f"write a list: `[{{env: {found or 'NAME'}}}]`"


def _joined(form: Block, value: str) -> Fault | None:
    """`per_day:$25` where a map belongs."""
    close = NO_SPACE.fullmatch(value)
    return no_space(close[1], close[2]) if close and close[1] in (*form.keys, *form.later) else None


def _later_word(form: Scalar, value: object) -> str | None:
    return value if isinstance(value, str) and value in form.later else None


def literal_secret(value: str, path: Path) -> Fault | None:
    """A secret written out where a reference belongs, or one that shows wherever it stands. It is in no message."""
    in_address = (path[-1:] == ("base_url",) or path[:1] == ("settings",)) and _CARRIES_SECRET.search(
        value
    ) is not None
    if not (in_address or looks_secret(value) or _is_key(value, path)):
        return None
    advice = f"write where it is: `{{env: NAME}}` or `{{file: PATH}}`; {_REPLACE_IT}"
    return Fault("literal-secret", f"{label(path)} holds what looks like a secret", advice)


_REPLACE_IT = "and replace it, a secret in a file is no secret"


def secret_name(path: Path) -> Fault:
    """A secret among the keys of the map at `path`."""
    where = label(path) if path else "this file"
    return Fault(
        "literal-secret", f"{where} has a key that looks like a secret", f"take it out, {_REPLACE_IT}"
    )


_CARRIES_SECRET = re.compile(
    r"@|[?&;](?:[a-z_-]*key|[a-z_-]*token|sig|signature|code|password|secret)=", re.IGNORECASE
)
"""In an address: a name and password before the host, or a key among its arguments."""


def looks_secret(value: str) -> bool:
    """The prefix of a known kind of key, and the mix of letters and digits that names do not have."""
    found = SECRET.search(value)
    return found is not None and all(re.search(kind, found[0]) for kind in ("[a-z]", "[A-Z]", "[0-9]"))


def _is_key(value: str, path: Path) -> bool:
    """Text where `keys` holds references, that is no variable's name."""
    where_keys_are = "keys" in path[-3:] and (path[-1] == "env" or isinstance(path[-1], int))
    return where_keys_are and len(value) > 8 and variable_in(value) is None


def _wants_text(form: Scalar | Block, value: object) -> bool:
    wanted = form if isinstance(form, Scalar) else form.text
    return wanted is not None and "string" in wanted.types and not isinstance(value, str | list | dict)


def _kind(value: object, raw: str) -> str:
    if isinstance(value, bool):
        return f"the truth value {shown(value)}"
    return (
        f"the number {shown(value)}"
        if raw == str(value)
        else f"{shown(raw)}, which is the number {shown(value)}"
    )


def _unit_help(form: Scalar | Block, raw: str) -> str:
    """What to write in place of a plain number or truth value."""
    text = form.text if isinstance(form, Block) else form
    if text is None or not raw.replace(".", "", 1).isdigit():
        return form.help
    if large := too_large(text, raw):
        return large
    if text.name == words.SHARE.name:
        return f"write a percentage: `{float(raw) * 100:g}%`" if float(raw) <= 1 else f"write `{raw}%`"
    units = {words.DURATION.name: (f"{raw}s", f"{raw}ms"), words.MONEY.name: (f"${raw}",)}
    fitting = [f"`{unit}`" for unit in units.get(text.name, ()) if re.search(text.pattern or "", unit)]
    if fitting:
        return f"say the unit: {', '.join(fitting)}"
    fits_quoted = not text.words and re.search(text.pattern or "", raw) is not None
    return f'quote it: "{raw}"' if fits_quoted and "integer" not in text.types else form.help


def _help(form: Form, value: object) -> str:
    text = form.text if isinstance(form, Block) else form
    if isinstance(text, Scalar) and isinstance(value, str) and (advice := _help_of_text(text, value)):
        return advice
    if isinstance(form, Scalar) and isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        return f"one value, not a list: {shown(value[0])}"
    if isinstance(form, Scalar) and form.types == ("boolean",) and str(value).lower() in _YES:
        return f"write `{_YES[str(value).lower()]}`: to YAML 1.2 {shown(value)} is text"
    if isinstance(form, ListOf) and isinstance(value, str) and (advice := _help_of_item(form.item, value)):
        return f"write a list, `[...]`: {advice}"
    if isinstance(form, ListOf) and isinstance(value, str | dict):
        return f"write a list: {_listed(value)}"
    if isinstance(text, Scalar) and text.words and isinstance(value, str):
        close = close_to(value, [str(word) for word in text.words])
        if close is not None:
            return f"did you mean `{close}`?"
    if isinstance(value, str) and _is_model_alone(form, value):
        return f"say whose model it is: {shown(f'provider/{value}')}"
    if isinstance(form, Scalar | Block):
        return form.help
    if isinstance(form, MapOf):
        named = [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
        return form.help or f"write a map: `{{{named[0] if named else 'name'}: {{...}}}}`"
    return ""


def _help_of_text(form: Scalar, value: str) -> str:
    """Empty where nothing is known of what was meant."""
    if form is words.KIND and (kind := kind_meant(value)):
        return f"here that is `{kind}`"
    if form.types == ("integer",) and value.isdecimal():
        return f"a number has no quotes: `{value}`"
    if large := too_large(form, value):
        return large
    guess = meant(form, value)
    return f"did you mean {_as_written(form, guess)}?" if guess else ""


class _Most(NamedTuple):
    """A number as it would be written without a bound, and the bound."""

    form: re.Pattern[str]
    number: int
    text: str


_MOST: Mapping[str, _Most] = {
    COUNT: _Most(re.compile(r"([0-9]{1,40})(?:\.[0-9]+)?([kM]?)"), MOST_TOKENS, str(MOST_TOKENS)),
    MONEY: _Most(re.compile(r"\$([0-9]{1,40})(?:\.[0-9]+)?()"), 10**9 - 1, f"${10**9 - 1}"),
}
"""By the pattern of a scalar."""


def too_large(form: Scalar, text: str) -> str:
    """Empty for what is wrong in another way."""
    most = _MOST.get(form.pattern or "")
    found = most.form.fullmatch(text) if most else None
    if most is None or found is None or int(found[1]) * COUNT_UNITS.get(found[2], 1) <= most.number:
        return ""
    return f"that is too large: at most `{most.text}`"


def _help_of_item(form: Form, value: str) -> str:
    """Empty where the text would do as an item, or is no scalar and is judged when it is one."""
    if not isinstance(form, Scalar):
        return ""
    fits = value in form.words if form.words else re.search(form.pattern or "", value) is not None
    return "" if fits else form.help


def _is_model_alone(form: Form, value: str) -> bool:
    text = form.text if isinstance(form, Block) else form
    return text is words.TARGET_TEXT and _MODEL_ALONE.fullmatch(value) is not None


def _as_written(form: Scalar, text: str) -> str:
    return f'`"{text}"`' if form.name == words.CLOCK.name else f"`{text}`"


def _listed(value: object) -> str:
    text = shown(value)
    return f"`[{text[1:-1]}]`" if text.startswith("`") and value else "`[...]`"
