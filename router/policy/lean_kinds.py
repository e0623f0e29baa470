"""The kinds that `wire: auto` sends lean. Printed by `python -m tests.wires`; not to be edited."""

LEAN_KINDS: frozenset[str] = frozenset(
    {
        "ai21",
        "azure",
        "cerebras",
        "cohere",
        "dashscope",
        "deepinfra",
        "deepseek",
        "fireworks_ai",
        "groq",
        "hosted_vllm",
        "huggingface",
        "hyperbolic",
        "mistral",
        "moonshot",
        "nvidia_nim",
        "openai",
        "openrouter",
        "perplexity",
        "sambanova",
        "together_ai",
        "xai",
        "zai",
    }
)
