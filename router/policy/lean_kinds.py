"""The kinds that `wire: auto` sends lean. Printed by `python -m tests.wires`; not to be edited."""

LEAN_KINDS: frozenset[str] = frozenset(
    {
        "ai21",
        "anthropic",
        "azure",
        "cerebras",
        "cohere",
        "dashscope",
        "deepinfra",
        "deepseek",
        "fireworks_ai",
        "gemini",
        "groq",
        "hosted_vllm",
        "huggingface",
        "hyperbolic",
        "lm_studio",
        "mistral",
        "moonshot",
        "nebius",
        "novita",
        "nvidia_nim",
        "ollama",
        "openai",
        "openrouter",
        "perplexity",
        "sambanova",
        "together_ai",
        "xai",
        "zai",
    }
)
