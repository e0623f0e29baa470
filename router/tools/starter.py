"""The policies and cases that `router init` writes: small, commented, and clean under `router check --strict`."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from router.errors import RouterError

PROVIDERS = """\
# Where models are called. `{}` is enough for a known kind: its standard environment variable is the key.
version: 1

providers:
  openai: {}        # OPENAI_API_KEY
  anthropic: {}     # ANTHROPIC_API_KEY
  # A server of your own:
  # vllm:
  #   kind: hosted_vllm
  #   base_url: http://localhost:8000/v1
  #   price: free
  #   models: {llama-3.3-70b: {context: 128k, max_output: 8k}}

# Teams, with what each may call and spend. Once one is declared, every call names its tenant.
# tenants:
#   acme:
#     policies: all
#     budget: {per_month: $500}
#   acme/search:
#     policies: [cheap-fast]
#     limits: {requests_per_minute: 600}
"""

CHEAP_FAST = """\
# One policy: who may answer, for how long, and for how much.
version: 1

policies:
  cheap-fast:
    description: Short answers for interactive features.
    targets:                        # tried in order; the next one when this one fails or may not be used
      - openai/gpt-5-nano
      - anthropic/claude-haiku-4-5
    retry: {attempts: 2}            # sends to one target before the next one is tried
    timeout: {total: 30s, attempt: 10s}
    ceiling: {input_tokens: 20k, output_tokens: 1k}
    budget: {per_request: $0.20, per_day: $5}
    cache: {ttl: 1h, sampled: true} # the same question within the hour costs nothing
"""

CASES = """\
# What the policy promises. `router test` plays these calls without a key or a network; change the policy, and see.
version: 1

defaults:
  request: {policy: cheap-fast, prompt: Three names for a bakery.}

cases:
  - name: the cheapest target answers
    expect: {served_by: openai/gpt-5-nano, cost: {at_most: $0.001}}

  - name: a server error is worth one more send
    faults:                         # what a target does, attempt by attempt; the others answer
      openai/gpt-5-nano: [server_error, answers]
    expect: {served_by: openai/gpt-5-nano, waits: [{at_most: 200ms}]}

  - name: when it is limited for long, the next one answers at once
    faults:
      openai/gpt-5-nano: [{does: rate_limited, retry_after: 30s}]
    expect: {served_by: anthropic/claude-haiku-4-5, waits: []}

  - name: the same question within the hour costs nothing
    steps:
      - expect: {cached: false}
      - {after: 59m, expect: {cached: true, cost: $0}}

  - name: five dollars a day, and then no more
    spent: [{of: policy, name: cheap-fast, window: per_day, amount: $5}]
    expect: {error: BudgetExceeded}
"""

STARTER: Mapping[str, str] = MappingProxyType(
    {"providers.yaml": PROVIDERS, "cheap-fast.yaml": CHEAP_FAST, "cheap-fast.cases.yaml": CASES}
)
"""File name -> text."""


class FolderInUse(RouterError):
    """There are policies already; nothing was written."""


def write_starter(folder: Path) -> tuple[Path, ...]:
    """Write the starter into `folder`, and return its files. Raises FolderInUse where that holds YAML already.

    No file is ever overwritten.
    """
    if folder.is_dir() and any(path.suffix in (".yaml", ".yml") for path in folder.rglob("*")):
        raise FolderInUse(
            f"`{folder}` holds policies already; nothing was written",
            help=f"`router check {folder}` checks them; `router init OTHER_FOLDER` starts elsewhere",
        )
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in STARTER.items():
        with (folder / name).open("x", encoding="utf-8") as file:
            file.write(text)
        written.append(folder / name)
    return tuple(written)
