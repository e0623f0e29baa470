"""Which bounds a store that may fail open softens, and that those in shadow are told wherever they stand."""

import pytest

from router.policy.load import load_text
from tests.policy.books import Book

LIMITS = "limits: {requests_per_minute: {at_most: 5, enforce: shadow}}"
OF_LIMITER = ["policy", "tenant"]
PLACES = ("provider", "model", "key", *OF_LIMITER)


def told(where: str, chosen: str = "{ledger: open, limiter: open}") -> list[str]:
    said = {
        place: f", {LIMITS}" if place == where else ""
        for place in ("provider", "model", "key", "policy", "tenant")
    }
    text = f"""version: 1
settings: {{on_store_error: {chosen}}}
providers:
  openai:
    {{keys: [{{env: A{said["key"]}}}], models: {{small: {{labels: [gpu]{said["model"]}}}}}{said["provider"]}}}
policies:
  fast: {{targets: [openai/small], ceiling: {{output_tokens: 9}}{said["policy"]}}}
tenants:
  acme: {{policies: all{said["tenant"]}}}
"""
    return [f"{found.code} {found.place.column}" for found in load_text(text, Book(), file="a.yaml").problems]


@pytest.mark.parametrize("where", PLACES)
def test_a_limit_is_softened_by_the_store_that_keeps_it_wherever_it_stands(where: str) -> None:
    found = told(where)
    of_requests = ["open-store 43"] if where in OF_LIMITER else ["open-store 29", "open-store 43"]
    assert [each for each in found if each.startswith("open-store")] == of_requests
    assert [each.split()[0] for each in found if not each.startswith("open-store")] == ["not-enforced"]
    assert [each for each in told(where, "{cache: open}") if each.startswith("open-store")] == []


def test_nothing_is_softened_where_nothing_is_written() -> None:
    assert told("nowhere") == []
