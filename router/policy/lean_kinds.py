"""The kinds that `wire: auto` sends lean. Printed by `python -m tests.wires`; not to be edited."""

LEAN_KINDS: frozenset[str] = frozenset(
    {
        "cerebras",
        "deepinfra",
        "deepseek",
        "groq",
        "hosted_vllm",
        "huggingface",
        "mistral",
        "nvidia_nim",
        "openai",
        "perplexity",
        "sambanova",
        "together_ai",
        "xai",
        "zai",
    }
)
