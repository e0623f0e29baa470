"""Which provider a model belongs to: as litellm finds it, from the text of the model and the address."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from router.policy.kinds import KINDS
from router.policy.lenient import Written
from router.policy.traps import SECRET, shown
from router.tools.litellm_import.facts import ENDPOINTS, MEANT, OPENAI_LIKE, OTHER_NAMES, PROVIDERS
from router.tools.litellm_import.models import Book


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """`kind` is one of ours; `base_url` and `key` are what the kind does not say itself; `note` what changed."""

    kind: str
    model: str
    base_url: str | None = None
    key: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaced:
    """Why a model has no provider that this version speaks to."""

    message: str
    help: str = ""


def origin_of(text: str, provider: Written | None, api_base: Written | None, book: Book) -> Origin | Unplaced:
    """The provider as litellm finds it: named apart, before the first `/`, by the address, by its price file."""
    if SECRET.search(text):
        return Unplaced(message=f"{shown(text)} is no model's name")
    if text.startswith("os.environ/") or "${" in text:
        return Unplaced(
            message=f"its model is chosen by a variable ({shown(text)})",
            help="say what it is to the import: `--set NAME=openai/gpt-5-mini`",
        )
    if provider is not None and provider.text:
        return _of_provider(provider.text, text.removeprefix(f"{provider.text}/"))
    prefix, slash, rest = text.partition("/")
    if slash and prefix in PROVIDERS:
        return _of_provider(prefix, rest)
    by_address = _by_address(api_base.text if api_base else "")
    if by_address is not None:
        return _of_provider(by_address, text)
    kind = book.kind_of_bare(text)
    return _of_provider(kind, text) if kind else _nobody(text, api_base.text if api_base else "")


def _of_provider(provider: str, model: str) -> Origin | Unplaced:
    if not model or re.search(r"\s", model) or SECRET.search(model):
        return Unplaced(message=f"{shown(model)} is no model's name")
    if provider == "ollama" and model.startswith("chat/"):
        model = model.removeprefix("chat/")
    kind = OTHER_NAMES.get(provider, provider)
    if kind in KINDS:
        return Origin(kind=kind, model=model)
    if provider in OPENAI_LIKE:
        base_url, key = OPENAI_LIKE[provider]
        note = f"a target; `{provider}` is no kind here: it is called as one that speaks OpenAI's format"
        return Origin(kind="openai", model=model, base_url=base_url, key=key, note=note)
    advice = "a server that speaks OpenAI's format is `openai/MODEL` with an `api_base`"
    return Unplaced(
        message=f"this version does not speak to {shown(provider)}",
        help=f"it speaks to {', '.join(KINDS)}; {advice}",
    )


def _by_address(address: str) -> str | None:
    parts = urlsplit(address)
    where = f"{(parts.hostname or '')}{parts.path}"
    return next((kind for start, kind in ENDPOINTS.items() if f"{where}/".startswith(f"{start}/")), None)


def _nobody(text: str, address: str) -> Unplaced:
    prefix, slash, rest = text.partition("/")
    message = f"litellm finds no provider for {shown(text)}, and drops the deployment or fails its calls"
    host = urlsplit(address).hostname or ""
    if kind := next((kind for kind in KINDS if kind in host.split(".")), None):
        return Unplaced(message=message, help=f"write `{kind}/{text}`")
    start = next((MEANT[word] for word in MEANT if slash and prefix == word), None)
    if start is None and not slash and text.startswith("claude"):
        start, rest = "anthropic", text
    if start is not None:
        return Unplaced(message=message, help=f"write `{start}/{rest}`")
    return Unplaced(
        message=message, help=f"write the provider before it: `openai/{text}`, `openrouter/{text}`, ..."
    )
