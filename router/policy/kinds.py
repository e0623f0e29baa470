"""The providers litellm can speak to that this version knows: their keys, addresses and further wire settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKind:
    """`key` is the standard environment variable, None where calls carry no API key (`ambient` says what they carry).

    `wire` maps a word of the provider block to litellm's name for that setting. `base_url` is the default address
    where litellm has none of its own; `base_url_needed` where only the owner of the account knows it.
    """

    key: str | None
    key_optional: bool = False
    base_url: str | None = None
    base_url_needed: bool = False
    wire: Mapping[str, str] = field(default_factory=dict)


def _hosted(key: str) -> KnownKind:
    return KnownKind(key=key)


def _addressed(key: str, **wire: str) -> KnownKind:
    return KnownKind(key=key, base_url_needed=True, wire=wire)


def _local(base_url: str | None) -> KnownKind:
    return KnownKind(key=None, base_url=base_url, base_url_needed=base_url is None)


KINDS: Mapping[str, KnownKind] = MappingProxyType(
    {
        "ai21": _hosted("AI21_API_KEY"),
        "anthropic": _hosted("ANTHROPIC_API_KEY"),
        "azure": _addressed("AZURE_API_KEY", api_version="api_version"),
        "azure_ai": _addressed("AZURE_AI_API_KEY", api_version="api_version"),
        "bedrock": KnownKind(key=None, wire={"region": "aws_region_name"}),
        "cerebras": _hosted("CEREBRAS_API_KEY"),
        "cloudflare": _addressed("CLOUDFLARE_API_KEY"),
        "cohere": _hosted("COHERE_API_KEY"),
        "dashscope": _hosted("DASHSCOPE_API_KEY"),
        "databricks": _addressed("DATABRICKS_API_KEY"),
        "deepinfra": _hosted("DEEPINFRA_API_KEY"),
        "deepseek": _hosted("DEEPSEEK_API_KEY"),
        "fireworks_ai": _hosted("FIREWORKS_API_KEY"),
        "gemini": _hosted("GEMINI_API_KEY"),
        "groq": _hosted("GROQ_API_KEY"),
        "hosted_vllm": KnownKind(key="HOSTED_VLLM_API_KEY", key_optional=True, base_url_needed=True),
        "huggingface": _hosted("HF_TOKEN"),
        "hyperbolic": _hosted("HYPERBOLIC_API_KEY"),
        "lm_studio": _local("http://localhost:1234/v1"),
        "mistral": _hosted("MISTRAL_API_KEY"),
        "moonshot": _hosted("MOONSHOT_API_KEY"),
        "nebius": _hosted("NEBIUS_API_KEY"),
        "novita": _hosted("NOVITA_API_KEY"),
        "nvidia_nim": _hosted("NVIDIA_NIM_API_KEY"),
        "ollama": _local("http://localhost:11434"),
        "openai": _hosted("OPENAI_API_KEY"),
        "openrouter": _hosted("OPENROUTER_API_KEY"),
        "perplexity": _hosted("PERPLEXITYAI_API_KEY"),
        "sambanova": _hosted("SAMBANOVA_API_KEY"),
        "snowflake": _addressed("SNOWFLAKE_JWT"),
        "together_ai": _hosted("TOGETHER_API_KEY"),
        "vertex_ai": KnownKind(key=None, wire={"project": "vertex_project", "region": "vertex_location"}),
        "watsonx": _addressed("WATSONX_API_KEY", project="project_id"),
        "xai": _hosted("XAI_API_KEY"),
        "zai": _hosted("ZAI_API_KEY"),
    }
)

WIRE_WORDS: tuple[str, ...] = tuple(sorted({word for kind in KINDS.values() for word in kind.wire}))
