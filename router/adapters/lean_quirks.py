"""What `litellm.completion` adds around the provider classes that the lean wire takes the rest from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Shape = Literal["http", "sdk", "azure", "anthropic", "gemini"]
"""How a request is put together: by the provider's class alone, or as a part of litellm of its own does it. `sdk` and
`azure` go through the openai SDK, which has its own way with URLs, headers and `stream`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """How litellm gets from a provider's class to the wire."""

    shape: Shape = "http"
    base_url: str | None = None  # where neither the policy nor litellm's provider list names one
    base_url_names: tuple[str, ...] = ()  # environment variables that are asked before that
    headers: Mapping[str, str] = field(default_factory=dict)
    header_names: Mapping[str, str] = field(
        default_factory=dict
    )  # of `headers`, the variable that overrides one
    bearer: bool = False  # the key goes into `Authorization` before the class is asked
    plain: bool = False  # its answers are OpenAI's, though litellm has a class of its own to read them
    plain_with: str | None = None  # where they say this, that is: litellm's class does not read one without

    @property
    def through_sdk(self) -> bool:
        return self.shape in ("sdk", "azure")


_SDK = Quirks(shape="sdk")
_HTTP = Quirks()

QUIRKS: Mapping[str, Quirks] = {
    "ai21_chat": _SDK,
    "anthropic": Quirks(
        shape="anthropic",
        base_url="https://api.anthropic.com",
        base_url_names=("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"),
    ),
    "azure": Quirks(shape="azure", base_url_names=("AZURE_API_BASE",)),
    "cerebras": _SDK,
    "cohere_chat": Quirks(base_url="https://api.cohere.com/v2/chat", base_url_names=("COHERE_API_BASE",)),
    "dashscope": _SDK,
    "deepinfra": _SDK,
    "deepseek": _HTTP,
    "fireworks_ai": _HTTP,
    "gemini": Quirks(shape="gemini", base_url_names=("GEMINI_API_BASE",)),
    "groq": Quirks(
        base_url="https://api.groq.com/openai/v1",
        base_url_names=("GROQ_API_BASE",),
        plain=True,
        plain_with="service_tier",
    ),
    "hosted_vllm": Quirks(base_url_names=("HOSTED_VLLM_API_BASE",)),
    "huggingface": _HTTP,
    "hyperbolic": _SDK,
    "lm_studio": _SDK,
    "mistral": Quirks(base_url="https://api.mistral.ai/v1", base_url_names=("MISTRAL_API_BASE",), plain=True),
    "moonshot": _SDK,
    "nebius": _SDK,
    "novita": _SDK,
    "nvidia_nim": _SDK,
    "ollama_chat": Quirks(
        base_url="http://localhost:11434", base_url_names=("OLLAMA_API_BASE",), bearer=True
    ),
    "openai": Quirks(
        shape="sdk",
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
