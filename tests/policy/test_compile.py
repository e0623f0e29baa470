"""What documents compile to."""

from typing import Any

import pytest

from router.decide.classify import DEFAULT_FALL_BACK_ON, TRANSIENT
from router.errors import PolicyError
from router.plan import (
    BudgetUse,
    CacheRule,
    Ceiling,
    Condition,
    LocalTime,
    OnStoreError,
    Plan,
    PolicyEntry,
    Provider,
    RetryRule,
    TargetEntry,
)
from router.policy.compile import compile_plan
from router.policy.load import load, load_text
from router.policy.source import read_text
from router.values import Kind, SecretRef
from tests.policy.books import Book

HEAD = "version: 1\nproviders: {openai: {}, gemini: {}}\n"


def plan_of(text: str) -> Plan:
    loaded = load_text(text, Book(), file="a.yaml")
    assert loaded.plan is not None, [str(problem) for problem in loaded.problems]
    return loaded.plan


def policy_of(body: str, head: str = HEAD) -> Any:
    return plan_of(f"{head}policies:\n  fast: {{targets: [openai/small], {body}}}\n").policies["fast"]


def provider_of(body: str, name: str = "p") -> Provider:
    text = f"version: 1\nproviders: {{openai: {{}}, {name}: {body}}}\npolicies:\n  fast: {{targets: [openai/small]}}\n"
    return plan_of(text).providers[name]


def test_six_lines() -> None:
    plan = plan_of(
        "version: 1\nproviders:\n  openai: {}\npolicies:\n  cheap-fast:\n    targets: [openai/small, openai/large]\n"
    )
    policy = plan.policies["cheap-fast"]
    assert [entry.target for entry in policy.entries if isinstance(entry, TargetEntry)] == [
        "openai/small",
        "openai/large",
    ]
    assert [str(entry.place) for entry in policy.entries] == ["a.yaml:6:15", "a.yaml:6:29"]
    assert policy.lexical.retry == RetryRule(
        attempts=2, backoff="exponential", base_s=0.2, max_s=2.0, on=TRANSIENT
    )
    assert policy.lexical.fall_back_on == DEFAULT_FALL_BACK_ON
    assert (policy.total_s, policy.lexical.attempt_s) == (60.0, None)
    assert policy.ceiling == Ceiling()
    assert (policy.cache, policy.budgets, policy.rules, policy.description) == (None, (), (), "")
    assert (plan.prices_digest, plan.tenants, plan.folder) == (Book.digest, {}, "")
    key = plan.providers["openai"].keys[0]
    assert key.secret is not None
    assert (key.name, str(key.secret), str(key.secret.place)) == (
        "OPENAI_API_KEY",
        "env:OPENAI_API_KEY",
        "a.yaml:3:3",
    )


def test_compile_plan_raises_every_error() -> None:
    document = read_text(
        f"{HEAD}policies:\n  fast: {{targets: [openai/smal, gemini/flsh]}}\n", "a.yaml"
    ).document
    assert document is not None
    with pytest.raises(PolicyError) as raised:
        compile_plan([document], Book())
    assert [problem.code for problem in raised.value.problems] == ["unknown-model", "unknown-model"]


def test_a_target_from_the_price_file() -> None:
    target = plan_of(f"{HEAD}policies:\n  fast: {{targets: [openai/small]}}\n").targets["openai/small"]
    assert (target.name, target.kind, target.wire_model) == ("openai/small", "openai", "small")
    assert (target.context_tokens, target.max_output_tokens) == (200_000, 64_000)
    assert target.tokens.margin_percent == 20
    assert target.supports == {"tools", "json", "vision", "files"}
    assert target.prices is not None
    assert target.prices.source == "price file"


def test_a_model_declared_in_yaml() -> None:
    provider = (
        "{kind: hosted_vllm, base_url: 'http://localhost:8000/v1', models: {llama: "
        "{deployment: l-prod, context: 128k, max_output: 8k, supports: [tools, json], price: free}, bare: {}}}"
    )
    plan = plan_of(
        f"version: 1\nproviders: {{vllm: {provider}}}\npolicies:\n  fast: {{targets: [vllm/llama, vllm/bare]}}\n"
    )
    llama, bare = plan.targets["vllm/llama"], plan.targets["vllm/bare"]
    assert (llama.wire_model, llama.context_tokens, llama.max_output_tokens) == ("l-prod", 128_000, 8_000)
    assert llama.supports == {"tools", "json"}
    assert llama.prices is not None
    assert (llama.prices.source, llama.prices.tiers[0].output_ausd) == ("free", 0)
    assert (bare.wire_model, bare.prices, bare.context_tokens, bare.supports) == ("bare", None, None, None)
    assert (bare.tokens.method, bare.tokens.margin_percent) == ("margin", 60)


def test_as_names_the_facts_of_another_model() -> None:
    text = (
        "version: 1\nproviders: {weu: {kind: azure, base_url: 'https://weu.example', models: "
        "{mine: {deployment: prod, as: azure/eu/large}}}}\npolicies:\n  fast: {targets: [weu/mine]}\n"
    )
    target = plan_of(text).targets["weu/mine"]
    assert target.wire_model == "prod"
    assert target.prices is not None
    assert target.prices.tiers[0].input_ausd == 12 * 10**12


def test_prices_of_model_provider_and_file() -> None:
    own = "{input_per_million: $2, output_per_million: $8.5, cached_per_million: $0.2, per_request: $0.01}"
    text = (
        f"version: 1\nproviders: {{openai: {{price: free, models: {{small: {{price: {own}}}}}}}}}\n"
        "policies:\n  fast: {targets: [openai/small, openai/large]}\n"
    )
    targets = plan_of(text).targets
    small, large = targets["openai/small"].prices, targets["openai/large"].prices
    assert small is not None
    assert large is not None
    tier = small.tiers[0]
    assert (tier.input_ausd, tier.output_ausd) == (2 * 10**12, 85 * 10**11)
    assert (tier.cached_input_ausd, tier.cache_write_ausd) == (2 * 10**11, 2 * 10**12)
    assert (tier.reasoning_ausd, tier.audio_input_ausd) == (85 * 10**11, 2 * 10**12)
    assert (small.per_request_nusd, small.source, large.source) == (10_000_000, "policy", "free")


KEYS = {
    "anthropic": ["ANTHROPIC_API_KEY"],
    "gemini": ["GEMINI_API_KEY"],
    "together_ai": ["TOGETHER_API_KEY"],
    "fireworks_ai": ["FIREWORKS_API_KEY"],
    "bedrock": ["none"],
    "vertex_ai": ["none"],
    "ollama": ["none"],
}


@pytest.mark.parametrize("kind", KEYS)
def test_standard_keys(kind: str) -> None:
    provider = provider_of("{}", name=kind)
    assert [key.name for key in provider.keys] == KEYS[kind]
    assert all((key.secret is None) == (key.name == "none") for key in provider.keys)


def test_written_keys_take_the_place_of_the_standard_one() -> None:
    provider = provider_of("{kind: openai, keys: [{env: A}, {file: b/c}]}")
    assert [(key.name, str(key.secret)) for key in provider.keys] == [("A", "env:A"), ("b/c", "file:b/c")]


def test_addresses() -> None:
    assert provider_of("{kind: ollama}").base_url == "http://localhost:11434"
    assert provider_of("{kind: openai}").base_url is None
    assert provider_of("{kind: openai, base_url: 'https://x/v1'}").base_url == "https://x/v1"
    named = provider_of("{kind: azure, base_url: {env: URL}}").base_url
    assert isinstance(named, SecretRef)
    assert (named.source, named.name) == ("env", "URL")


def test_wire_settings_have_the_names_of_the_wire() -> None:
    azure = provider_of("{kind: azure, base_url: 'https://x', api_version: '2025-04-01'}")
    assert azure.wire == {"api_version": "2025-04-01"}
    vertex = provider_of("{kind: vertex_ai, project: p, region: europe-west4}")
    assert vertex.wire == {"vertex_project": "p", "vertex_location": "europe-west4"}
    assert provider_of("{kind: bedrock, region: us-east-1}").wire == {"aws_region_name": "us-east-1"}


def test_budgets_have_owners_places_and_the_words_of_their_author() -> None:
    text = (
        "version: 1\n"
        "providers: {openai: {budget: {per_month: $20000}}}\n"
        "policies:\n"
        "  fast:\n"
        "    targets: [openai/small]\n"
        "    ceiling: {output_tokens: 1k}\n"
        "    budget: {per_day: $25, per_request: {at_most: $0.30, enforce: hard}}\n"
        "tenants:\n"
        "  acme: {policies: all, budget: {in_total: $9}}\n"
        "  acme/search:\n"
        "    each: {user: {budget: {per_week: $1}}, child: {limits: {requests_per_second: 2}}}\n"
    )
    plan = plan_of(text)
    fast, acme, search = plan.policies["fast"], plan.tenants["acme"], plan.tenants["acme/search"]
    found = [*plan.providers["openai"].budgets, *fast.budgets, *acme.budgets, *search.each[0].budgets]
    assert [
        (each.owner, each.unit, each.window, each.amount, each.text, str(each.place)) for each in found
    ] == [
        ("provider:openai", "nusd", "month", 20_000 * 10**9, "per_month: $20000", "a.yaml:2:31"),
        (
            "policy:fast",
            "nusd",
            "request",
            300_000_000,
            "per_request: {at_most: $0.30, enforce: hard}",
            "a.yaml:7:28",
        ),
        ("policy:fast", "nusd", "day", 25 * 10**9, "per_day: $25", "a.yaml:7:14"),
        ("tenant:acme", "nusd", "total", 9 * 10**9, "in_total: $9", "a.yaml:9:34"),
        ("user:acme/search:*", "nusd", "week", 10**9, "per_week: $1", "a.yaml:11:28"),
    ]
    assert [(each.of, len(each.budgets), len(each.limits)) for each in search.each] == [
        ("user", 1, 0),
        ("child", 0, 1),
    ]
    limit = search.each[1].limits[0]
    assert (limit.owner, limit.unit, limit.window_s, limit.at_most, limit.text) == (
        "child:acme/search:*",
        "requests",
        1.0,
        2,
        "requests_per_second: 2",
    )


def test_limits() -> None:
    text = (
        f"{HEAD}policies:\n  fast: {{targets: [openai/small]}}\ntenants:\n  acme:\n    policies: all\n"
        "    limits: {requests_per_minute: 600, tokens_per_hour: {at_most: 200k}, input_tokens_per_second: 1.5k,"
        " output_tokens_per_minute: 1M, concurrent_requests: 20}\n"
    )
    found = {each.unit: (each.window_s, each.at_most) for each in plan_of(text).tenants["acme"].limits}
    assert found == {
        "requests": (60.0, 600),
        "tokens": (3600.0, 200_000),
        "input_tokens": (1.0, 1_500),
        "output_tokens": (60.0, 1_000_000),
        "concurrent_requests": (0.0, 20),
    }


def test_owners_of_tenants_and_users_can_not_be_mixed_up() -> None:
    text = (
        f"{HEAD}policies:\n  fast: {{targets: [openai/small], ceiling: {{output_tokens: 1k}}}}\ntenants:\n"
        '  "a:b": {policies: all, each: {user: {budget: {per_day: $1}}}}\n'
        "  a: {policies: all, each: {user: {budget: {per_day: $1}}}}\n"
    )
    owners = {path: tenant.each[0].budgets[0].owner for path, tenant in plan_of(text).tenants.items()}
    assert owners == {
        "a:b": "user:a%3Ab:*",
        "a": "user:a:*",
    }  # user `c` of the first, user `b:c` of the second


def test_retry() -> None:
    policy = policy_of("retry: {attempts: 4, backoff: fibonacci, base: 1s, max: 8s, on: [timeout, auth]}")
    assert policy.lexical.retry == RetryRule(
        attempts=4, backoff="fibonacci", base_s=1.0, max_s=8.0, on=frozenset({Kind.TIMEOUT, Kind.AUTH})
    )
    assert policy_of("retry: {on: [transient, auth]}").lexical.retry.on == TRANSIENT | {Kind.AUTH}
    off = policy_of("retry: off").lexical.retry
    assert (off.attempts, off.on) == (1, frozenset())


def test_fall_back_on() -> None:
    assert policy_of("fall_back_on: []").lexical.fall_back_on == frozenset()
    found = policy_of("fall_back_on: [transient, content_filter]").lexical.fall_back_on
    assert found == TRANSIENT | {Kind.CONTENT_FILTER}


def test_timeouts_ceilings_cache_and_parameters() -> None:
    policy = policy_of(
        "timeout: {total: 45s, attempt: 1.5s}, ceiling: {input_tokens: 100k, output_tokens: 400, attempts: 3}, "
        "cache: {ttl: 1h, scope: user}, params: {temperature: 0, stop: [a, b]}"
    )
    assert (policy.total_s, policy.lexical.attempt_s) == (45.0, 1.5)
    assert policy.ceiling == Ceiling(input_tokens=100_000, output_tokens=400, attempts=3)
    assert policy.cache == CacheRule(ttl_s=3600.0, scope="user", sampled=False)
    assert policy.lexical.params == {"temperature": 0, "stop": ["a", "b"]}
    assert policy_of("cache: off").cache is None
    stale = policy_of("cache: {ttl: 1h, serve_stale_on_error: 1d}").cache
    assert stale == CacheRule(ttl_s=3600.0, stale_s=86_400.0)
    assert stale.kept_s == 90_000.0


def test_targets_of_their_own_settings_and_nested_policies() -> None:
    text = (
        f"{HEAD}policies:\n  fast:\n    targets:\n"
        "      - {model: openai/small, params: {n: 2}, timeout: {attempt: 3s}}\n      - policy: slow\n"
        "  slow: {targets: [openai/large]}\n"
    )
    first, second = plan_of(text).policies["fast"].entries
    assert isinstance(first, TargetEntry)
    assert (first.target, first.params, first.attempt_s) == ("openai/small", {"n": 2}, 3.0)
    assert isinstance(second, PolicyEntry)
    assert (second.policy, str(second.place)) == ("slow", "a.yaml:7:17")


def rule_of(when: str) -> tuple[Condition, ...]:
    budget = "budget: {per_day: $1}, ceiling: {output_tokens: 1k}"
    text = (
        f"{HEAD}policies:\n  fast: {{targets: [openai/small], {budget},"
        f" rules: [{{name: a, when: {when}, reject: no}}]}}\n"
        "tenants:\n  acme: {policies: all}\n  acme/legal: {}\n  other: {policies: all}\n"
    )
    return plan_of(text).policies["fast"].rules[0].when


CONDITIONS = {
    "{tenant: [acme/legal, acme]}": Condition(field="tenant", any_of=("acme", "acme/legal")),
    "{tag: [x]}": Condition(field="tag", any_of=("x",)),
    "{needs: [vision]}": Condition(field="needs", any_of=("vision",)),
    "{input_tokens: {over: 60k}}": Condition(field="input_tokens", over=60_000),
    "{output_tokens: {over: 5, up_to: 1k}}": Condition(field="output_tokens", over=5, up_to=1_000),
    "{stream: false}": Condition(field="stream", is_true=False),
    "{not: {user: [bob]}}": Condition(field="user", any_of=("bob",), negated=True),
    '{local_time: {from: "22:00", to: "06:30", days: [mon, fri]}}': Condition(
        field="local_time", local_time=LocalTime(from_min=1320, to_min=390, days=frozenset({0, 4}))
    ),
    "{budget_used: {of: policy, window: per_day, over: 80%}}": Condition(
        field="budget_used", budget=BudgetUse(of="policy", name="fast", window="day"), over=80_000
    ),
}


@pytest.mark.parametrize("when", CONDITIONS)
def test_conditions(when: str) -> None:
    assert rule_of(when) == (CONDITIONS[when],)


def test_conditions_do_not_depend_on_the_order_written() -> None:
    one = rule_of("{stream: true, tag: [b, a], not: {user: [x], tenant: [acme]}}")
    other = rule_of("{not: {tenant: [acme], user: [x]}, tag: [a, b], stream: true}")
    assert one == other
    assert [(each.field, each.negated) for each in one] == [
        ("tag", False),
        ("stream", False),
        ("tenant", True),
        ("user", True),
    ]


def test_rules_and_their_outcomes() -> None:
    text = (
        f"{HEAD}policies:\n  fast:\n    targets: [openai/small]\n    rules:\n"
        "      - {name: a, when: {tag: [x]}, targets: [gemini/flash]}\n"
        "      - {name: b, when: {tag: [y]}, policy: slow}\n"
        "      - {name: c, when: {tag: [z]}, reject: closed today}\n"
        "  slow: {targets: [openai/large]}\n"
    )
    plan = plan_of(text)
    first, second, third = plan.policies["fast"].rules
    assert [entry.target for entry in first.entries if isinstance(entry, TargetEntry)] == ["gemini/flash"]
    assert [entry.policy for entry in second.entries if isinstance(entry, PolicyEntry)] == ["slow"]
    assert (third.entries, third.reject, str(third.place)) == ((), "closed today", "a.yaml:9:16")
    assert set(plan.targets) == {"openai/small", "openai/large", "gemini/flash"}


def test_tenants_are_granted_what_they_say() -> None:
    text = (
        f"{HEAD}policies:\n  fast: {{targets: [openai/small]}}\n  slow: {{targets: [openai/large]}}\ntenants:\n"
        "  acme: {policies: all}\n  acme/search: {policies: [fast]}\n  acme/search/eu: {}\n"
    )
    tenants = plan_of(text).tenants
    assert {path: tenant.policies for path, tenant in tenants.items()} == {
        "acme": None,
        "acme/search": frozenset({"fast"}),
        "acme/search/eu": None,
    }


def test_settings() -> None:
    text = (
        f"{HEAD}policies:\n  fast: {{targets: [openai/small]}}\nsettings: {{time_zone: Asia/Kolkata, "
        "state: 'sqlite:///x.db', cache: answers, default_policy: fast}\n"
    )
    found = plan_of(text).settings
    assert (found.time_zone, found.state, found.cache, found.default_policy) == (
        "Asia/Kolkata",
        "sqlite:///x.db",
        "answers",
        "fast",
    )
    assert plan_of(f"{HEAD}policies:\n  fast: {{targets: [openai/small]}}\n").settings.time_zone == "UTC"


def test_a_model_that_only_the_policies_know_is_counted_by_its_name() -> None:
    models = {"odd-one": {"context": "8k", "price": "free"}, "plain": {"context": "8k", "price": "free"}}
    document = {
        "version": 1,
        "providers": {"vllm": {"kind": "hosted_vllm", "base_url": "http://localhost:1/v1", "models": models}},
        "policies": {"fast": {"targets": ["vllm/odd-one", "vllm/plain"]}},
    }
    plan = load(document, Book()).plan
    assert plan is not None
    assert [target.tokens.method for target in plan.targets.values()] == ["window", "margin"]


def test_what_a_store_that_fails_does_is_written_down_or_as_usual() -> None:
    fast = f"{HEAD}policies:\n  fast: {{targets: [openai/small]}}\n"
    assert plan_of(fast).settings.on_store_error == OnStoreError()
    written = plan_of(f"{fast}settings: {{on_store_error: {{ledger: open, cache: closed}}}}\n").settings
    assert written.on_store_error == OnStoreError(ledger="open", cache="closed")
