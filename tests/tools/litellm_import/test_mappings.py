"""Every mapping of the import, on small configs: what it becomes, and what the report says of it."""

from pathlib import Path
from typing import Any

import pytest

from router.decide.classify import DEFAULT_FALL_BACK_ON
from router.policy.scalars import money_text
from router.tools.litellm_import.outcomes import Danger, Outcome
from router.values import Kind, SecretRef
from tests.tools.litellm_import.parts import Made, findings_on, make, run

IMPORTED, CHANGED = Outcome.IMPORTED, Outcome.CHANGED
NO_EFFECT, REFUSED, DATABASE = Outcome.NO_EFFECT, Outcome.NOT_SUPPORTED, Outcome.NEEDS_DATABASE


def deployment(group: str, model: str, params: str = "", info: str = "") -> str:
    """One item of model_list."""
    rest = f", {params}" if params else ""
    tail = f"\n    model_info: {{{info}}}" if info else ""
    return f"  - model_name: {group}\n    litellm_params: {{model: {model}{rest}}}{tail}\n"


def config(*items: str, rest: str = "") -> str:
    return f"model_list:\n{''.join(items)}{rest}"


GPT = deployment("gpt", "openai/gpt-4o")
MINI = deployment("mini", "openai/gpt-4o-mini")
CLAUDE = deployment("claude", "anthropic/claude-haiku-4-5")


class TestProviders:
    def test_the_kind_s_own_key_is_not_written(self, tmp_path: Path) -> None:
        made = make(
            config(deployment("gpt", "openai/gpt-4o", "api_key: os.environ/OPENAI_API_KEY")), tmp_path
        )
        assert "\n  openai: {}" in made.text("providers.yaml")
        assert made.plan.providers["openai"].keys[0].name == "OPENAI_API_KEY"
        assert made.one("model_list[].litellm_params.api_key")[0] is IMPORTED

    def test_distinct_keys_and_addresses_are_distinct_providers(self, tmp_path: Path) -> None:
        made = make(
            config(
                deployment("a", "openai/gpt-4o"),
                deployment("b", "openai/gpt-4o", "api_key: os.environ/OPENAI_API_KEY_2"),
                deployment(
                    "c", "azure/gpt-4o", "api_base: os.environ/AZURE_WEU_API_BASE, api_version: '2024-10-21'"
                ),
                deployment(
                    "d", "openai/x", "api_base: 'https://api.bizrouter.ai/v1', api_key: os.environ/BIZ_KEY"
                ),
                deployment(
                    "e", "bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0", "aws_region_name: eu-west-1"
                ),
                deployment("f", "vertex_ai/gemini-2.5-pro", "vertex_project: ours, vertex_location: global"),
            ),
            tmp_path,
        )
        providers = made.plan.providers
        assert [made.targets(name)[0].partition("/")[0] for name in "abcdef"] == [
            "openai", "openai-2", "azure-weu", "biz", "bedrock-eu-west-1", "vertex_ai-global",
        ]  # fmt: skip
        assert providers["azure-weu"].wire == {"api_version": "2024-10-21"}
        assert providers["azure-weu"].keys[0].name == "AZURE_API_KEY"
        assert providers["biz"].base_url == "https://api.bizrouter.ai/v1"
        assert providers["bedrock-eu-west-1"].wire == {"aws_region_name": "eu-west-1"}
        assert providers["vertex_ai-global"].wire == {"vertex_project": "ours", "vertex_location": "global"}

    def test_an_address_that_litellm_reads_from_a_variable(self, tmp_path: Path) -> None:
        made = make(config(deployment("a", "azure/gpt-4o")), tmp_path)
        address = made.plan.providers["azure"].base_url
        assert isinstance(address, SecretRef)
        assert address.name == "AZURE_API_BASE"

    def test_a_secret_that_is_written_out_is_named_and_never_copied(self, tmp_path: Path) -> None:
        secrets = ("sk-aaaaaaaaaaaaaaaa1A", "sk-bbbbbbbbbbbbbbbb2B")
        made = make(
            config(
                deployment("a", "openai/gpt-4o", f"api_key: {secrets[0]}"),
                deployment("b", "openai/gpt-4o-mini", f"api_key: {secrets[0]}"),
                deployment("c", "openai/gpt-4o", f"api_key: {secrets[1]}"),
                deployment(
                    "d", "openai/x", "api_base: 'https://u:pw@host.example/v1', api_key: os.environ/K"
                ),
            ),
            tmp_path,
        )
        assert [made.targets(name)[0] for name in "abc"] == [
            "openai/gpt-4o",
            "openai/gpt-4o-mini",
            "openai-2/gpt-4o",
        ]
        assert made.plan.providers["openai-2"].keys[0].name == "OPENAI_API_KEY_2"
        everything = "".join(made.imported.files.values()) + repr(made.imported.findings)
        assert not any(secret in everything for secret in (*secrets, "pw@host"))
        dangers = [
            each.verdict.danger for each in findings_on(made.imported, "model_list[].litellm_params.api_key")
        ]
        assert dangers.count(Danger.SECRET) == 3
        assert [
            each.verdict.danger for each in findings_on(made.imported, "model_list[].litellm_params.api_base")
        ] == [Danger.SECRET]

    def test_a_shell_variable_is_what_litellm_never_expands(self, tmp_path: Path) -> None:
        made = make(
            config(deployment("a", "openai/x", "api_key: '${VENDOR_KEY}', api_base: '${VENDOR_URL}'")),
            tmp_path,
        )
        outcome, message = made.one("model_list[].litellm_params.api_key")
        assert outcome is CHANGED
        assert "litellm expands only `os.environ/NAME`" in message
        assert made.plan.providers["vendor"].keys[0].name == "VENDOR_KEY"

    def test_a_server_that_wants_no_key(self, tmp_path: Path) -> None:
        made = make(
            config(
                deployment("a", "openai/qwen3", "api_base: 'http://localhost:8000/v1', api_key: dummy"),
                deployment("b", "ollama/llama3", "api_base: 'http://ollama:11434', api_key: none"),
            ),
            tmp_path,
        )
        assert {each.kind: each.keys[0].secret for each in made.plan.providers.values()} == {
            "hosted_vllm": None,
            "ollama": None,
        }

    def test_a_credential_by_name(self, tmp_path: Path) -> None:
        rest = """\
credential_list:
  - credential_name: free
    credential_values: {api_key: os.environ/FREE_KEY}
    credential_info: {description: ours}
"""
        made = make(
            config(
                deployment("a", "openai/gpt-4o", "litellm_credential_name: free"),
                deployment("b", "openai/gpt-4o", "litellm_credential_name: gone"),
                rest=rest,
            ),
            tmp_path,
        )
        assert made.targets("a") == ["openai-free/gpt-4o"]
        told = made.told("model_list[].litellm_params.litellm_credential_name")
        assert [outcome for outcome, _ in told] == [IMPORTED, NO_EFFECT]
        assert made.one("credential_list[].credential_values.api_key")[0] is IMPORTED

    def test_variables_of_the_provider_s_own_tools(self, tmp_path: Path) -> None:
        params = (
            "aws_region_name: os.environ/AWS_REGION, aws_access_key_id: os.environ/AWS_ACCESS_KEY_ID, "
            "aws_secret_access_key: 'wJalr-written-out'"
        )
        model = "bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0"
        made = make(config(deployment("a", model, params)), tmp_path)
        assert made.one("model_list[].litellm_params.aws_region_name")[0] is IMPORTED
        assert made.one("model_list[].litellm_params.aws_access_key_id")[0] is IMPORTED
        assert made.one("model_list[].litellm_params.aws_secret_access_key")[0] is REFUSED
        assert "wJalr" not in repr(made.imported)

    def test_a_region_from_a_variable_is_not_supported_unless_it_is_given(self, tmp_path: Path) -> None:
        text = config(deployment("a", "vertex_ai/gemini-2.5-pro", "vertex_project: os.environ/OURS"))
        assert make(text, tmp_path).one("model_list[].litellm_params.vertex_project")[0] is REFUSED


class TestOrigins:
    @pytest.mark.parametrize(
        ("model", "params", "target"),
        [
            ("gpt-4o", "", "openai/gpt-4o"),
            ("claude-haiku-4-5", "", "anthropic/claude-haiku-4-5"),
            (
                "llama-3.3-70b-versatile",
                "api_base: 'https://api.groq.com/openai/v1'",
                "groq/llama-3.3-70b-versatile",
            ),
            ("ollama_chat/llama3", "", "ollama/llama3"),
            ("anything/at-all", "custom_llm_provider: openrouter", "openrouter/anything/at-all"),
            ("openrouter/openai/gpt-oss-20b:free", "", "openrouter/openai/gpt-oss-20b:free"),
            ("github/gpt-4o", "", "github/gpt-4o"),
        ],
    )
    def test_the_provider_is_found_as_litellm_finds_it(
        self, model: str, params: str, target: str, tmp_path: Path
    ) -> None:
        assert make(config(deployment("a", model, params)), tmp_path).targets("a") == [target]

    @pytest.mark.parametrize(
        ("model", "params", "message", "advice"),
        [
            ("google/gemini-2.5-pro", "", "finds no provider", "write `gemini/gemini-2.5-pro`"),
            (
                "google/gemma-3",
                "api_base: 'https://openrouter.ai/api/v1'",
                "finds no",
                "write `openrouter/google/gemma-3`",
            ),
            ("claude-2-of-old", "", "finds no provider", "write `anthropic/claude-2-of-old`"),
            ("replicate/some/thing", "", "does not speak to `replicate`", "it speaks to"),
            ("os.environ/MODEL", "", "chosen by a variable", "--set"),
            ("openai/text-embedding-3-small", "", "is for embedding", ""),
            ("ollama/nomic-embed-text", "", "something else than chat", ""),
        ],
    )
    def test_what_can_t_be_called_is_refused_whole(
        self, model: str, params: str, message: str, advice: str, tmp_path: Path
    ) -> None:
        made = make(config(GPT, deployment("a", model, params, "owner: us")), tmp_path)
        (found,) = findings_on(made.imported, "model_list[]")
        assert found.outcome is REFUSED
        assert message in found.verdict.message
        assert advice in found.verdict.help
        assert set(made.plan.policies) == {"gpt"}
        assert made.one("model_list[].model_info.owner")[0] is NO_EFFECT

    def test_a_mode_that_is_written_goes_before_the_name(self, tmp_path: Path) -> None:
        made = make(
            config(
                GPT,
                deployment("a", "openai/our-embed", info="mode: chat"),
                deployment("b", "openai/our-model", info="mode: embedding"),
            ),
            tmp_path,
        )
        assert set(made.plan.policies) == {"gpt", "a"}

    def test_a_variable_that_chooses_the_model_can_be_given(self, tmp_path: Path) -> None:
        from router.tools.litellm_import.run import import_config
        from tests.tools.litellm_import.parts import book

        path = tmp_path / "config.yaml"
        path.write_text(config(deployment("a", "os.environ/MODEL"), deployment("b", "'openai/${NAME:-x}'")))
        found = import_config(path, book(), {"MODEL": "anthropic/claude-haiku-4-5", "NAME": "gpt-4o"})
        assert found.problem is None
        assert "- anthropic/claude-haiku-4-5" in found.files["policies.yaml"]
        assert "- openai/gpt-4o" in found.files["policies.yaml"]


class TestModels:
    def test_what_is_said_of_a_model_that_nobody_knows(self, tmp_path: Path) -> None:
        info = (
            "max_input_tokens: 131072, max_output_tokens: 8192, input_cost_per_token: 3e-06, output_cost_per_token: "
            "0.000015, cache_read_input_token_cost: 3.0e-7, supports_vision: true, supports_function_calling: true"
        )
        made = make(config(deployment("a", "openai/ours", info=info)), tmp_path)
        target = made.plan.targets["openai/ours"]
        assert (target.context_tokens, target.max_output_tokens) == (131072, 8192)
        assert target.supports == {"vision", "tools"}
        assert target.prices is not None
        tier = target.prices.tiers[0]
        assert (tier.input_ausd, tier.output_ausd, tier.cached_input_ausd) == (
            3 * 10**12,
            15 * 10**12,
            3 * 10**11,
        )
        assert "input_per_million: $3, output_per_million: $15, cached_per_million: $0.30" in made.text(
            "providers.yaml"
        )

    def test_a_model_without_a_word_is_declared_and_has_no_price(self, tmp_path: Path) -> None:
        made = make(config(deployment("a", "openai/ours")), tmp_path)
        assert "      ours: {}" in made.text("providers.yaml")
        assert made.plan.targets["openai/ours"].prices is None

    def test_zero_is_free(self, tmp_path: Path) -> None:
        made = make(
            config(deployment("a", "ollama/x", "input_cost_per_token: 0, output_cost_per_token: 0.0")),
            tmp_path,
        )
        assert "x: {price: free}" in made.text("providers.yaml")

    def test_what_the_price_file_says_as_well_is_not_repeated(self, tmp_path: Path) -> None:
        made = make(config(deployment("a", "openai/gpt-4o", info="max_input_tokens: 128000")), tmp_path)
        assert "\n  openai: {}" in made.text("providers.yaml")

    def test_capabilities_are_the_file_s_with_what_the_config_changes(self, tmp_path: Path) -> None:
        made = make(config(deployment("a", "openai/gpt-4o", info="supports_vision: false")), tmp_path)
        supports = made.plan.targets["openai/gpt-4o"].supports
        assert supports is not None
        assert "tools" in supports
        assert "vision" not in supports

    def test_a_base_model_is_where_price_and_context_come_from(self, tmp_path: Path) -> None:
        made = make(
            config(
                deployment(
                    "a", "azure/prod", "api_base: 'https://x.openai.azure.com'", "base_model: azure/gpt-4o"
                ),
                deployment(
                    "b", "azure/other", "api_base: 'https://x.openai.azure.com'", "base_model: nothing-known"
                ),
            ),
            tmp_path,
        )
        assert "prod: {as: azure/gpt-4o}" in made.text("providers.yaml")
        assert [outcome for outcome, _ in made.told("model_list[].model_info.base_model")] == [
            IMPORTED,
            REFUSED,
        ]

    def test_the_same_model_described_twice(self, tmp_path: Path) -> None:
        made = make(
            config(
                deployment("a", "openai/ours", info="max_input_tokens: 1000"),
                deployment("b", "openai/ours", info="max_input_tokens: 2000"),
            ),
            tmp_path,
        )
        assert made.plan.targets["openai/ours"].context_tokens == 1000
        outcomes = made.told("model_list[].model_info.max_input_tokens")
        assert [outcome for outcome, _ in outcomes] == [IMPORTED, CHANGED]
        assert "at config.yaml:2," in outcomes[1][1]

    def test_amounts_that_are_none(self, tmp_path: Path) -> None:
        info = "max_input_tokens: 128K, input_cost_per_token: cheap, max_output_tokens: 0"
        made = make(config(deployment("a", "openai/ours", info=info)), tmp_path)
        for name in ("max_input_tokens", "input_cost_per_token", "max_output_tokens"):
            assert made.one(f"model_list[].model_info.{name}")[0] is REFUSED


class TestTargets:
    def test_parameters_and_time(self, tmp_path: Path) -> None:
        params = "temperature: 0.2, max_tokens: '400', stop: [a, 'b: c'], timeout: 30, top_k: 40, n: 0"
        params += ", seed: os.environ/S"
        made = make(config(deployment("a", "openai/gpt-4o", params)), tmp_path)
        (entry,) = made.plan.policies["a"].entries
        found: Any = entry
        assert found.params == {"temperature": 0.2, "max_tokens": 400, "stop": ["a", "b: c"]}
        assert found.attempt_s == 30
        assert made.one("model_list[].litellm_params.timeout")[0] is CHANGED
        for name in ("top_k", "n", "seed"):
            assert made.one(f"model_list[].litellm_params.{name}")[0] is REFUSED

    def test_a_group_is_tried_by_order_then_weight_then_as_written(self, tmp_path: Path) -> None:
        made = make(
            config(
                deployment("a", "openai/gpt-4o", "order: 2"),
                deployment("a", "openai/gpt-4o-mini", "weight: 1, order: 1"),
                deployment("a", "anthropic/claude-haiku-4-5", "weight: 9, order: 1"),
            ),
            tmp_path,
        )
        assert made.targets("a") == ["anthropic/claude-haiku-4-5", "openai/gpt-4o-mini", "openai/gpt-4o"]
        assert all(outcome is CHANGED for outcome, _ in made.told("model_list[].model_name"))

    def test_a_deployment_without_an_order_among_others_is_never_called(self, tmp_path: Path) -> None:
        made = make(
            config(
                deployment("a", "openai/gpt-4o"), deployment("a", "anthropic/claude-haiku-4-5", "order: 1")
            ),
            tmp_path,
        )
        assert made.targets("a") == ["anthropic/claude-haiku-4-5"]
        outcome, message = made.one("model_list[]")
        assert outcome is NO_EFFECT
        assert "never calls this deployment" in message

    def test_the_same_target_twice_stands_once(self, tmp_path: Path) -> None:
        made = make(
            config(
                deployment("a", "openai/gpt-4o", "temperature: 0"),
                deployment("a", "openai/gpt-4o", "temperature: 1"),
            ),
            tmp_path,
        )
        assert made.targets("a") == ["openai/gpt-4o"]
        outcomes = made.told("model_list[].litellm_params.temperature")
        assert [outcome for outcome, _ in outcomes] == [IMPORTED, CHANGED]
        assert "the same target as at" in outcomes[1][1]

    def test_names_of_the_language(self, tmp_path: Path) -> None:
        names = ["GPT 4", "gpt-4", "openai/gpt-4o", "4o", "all", "a--b", "Ünïcode", "claude_3.5"]
        made = make(config(*(deployment(f"'{name}'", "openai/gpt-4o") for name in names)), tmp_path)
        assert dict(made.imported.policies) == {
            "GPT 4": "gpt-4",
            "gpt-4": "gpt-4-2",
            "openai/gpt-4o": "openai-gpt-4o",
            "4o": "m-4o",
            "all": "all-policy",
            "a--b": "a-b",
            "Ünïcode": "n-code",
            "claude_3.5": "claude_3.5",
        }

    def test_a_description(self, tmp_path: Path) -> None:
        made = make(config(deployment("a", "openai/gpt-4o", info="description: 'For: people'")), tmp_path)
        assert made.plan.policies["a"].description == "For: people"

    def test_what_is_no_deployment(self, tmp_path: Path) -> None:
        made = make(
            config(GPT, "  - model_name: x\n", "  - litellm_params: {model: openai/gpt-4o}\n"), tmp_path
        )
        assert [outcome for outcome, _ in made.told("model_list[]")] == [NO_EFFECT, NO_EFFECT]


class TestFallbacks:
    def rest(self, section: str, text: str) -> str:
        return f"{section}:\n  {text}\n"

    def test_they_are_policies_at_the_end(self, tmp_path: Path) -> None:
        made = make(
            config(
                GPT, MINI, CLAUDE, rest=self.rest("router_settings", "fallbacks: [{gpt: [mini, claude]}]")
            ),
            tmp_path,
        )
        assert made.targets("gpt") == ["openai/gpt-4o", "-> mini", "-> claude"]
        assert [outcome for outcome, _ in made.told("router_settings.fallbacks[].gpt[]")] == [
            IMPORTED,
            IMPORTED,
        ]

    def test_of_a_context_that_is_too_small(self, tmp_path: Path) -> None:
        rest = self.rest("litellm_settings", "context_window_fallbacks: [{gpt: [claude]}]")
        made = make(config(GPT, CLAUDE, rest=rest), tmp_path)
        assert made.targets("gpt") == ["openai/gpt-4o", "-> claude"]
        assert Kind.CONTEXT_WINDOW in made.plan.policies["gpt"].lexical.fall_back_on
        assert made.one("litellm_settings.context_window_fallbacks[].gpt[]")[0] is CHANGED

    def test_of_filtered_content(self, tmp_path: Path) -> None:
        rest = self.rest("router_settings", "content_policy_fallbacks: [{gpt: [claude]}]")
        made = make(config(GPT, CLAUDE, rest=rest), tmp_path)
        default = DEFAULT_FALL_BACK_ON
        assert made.plan.policies["gpt"].lexical.fall_back_on == default | {Kind.CONTENT_FILTER}
        assert made.plan.policies["claude"].lexical.fall_back_on == default
        assert made.one("router_settings.content_policy_fallbacks[].gpt[]")[0] is CHANGED

    def test_of_everything_that_has_none(self, tmp_path: Path) -> None:
        rest = self.rest("litellm_settings", "default_fallbacks: [claude]\n  fallbacks: [{gpt: [mini]}]")
        made = make(config(GPT, MINI, CLAUDE, rest=rest), tmp_path)
        assert made.targets("gpt") == ["openai/gpt-4o", "-> mini"]
        assert made.targets("mini") == ["openai/gpt-4o-mini", "-> claude"]
        assert made.targets("claude") == ["anthropic/claude-haiku-4-5"]

    def test_a_circle_is_written_out(self, tmp_path: Path) -> None:
        rest = self.rest(
            "router_settings", "fallbacks: [{gpt: [mini]}, {mini: [claude]}, {claude: [gpt, mini]}]"
        )
        made = make(config(GPT, MINI, CLAUDE, rest=rest), tmp_path)
        assert made.targets("gpt") == ["openai/gpt-4o", "-> mini"]
        assert made.targets("mini") == ["openai/gpt-4o-mini", "-> claude"]
        assert made.targets("claude") == ["anthropic/claude-haiku-4-5", "openai/gpt-4o", "openai/gpt-4o-mini"]
        told = made.told("router_settings.fallbacks[].claude[]")
        assert [outcome for outcome, _ in told] == [CHANGED, CHANGED]

    def test_a_chain_longer_than_policies_nest(self, tmp_path: Path) -> None:
        items = [deployment(f"g{n}", f"openai/m{n}") for n in range(40)]
        steps = ", ".join(f"{{g{n}: [g{n + 1}]}}" for n in range(39))
        make(config(*items, rest=self.rest("router_settings", f"fallbacks: [{steps}]")), tmp_path)

    @pytest.mark.parametrize(
        ("text", "key", "outcome"),
        [
            ("fallbacks: [{gone: [gpt]}]", "router_settings.fallbacks[].gone", NO_EFFECT),
            ("fallbacks: [{gpt: [gone]}]", "router_settings.fallbacks[].gpt[]", NO_EFFECT),
            ("fallbacks: [{gpt: [gpt]}]", "router_settings.fallbacks[].gpt[]", NO_EFFECT),
            ("fallbacks: [{gpt: [embed]}]", "router_settings.fallbacks[].gpt[]", REFUSED),
            ("fallbacks: [gpt]", "router_settings.fallbacks", NO_EFFECT),
            ("fallbacks: {gpt: [mini]}", "router_settings.fallbacks", NO_EFFECT),
            ("context_window_fallbacks: [{model: gpt, context_window: 5}]", "router_settings.context_window_fallbacks",
             NO_EFFECT),
            ("default_fallbacks: [gone]", "router_settings.default_fallbacks[]", NO_EFFECT),
        ],
    )  # fmt: skip
    def test_what_never_happens(self, text: str, key: str, outcome: Outcome, tmp_path: Path) -> None:
        embed = deployment("embed", "openai/text-embedding-3-small")
        made = make(config(GPT, MINI, embed, rest=self.rest("router_settings", text)), tmp_path)
        assert made.one(key)[0] is outcome
        assert made.targets("gpt") == ["openai/gpt-4o"]

    def test_the_router_s_go_before_the_library_s(self, tmp_path: Path) -> None:
        rest = "router_settings: {fallbacks: [{gpt: [mini]}]}\nlitellm_settings: {fallbacks: [{gpt: [claude]}]}\n"
        made = make(config(GPT, MINI, CLAUDE, rest=rest), tmp_path)
        assert made.targets("gpt") == ["openai/gpt-4o", "-> mini"]
        assert made.one("litellm_settings.fallbacks")[0] is NO_EFFECT

    def test_of_the_sdk(self, tmp_path: Path) -> None:
        made = make(config(deployment("a", "openai/gpt-4o", "fallbacks: [{model: ollama/x}]")), tmp_path)
        assert made.one("model_list[].litellm_params.fallbacks")[0] is REFUSED


class TestAliasesAndWildcards:
    def alias(self, text: str, folder: Path) -> Made:
        return make(config(GPT, MINI, rest=f"router_settings: {{model_group_alias: {text}}}\n"), folder)

    def test_an_alias_is_a_policy_that_leads_on(self, tmp_path: Path) -> None:
        made = self.alias("{best: gpt, hidden: {model: mini, hidden: true}}", tmp_path)
        assert made.targets("best") == ["-> gpt"]
        assert made.targets("hidden") == ["-> mini"]
        assert made.one("router_settings.model_group_alias.best")[0] is IMPORTED
        assert made.one("router_settings.model_group_alias.hidden.hidden")[0] is CHANGED

    def test_aliases_of_no_use(self, tmp_path: Path) -> None:
        made = self.alias("{a: [gpt, mini], b: gone, gpt: mini, c: gpt}", tmp_path)
        assert made.one("router_settings.model_group_alias.a")[0] is NO_EFFECT
        assert made.one("router_settings.model_group_alias.b")[0] is NO_EFFECT
        assert made.one("router_settings.model_group_alias.gpt")[0] is REFUSED
        assert set(made.plan.policies) == {"gpt", "mini", "c"}

    def test_a_fallback_on_an_alias(self, tmp_path: Path) -> None:
        rest = (
            "router_settings: {model_group_alias: {best: gpt}, fallbacks: [{mini: [best]}, {gpt: [best]}]}\n"
        )
        made = make(config(GPT, MINI, rest=rest), tmp_path)
        assert made.targets("mini") == ["openai/gpt-4o-mini", "-> best"]
        assert made.one("router_settings.fallbacks[].gpt[]")[0] is NO_EFFECT

    def test_a_wildcard_makes_a_policy_for_each_name_that_is_mentioned(self, tmp_path: Path) -> None:
        rest = "router_settings: {fallbacks: [{gpt: [anthropic/claude-haiku-4-5]}]}\n"
        made = make(config(GPT, deployment("'anthropic/*'", "'anthropic/*'"), rest=rest), tmp_path)
        assert made.targets("gpt") == ["openai/gpt-4o", "-> anthropic-claude-haiku-4-5"]
        assert made.targets("anthropic-claude-haiku-4-5") == ["anthropic/claude-haiku-4-5"]

    def test_a_wildcard_alone_is_no_policy(self, tmp_path: Path) -> None:
        made = make(
            config(GPT, deployment("'*'", "'openrouter/*'", "api_key: os.environ/OPENROUTER_API_KEY")),
            tmp_path,
        )
        outcome, message = made.one("model_list[]")
        assert outcome is REFUSED
        assert "a wildcard (`openrouter/*`) stands for any model" in message
        assert set(made.plan.providers) == {"openai"}


class TestSettings:
    def settings(self, folder: Path, *sections: str, items: tuple[str, ...] = (GPT,)) -> Made:
        return make(config(*items, rest="".join(f"{section}\n" for section in sections)), folder)

    def test_retries_of_a_group_are_shared_by_its_targets(self, tmp_path: Path) -> None:
        double = (deployment("two", "openai/gpt-4o"), deployment("two", "openai/gpt-4o-mini"))
        made = self.settings(tmp_path, "router_settings: {num_retries: 3}", items=(GPT, *double))
        assert made.plan.policies["gpt"].lexical.retry.attempts == 4
        assert made.plan.policies["two"].lexical.retry.attempts == 2
        outcome, message = made.one("router_settings.num_retries")
        assert outcome is CHANGED
        assert message.startswith("`retry: {attempts: 4}`; 2 in `two`: sends to one target")

    def test_no_retries(self, tmp_path: Path) -> None:
        made = self.settings(tmp_path, "litellm_settings: {num_retries: 0}")
        assert made.plan.policies["gpt"].lexical.retry.attempts == 1

    def test_retries_of_one_deployment(self, tmp_path: Path) -> None:
        made = self.settings(tmp_path, items=(deployment("a", "openai/gpt-4o", "num_retries: 4"), MINI))
        assert made.plan.policies["a"].lexical.retry.attempts == 5
        _, message = made.one("model_list[].litellm_params.num_retries")
        assert message.startswith("`retry: {attempts: 5}` of its policy")
        assert made.plan.policies["mini"].lexical.retry.attempts == 2

    def test_a_retry_policy_by_kind(self, tmp_path: Path) -> None:
        policy = "{TimeoutErrorRetries: 0, RateLimitErrorRetries: 4, ContentPolicyViolationRetries: 1, "
        policy += "BadRequestErrorRetries: x}"
        made = self.settings(
            tmp_path, f"router_settings: {{retry_policy: {policy}, num_retries: 1, retry_after: 5}}"
        )
        retry = made.plan.policies["gpt"].lexical.retry
        assert retry.attempts == 5
        assert made.one("router_settings.num_retries")[1].startswith("`retry: {attempts: 5}`: sends")
        assert retry.on == {Kind.RATE_LIMITED, Kind.OVERLOADED, Kind.SERVER_ERROR, Kind.CONNECTION}
        assert (retry.base_s, retry.max_s) == (5, 5)
        outcome, message = made.one("router_settings.retry_policy.ContentPolicyViolationRetries")
        assert outcome is NO_EFFECT
        assert "`ContentPolicyViolationErrorRetries` was meant" in message
        assert made.one("router_settings.retry_policy.BadRequestErrorRetries")[0] is REFUSED

    def test_times_leave_every_target_an_attempt(self, tmp_path: Path) -> None:
        made = self.settings(
            tmp_path,
            "litellm_settings: {request_timeout: 120}",
            "router_settings: {fallbacks: [{gpt: [mini]}, {mini: [claude]}]}",
            items=(GPT, MINI, CLAUDE),
        )
        for policy in made.plan.policies.values():
            assert policy.lexical.attempt_s == 120
            assert policy.total_s == 360

    def test_the_router_s_timeout_goes_before_the_library_s(self, tmp_path: Path) -> None:
        made = self.settings(
            tmp_path, "litellm_settings: {request_timeout: 600}", "router_settings: {timeout: 20}"
        )
        assert made.plan.policies["gpt"].lexical.attempt_s == 20
        outcome, message = made.one("litellm_settings.request_timeout")
        assert outcome is NO_EFFECT
        assert "`router_settings.timeout`" in message

    def test_a_cache(self, tmp_path: Path) -> None:
        made = self.settings(
            tmp_path, "litellm_settings: {cache: true, cache_params: {type: redis, host: h, ttl: 600}}"
        )
        cache = made.plan.policies["gpt"].cache
        assert cache is not None
        assert (cache.ttl_s, cache.scope, cache.sampled) == (600, "tenant", True)
        assert made.one("litellm_settings.cache")[0] is CHANGED
        assert made.one("litellm_settings.cache_params.ttl")[0] is IMPORTED
        assert made.one("litellm_settings.cache_params.type")[0] is CHANGED
        assert made.one("litellm_settings.cache_params")[0] is REFUSED

    def test_a_server_for_state_and_answers_has_its_words_here(self, tmp_path: Path) -> None:
        made = self.settings(
            tmp_path,
            "litellm_settings: {cache: true, cache_params: {type: redis}}",
            "router_settings: {redis_host: h}",
        )
        kept = "`settings: {cache: redis://HOST:PORT}` keeps them on a server"
        assert made.one("litellm_settings.cache_params.type")[1].endswith(kept)
        (found,) = (each for each in made.imported.findings if "redis_host" in str(each))
        assert "`settings: {state: redis://HOST:PORT, cache: redis://HOST:PORT}`" in found.verdict.help

    def test_no_cache(self, tmp_path: Path) -> None:
        made = self.settings(tmp_path, "litellm_settings: {cache: false, cache_params: {type: redis}}")
        assert made.plan.policies["gpt"].cache is None
        assert made.one("litellm_settings.cache")[0] is IMPORTED
        assert made.one("litellm_settings.cache_params")[0] is NO_EFFECT

    def test_a_time_zone(self, tmp_path: Path) -> None:
        assert (
            self.settings(tmp_path, "litellm_settings: {timezone: Asia/Tokyo}").plan.settings.time_zone
            == "Asia/Tokyo"
        )

    def test_a_strategy(self, tmp_path: Path) -> None:
        def told(name: str, text: str, *items: str) -> Outcome:
            (tmp_path / name).mkdir()
            section = f"router_settings: {{routing_strategy: {text}}}"
            return self.settings(tmp_path / name, section, items=items).one(
                "router_settings.routing_strategy"
            )[0]

        two = deployment("gpt", "anthropic/claude-haiku-4-5")
        assert told("one", "least-busy", GPT) is NO_EFFECT
        assert told("two", "least-busy", GPT, two) is REFUSED
        assert told("none", "simple", GPT, two) is NO_EFFECT

    def test_default_parameters(self, tmp_path: Path) -> None:
        made = self.settings(
            tmp_path, "router_settings: {default_litellm_params: {temperature: 0, timeout: 9}}"
        )
        (entry,) = made.plan.policies["gpt"].entries
        found: Any = entry
        assert (found.params, found.attempt_s) == ({"temperature": 0}, 9)


class TestMoney:
    def test_the_proxy_s_budget_where_litellm_kept_it(self, tmp_path: Path) -> None:
        rest = (
            "litellm_settings: {max_budget: 100, budget_duration: 24h}\n"
            "general_settings: {database_url: os.environ/DATABASE_URL}\n"
        )
        made = make(config(GPT, MINI, rest=rest), tmp_path)
        budgets = {policy: made.plan.policies[policy].budgets for policy in ("gpt", "mini")}
        assert budgets["gpt"] == budgets["mini"]
        assert [(each.window, money_text(each.amount)) for each in budgets["gpt"]] == [("day", "$100")]
        assert made.one("litellm_settings.max_budget")[0] is CHANGED

    def test_the_proxy_s_budget_without_a_database(self, tmp_path: Path) -> None:
        made = make(config(GPT, rest="litellm_settings: {max_budget: 100, budget_duration: 24h}\n"), tmp_path)
        (found,) = findings_on(made.imported, "litellm_settings.max_budget")
        assert (found.outcome, found.verdict.danger) == (DATABASE, Danger.MONEY)
        assert "`budgets: {everyone: {per_day: $100}}`" in found.verdict.help
        assert made.plan.policies["gpt"].budgets == ()

    def test_a_budget_that_can_t_be_kept(self, tmp_path: Path) -> None:
        rest = "litellm_settings: {max_budget: 9, budget_duration: 7d}\ngeneral_settings: {database_url: x}\n"
        made = make(config(GPT, deployment("ours", "openai/ours"), rest=rest), tmp_path)
        outcome, message = made.one("litellm_settings.max_budget")
        assert outcome is REFUSED
        assert "`openai/ours`" in message

    def test_a_budget_of_nothing(self, tmp_path: Path) -> None:
        made = make(config(GPT, rest="litellm_settings: {max_budget: 0}\n"), tmp_path)
        assert made.one("litellm_settings.max_budget")[0] is NO_EFFECT

    def test_a_provider_s_budget(self, tmp_path: Path) -> None:
        budgets = "{openai: {budget_limit: 25.5, time_period: 1d}, groq: {budget_limit: 1, time_period: 1d}, azure: 5}"
        made = make(config(GPT, rest=f"router_settings: {{provider_budget_config: {budgets}}}\n"), tmp_path)
        assert [(each.window, money_text(each.amount)) for each in made.plan.providers["openai"].budgets] == [
            ("day", "$25.50")
        ]
        assert made.one("router_settings.provider_budget_config.openai")[0] is CHANGED
        assert made.one("router_settings.provider_budget_config.groq")[0] is NO_EFFECT
        assert made.one("router_settings.provider_budget_config.azure")[0] is REFUSED

    def test_a_deployment_s_budget(self, tmp_path: Path) -> None:
        made = make(
            config(
                deployment("a", "openai/gpt-4o", "max_budget: 5, budget_duration: 1d"),
                deployment("b", "openai/gpt-4o-mini", "max_budget: 5"),
            ),
            tmp_path,
        )
        told = made.told("model_list[].litellm_params.max_budget")
        assert [outcome for outcome, _ in told] == [REFUSED, NO_EFFECT]


class TestEverythingElse:
    @pytest.mark.parametrize(
        ("text", "key", "outcome", "part"),
        [
            ("rate_limiting: {rpm: 5}", "rate_limiting", NO_EFFECT, "no rate was limited"),
            ("litelm_settings: {cache: true}", "litelm_settings", NO_EFFECT, "`litellm_settings` was meant"),
            (
                "litellm_settings: {master_key: x}",
                "litellm_settings.master_key",
                NO_EFFECT,
                "let everybody in",
            ),
            (
                "litellm_settings: {retry_policy: {a: 1}}",
                "litellm_settings.retry_policy",
                NO_EFFECT,
                "`router_settings`",
            ),
            (
                "general_settings: {drop_params: true}",
                "general_settings.drop_params",
                NO_EFFECT,
                "`litellm_settings`",
            ),
            (
                "router_settings: {num_retrys: 1}",
                "router_settings.num_retrys",
                NO_EFFECT,
                "`num_retries` was meant",
            ),
            ("router_settings: {zzz: 1}", "router_settings.zzz", NO_EFFECT, "no such key"),
            (
                "general_settings: {database_url:}",
                "general_settings.database_url",
                NO_EFFECT,
                "an empty value",
            ),
            (
                "general_settings: {store_model_in_db: true}",
                "general_settings.store_model_in_db",
                DATABASE,
                "database",
            ),
            ("general_settings: {master_key: x}", "general_settings.master_key", REFUSED, "no server"),
            (
                "general_settings: {alerting: [slack]}",
                "general_settings.alerting",
                REFUSED,
                "alerts come later",
            ),
            ("litellm_settings: {callbacks: [x]}", "litellm_settings.callbacks", REFUSED, "come later"),
            (
                "router_settings: {cooldown_time: 5}",
                "router_settings.cooldown_time",
                REFUSED,
                "a cooldown is a breaker here",
            ),
            (
                "environment_variables: {A: b}",
                "environment_variables.A",
                REFUSED,
                "nothing here sets a variable",
            ),
            (
                "environment_variables: {A_KEY: b}",
                "environment_variables.A_KEY",
                REFUSED,
                "a secret is written out",
            ),
            (
                "general_settings: {completion_model: gone}",
                "general_settings.completion_model",
                NO_EFFECT,
                "no group",
            ),
            (
                "general_settings: {completion_model: gpt}",
                "general_settings.completion_model",
                CHANGED,
                "default_policy",
            ),
            (
                "router_settings: {enable_pre_call_checks: true}",
                "router_settings.enable_pre_call_checks",
                IMPORTED,
                "",
            ),
            (
                "general_settings: {master_key: '${KEY}'}",
                "general_settings.master_key",
                REFUSED,
                "expands only",
            ),
            ("mcp_servers: {a: {url: b}}", "mcp_servers", REFUSED, "not the router's"),
        ],
    )
    def test_a_key_that_nothing_is_made_of(
        self, text: str, key: str, outcome: Outcome, part: str, tmp_path: Path
    ) -> None:
        found, message = make(config(GPT, rest=f"{text}\n"), tmp_path).one(key)
        assert found is outcome
        assert part in message

    @pytest.mark.parametrize(
        ("params", "name", "outcome"),
        [
            ("rpm: 5", "rpm", REFUSED),
            ("context_window_fallback_dict: {a: b}", "context_window_fallback_dict", REFUSED),
            ("rpm_limit: 5", "rpm_limit", NO_EFFECT),
            ("drop_params: [a]", "drop_params", NO_EFFECT),
            ("drop_params: true", "drop_params", REFUSED),
            ("drop_params: false", "drop_params", IMPORTED),
            ("stream: false", "stream", IMPORTED),
            ("stream: true", "stream", REFUSED),
            ("tags: [a]", "tags", NO_EFFECT),
            ("num_ctx: 8192", "num_ctx", REFUSED),
            ("extra_body: {a: 1}", "extra_body", REFUSED),
        ],
    )
    def test_a_key_of_a_deployment(self, params: str, name: str, outcome: Outcome, tmp_path: Path) -> None:
        made = make(config(deployment("a", "openai/gpt-4o", params)), tmp_path)
        assert made.one(f"model_list[].litellm_params.{name}")[0] is outcome

    def test_a_key_that_stands_twice(self, tmp_path: Path) -> None:
        made = make(
            config(GPT, rest="router_settings: {timeout: 5}\nrouter_settings: {timeout: 9}\n"), tmp_path
        )
        assert made.plan.policies["gpt"].lexical.attempt_s == 9
        outcome, message = made.one("router_settings")
        assert outcome is NO_EFFECT
        assert "at config.yaml:5:" in message

    def test_anchors_of_a_section_of_their_own(self, tmp_path: Path) -> None:
        text = f"x-shared: &shared {{timeout: 9}}\n{config(GPT)}    extra: &u 1\n"
        text += "  - model_name: b\n    litellm_params: {<<: *shared, model: openai/gpt-4o-mini}\n"
        made = make(text, tmp_path)
        assert "told where it is used" in made.one("x-shared")[1]
        assert made.one("model_list[].litellm_params.timeout")[0] is CHANGED


class TestIncludes:
    def test_lists_add_up_and_maps_are_replaced(self, tmp_path: Path) -> None:
        made = make(
            "include: [more.yaml, more.yaml]\n" + config(GPT, rest="router_settings: {num_retries: 1}\n"),
            tmp_path,
            more_yaml=config(MINI, rest="router_settings: {num_retries: 3}\n"),
        )
        assert set(made.plan.policies) == {"gpt", "mini"}
        assert made.plan.policies["gpt"].lexical.retry.attempts == 4
        assert [outcome for outcome, _ in made.told("include[]")] == [IMPORTED, NO_EFFECT]
        assert made.one("router_settings")[0] is NO_EFFECT
        assert "# more.yaml:2" in made.text("policies.yaml")

    @pytest.mark.parametrize(
        ("text", "line", "part"),
        [
            ("include: [gone.yaml]\n", 1, "`gone.yaml` is included, and it is not there"),
            ("a: 1\ninclude: gone.yaml\n", 2, "`include` is a list of files"),
            ("- a\n", 1, "a config is a map of sections"),
            ("model_list: []\n", 1, "no `model_list`"),
            ("router_settings: {timeout: 5}\n", 1, "no `model_list`"),
            (
                "a: 1\nmodel_list:\n  - model_name: a\n    litellm_params: {model: os.environ/M}\n",
                3,
                "none of its",
            ),
            ("a: [\n", 2, "not YAML"),
        ],
    )
    def test_what_is_refused_has_a_place(self, text: str, line: int, part: str, tmp_path: Path) -> None:
        found = run(text, tmp_path)
        assert found.files == {}
        assert found.problem is not None
        assert found.problem.place.line == line
        assert part in found.problem.message
        assert not any(
            each.outcome in (IMPORTED, CHANGED) for each in found.findings if each.path[0] != "include"
        )


def test_two_runs_write_the_same(tmp_path: Path) -> None:
    text = config(GPT, MINI, CLAUDE, rest="router_settings: {fallbacks: [{gpt: [mini]}, {mini: [gpt]}]}\n")
    assert run(text, tmp_path) == run(text, tmp_path)


def test_a_fallback_that_another_one_leads_to_stands_once(tmp_path: Path) -> None:
    chains = "router_settings: {fallbacks: [{claude: [gpt, mini]}, {gpt: [mini, claude]}, {mini: [claude, gpt]}]}\n"
    made = make(config(GPT, MINI, CLAUDE, rest=chains), tmp_path)
    assert made.targets("gpt") == ["openai/gpt-4o", "-> mini"]
    assert made.targets("mini") == ["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5", "openai/gpt-4o"]
