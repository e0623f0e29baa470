"""Whatever a config holds: the import never fails over it, tells every key once, and writes what passes its check."""

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from router.policy.load import load
from router.tools.litellm_import import facts
from router.tools.litellm_import.report import document, text
from router.tools.litellm_import.run import import_config
from tests.tools.litellm_import.parts import book

SECRET = "sk-Not4nybodysBusiness99"
GROUPS = ("gpt", "Claude 3", "openai/gpt-4o", "llama", "all", "*", "anthropic/*")
MODELS = (
    "openai/gpt-4o", "gpt-4o", "anthropic/claude-haiku-4-5", "azure/ours", "ollama/llama3", "groq/x:y",
    "openrouter/a/b", "bedrock/amazon.nova-lite-v1:0", "vertex_ai/gemini-2.5-pro", "github/gpt-4o", "voyage/v",
    "os.environ/M", "anthropic/*", "*", "openai/text-embedding-3-small", "watsonx/ibm", "cloudflare/@cf/x", "",
)  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**6),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from(
        ("", " ", "a b", "1d", "30d", "3e-06", "0.2", "off", SECRET, "os.environ/A_KEY", "${A_KEY}", "none", "${A}/v1",
         "http://h:1/v1", f"https://u:{SECRET}@h/v1", "https://api.groq.com/openai/v1", "least-busy", "2024-10-21",
         "redis", "Europe/Berlin", "chat", "embedding", "azure/gpt-4o", "# x: [", "é\u2028", *GROUPS, *MODELS)
    ),
)  # fmt: skip
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda below: st.one_of(
        st.lists(below, max_size=3),
        st.dictionaries(st.sampled_from((*GROUPS, "model", "a")), below, max_size=3),
    ),
    max_leaves=6,
)


def some_of(names: frozenset[str]) -> st.SearchStrategy[dict[str, Any]]:
    """A map with keys that litellm reads, and any values."""
    return st.dictionaries(st.sampled_from(sorted(names)), ANYTHING, max_size=5)


def either(form: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly of its form."""
    return st.one_of(form, form, form, form, ANYTHING)


FALLBACKS = either(
    st.lists(
        st.dictionaries(
            st.sampled_from(GROUPS), st.lists(st.sampled_from(GROUPS), max_size=3), min_size=1, max_size=1
        ),
        max_size=4,
    )
)
PARAMS = st.builds(
    lambda model, rest: {"model": model, **rest},
    either(st.sampled_from(MODELS)),
    some_of(facts.READS["litellm_params"]),
)
DEPLOYMENT = st.fixed_dictionaries(
    {"model_name": either(st.sampled_from(GROUPS)), "litellm_params": either(PARAMS)},
    optional={
        "model_info": either(some_of(facts.READS["model_info"] | {"supports_vision", "owner"})),
        "x": ANYTHING,
    },
)
ROUTER = st.builds(
    lambda some, fallbacks: {**some, **fallbacks},
    some_of(facts.READS["router_settings"]),
    st.dictionaries(
        st.sampled_from(("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")),
        FALLBACKS,
        max_size=3,
    ),
)
GOOD = st.builds(
    lambda group, model, rest: {"model_name": group, "litellm_params": {**rest, "model": model}},
    st.sampled_from(GROUPS[:5]),
    st.sampled_from([model for model in MODELS[:10] if model != "azure/ours"]),
    some_of(facts.READS["litellm_params"]),
)
MODEL_LIST = st.builds(
    lambda good, others: [*good, *others],
    st.lists(GOOD, min_size=1, max_size=4),
    st.lists(either(DEPLOYMENT), max_size=3),
)
LIBRARY = st.builds(
    lambda some, budget: {**some, **budget},
    some_of(facts.READS["litellm_settings"]),
    st.dictionaries(
        st.sampled_from(("max_budget", "budget_duration", "cache", "num_retries")), SCALARS, max_size=4
    ),
)
CONFIG = st.fixed_dictionaries(
    {"model_list": either(MODEL_LIST)},
    optional={
        "router_settings": either(ROUTER),
        "litellm_settings": either(LIBRARY),
        "general_settings": either(some_of(facts.READS["general_settings"])),
        "environment_variables": ANYTHING,
        "credential_list": ANYTHING,
        "rate_limiting": ANYTHING,
    },
)


@settings(max_examples=200)
@given(CONFIG)
def test_any_config(config: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
        found = import_config(folder / "config.yaml", book())
        assert found.problem is None or found.problem.place.line >= 1
        told = [
            (key["line"], key["column"], key["key"])
            for each in document(found)["findings"]
            for key in each["keys"]
        ]
        paths = [(place, path) for each in found.findings for path, place in each.keys]
        assert len(paths) == len(set(paths)) == len(told) == leaves(config)
        whole = "".join(found.files.values()) + "\n".join(line.text for line in text(found))
        assert SECRET not in whole
        for file, content in found.files.items():
            (folder / "policies").mkdir(exist_ok=True)
            (folder / "policies" / file).write_text(content, encoding="utf-8")
        if found.files:
            assert [str(each) for each in load(folder / "policies", book().prices).errors] == []


def leaves(value: Any) -> int:
    """How many keys and items hold no further ones."""
    if isinstance(value, dict) and value:
        return sum(leaves(below) for below in value.values())
    if isinstance(value, list) and value:
        return sum(leaves(below) for below in value)
    return 1
