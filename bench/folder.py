"""A folder of policies as a large company has it: what `check` is measured on."""

from collections.abc import Iterator
from pathlib import Path

POLICIES = 1_000
TENANTS = 10_000
A_FILE = 100
"""Policies, and tens of tenants, in one file."""

DEPARTMENTS, TEAMS = 9, 10
"""Each company has so many departments, each department so many teams."""

A_COMPANY = 1 + DEPARTMENTS * (1 + TEAMS)

_TARGETS = (
    ("openai/gpt-5-nano", "anthropic/claude-haiku-4-5", "gemini/gemini-2.5-flash"),
    ("openai/gpt-5-mini", "anthropic/claude-sonnet-4-5", "groq/openai/gpt-oss-20b"),
    ("gemini/gemini-2.5-flash-lite", "openai/gpt-4.1-mini", "anthropic/claude-haiku-4-5"),
)
_PROVIDERS = """\
version: 1
settings: {time_zone: Europe/Berlin}
providers:
  openai:
    keys: [{env: OPENAI_API_KEY}, {env: OPENAI_API_KEY_2}]
    budget: {per_month: $900000}
  anthropic: {}
  gemini: {}
  groq: {}
"""


def write_folder(folder: Path, *, policies: int = POLICIES, tenants: int = TENANTS) -> None:
    """Files that `check` finds no fault with: providers, policies by the hundred, tenants by the thousand."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "providers.yaml").write_text(_PROVIDERS, encoding="utf-8")
    for name, block, entries in (
        ("policies", "policies", [_policy(number, -(-tenants // A_COMPANY)) for number in range(policies)]),
        ("tenants", "tenants", list(_tenants(tenants, policies))),
    ):
        size = A_FILE if block == "policies" else 10 * A_FILE
        for start in range(0, len(entries), size):
            text = f"version: 1\n{block}:\n" + "".join(entries[start : start + size])
            (folder / f"{name}-{start // size:02}.yaml").write_text(text, encoding="utf-8")


def _policy(number: int, companies: int) -> str:
    """Three targets, two rules, and every third one leads to the one before it."""
    first, second, third = _TARGETS[number % len(_TARGETS)]
    last = f"{{policy: policy-{number - 1}}}" if number % 3 == 1 else third
    return f"""\
  policy-{number}:
    description: What feature {number} asks of models.
    targets:
      - {first}
      - model: {second}
        params: {{temperature: 0.5}}
        timeout: {{attempt: 6s}}
      - {last}
    rules:
      - name: long-input
        when: {{input_tokens: {{over: 60k}}}}
        targets: [gemini/gemini-2.5-flash]
      - name: nearly-spent
        when: {{budget_used: {{of: policy, window: per_day, over: 80%}}, tenant: [company-{number % companies}]}}
        targets: [{third}]
    retry: {{attempts: 2, backoff: exponential, base: 200ms, max: 2s}}
    timeout: {{total: 45s, attempt: 8s}}
    ceiling: {{input_tokens: 100k, output_tokens: 400}}
    params: {{temperature: 0}}
    cache: {{ttl: 1h, scope: tenant, sampled: true}}
    budget: {{per_request: $0.50, per_day: $25}}
"""


def _tenants(number: int, policies: int) -> Iterator[str]:
    """Companies that may call everything, their departments, and teams that may call three policies each."""
    written = 0
    for company in range(number):
        for path, block in _company(f"company-{company}", company, policies):
            if written == number:
                return
            written += 1
            yield f"  {path}: {block}\n"


def _company(name: str, company: int, policies: int) -> Iterator[tuple[str, str]]:
    yield (
        name,
        "{policies: all, budget: {per_month: $5000}, each: {user: {budget: {per_day: $5}}}}",
    )
    for department in range(DEPARTMENTS):
        path = f"{name}/department-{department}"
        yield path, "{budget: {per_month: $900}, limits: {concurrent_requests: 100}}"
        for team in range(TEAMS):
            start = (company * DEPARTMENTS + department) * TEAMS + team
            named = ", ".join(f"policy-{(start * 7 + step) % policies}" for step in range(min(3, policies)))
            limits = "limits: {requests_per_minute: 600, tokens_per_minute: 200k}"
            yield f"{path}/team-{team}", f"{{policies: [{named}], budget: {{per_month: $100}}, {limits}}}"
