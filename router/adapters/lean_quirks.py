"""What `litellm.completion` adds around the provider classes that the lean wire takes the rest from."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """How litellm gets from a provider's class to the wire."""

    through_sdk: bool = False  # by the openai SDK, which has its own way with URLs, headers and `stream`
    base_url: str | None = None  # where neither the policy nor litellm's provider list names one
    base_url_names: tuple[str, ...] = ()  # environment variables that are asked before that
    headers: Mapping[str, str] = field(default_factory=dict)
    header_names: Mapping[str, str] = field(
        default_factory=dict
    )  # of `headers`, the variable that overrides one
    plain: bool = False  # its answers are OpenAI's, though litellm has a class of its own to read them
    plain_with: str | None = None  # where they say this, that is: litellm's class does not read one without


_SDK = Quirks(through_sdk=True)
_HTTP = Quirks()

QUIRKS: Mapping[str, Quirks] = {
    "cerebras": _SDK,
    "deepinfra": _SDK,
    "deepseek": _HTTP,
    "groq": Quirks(base_url="https://api.groq.com/openai/v1", base_url_names=("GROQ_API_BASE",), plain=True),
    "hosted_vllm": Quirks(base_url_names=("HOSTED_VLLM_API_BASE",)),
    "huggingface": _HTTP,
    "mistral": Quirks(base_url="https://api.mistral.ai/v1", base_url_names=("MISTRAL_API_BASE",), plain=True),
    "nvidia_nim": _SDK,
    "openai": Quirks(
        through_sdk=True,
        base_url="https://api.openai.com/v1",
        base_url_names=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    ),
    "openrouter": Quirks(
        base_url="https://openrouter.ai/api/v1",
        base_url_names=("OPENROUTER_API_BASE",),
        headers={"HTTP-Referer": "https://litellm.ai", "X-Title": "liteLLM"},
        header_names={"HTTP-Referer": "OR_SITE_URL", "X-Title": "OR_APP_NAME"},
        plain=True,
    ),
    "perplexity": _SDK,
    "sambanova": _SDK,
    "together_ai": _HTTP,
    "xai": _HTTP,
    "zai": _SDK,
}
"""By litellm's name of the provider. Who is not here goes by litellm's own wire."""
