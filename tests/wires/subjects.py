"""The kinds that both wires are held against each other for: a few models of each, and where it is reached."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

KEY = "sk-live-0123456789abcdefghij"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """`base` is what stands between the address of the server and the path that litellm adds."""

    models: tuple[str, ...]
    base: str = "/v1"
    wire: Mapping[str, str] = field(default_factory=dict)
    key: str | None = KEY


_AWS = {
    "aws_access_key_id": "AKIA0123456789",
    "aws_secret_access_key": "secret-0123456789",
    "aws_region_name": "eu-central-1",
}

SUBJECTS: Mapping[str, Subject] = MappingProxyType({
    "ai21": Subject(models=("jamba-mini-1.7",), base="/studio/v1"),
    "anthropic": Subject(models=("claude-haiku-4-5", "claude-sonnet-4-5-20250929", "claude-opus-4-6"), base=""),
    "azure": Subject(models=("gpt-4o", "gpt-5-mini", "my-deployment"), base="", wire={"api_version": "2024-10-21"}),
    "azure_ai": Subject(models=("mistral-large", "claude-haiku-4-5"), base=""),
    "bedrock": Subject(
        models=("anthropic.claude-haiku-4-5-20251001-v1:0", "amazon.nova-lite-v1:0"), base="", wire=_AWS, key=None
    ),
    "cerebras": Subject(models=("llama3.1-8b", "gpt-oss-120b")),
    "cohere": Subject(models=("command-a-03-2025", "command-r7b-12-2024"), base="/v2/chat"),
    "dashscope": Subject(models=("qwen-plus", "qwen-flash")),
    "deepinfra": Subject(models=("Qwen/QwQ-32B", "meta-llama/Llama-3.3-70B-Instruct"), base="/v1/openai"),
    "deepseek": Subject(models=("deepseek-chat", "deepseek-reasoner")),
    "fireworks_ai": Subject(models=("accounts/fireworks/models/deepseek-v3p1", "deepseek-v4-pro-0813")),
    "gemini": Subject(models=("gemini-2.5-flash", "gemini-2.5-pro", "gemini-3.1-flash-lite"), base="/v1beta"),
    "groq": Subject(models=("openai/gpt-oss-20b", "qwen/qwen3.8-27b"), base="/openai/v1"),
    "hosted_vllm": Subject(models=("llama", "Qwen/Qwen3-8B")),
    "huggingface": Subject(models=("meta-llama/Llama-3.3-70B-Instruct",)),
    "hyperbolic": Subject(models=("Qwen/QwQ-32B",)),
    "lm_studio": Subject(models=("local",), key=None),
    "mistral": Subject(models=("mistral-medium-3", "ministral-3b-latest", "magistral-medium-latest")),
    "moonshot": Subject(models=("kimi-k2.5", "moonshot-v1-8k")),
    "nebius": Subject(models=("deepseek-ai/DeepSeek-V3",)),
    "novita": Subject(models=("deepseek/deepseek-v3.2",)),
    "nvidia_nim": Subject(models=("meta/llama3-70b-instruct",)),
    "ollama": Subject(models=("llama3", "gpt-oss:20b-cloud"), base="", key=None),
    "openai": Subject(models=("gpt-4o", "gpt-4.1-mini", "gpt-5-nano", "o3-mini", "responses/gpt-4.1", "llama")),
    "openrouter": Subject(
        models=("openai/gpt-4o", "anthropic/claude-sonnet-4.5", "google/gemini-2.5-flash"), base="/api/v1"
    ),
    "perplexity": Subject(models=("sonar", "sonar-reasoning-pro"), base=""),
    "sambanova": Subject(models=("DeepSeek-V3.1",)),
    "together_ai": Subject(models=("meta-llama/Llama-3.3-70B-Instruct-Turbo", "openai/gpt-oss-120b")),
    "xai": Subject(models=("grok-4.3", "grok-4.20-0309-reasoning")),
    "zai": Subject(models=("glm-4.6", "glm-5"), base="/api/paas/v4"),
})  # fmt: skip
