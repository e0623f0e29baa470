"""What is called, by whom, under which rules: the same for every path that is measured."""

import json
import os
from collections.abc import Mapping
from typing import Any

KEY_VARIABLE = "BENCH_API_KEY"
URLS_VARIABLE = "BENCH_UPSTREAM"
KEY = "sk-bench"

MODEL = "gpt-4o-mini"
TENANT = "acme/search"
POLICY = "answers"
KEPT_POLICY = "kept-answers"

MESSAGES = [
    {"role": "system", "content": "You answer questions about invoices. Be brief, polite and exact. " * 4},
    {
        "role": "user",
        "content": "When is the invoice of the third of November due, and who has to approve it? " * 3,
    },
]
PARAMS = {"temperature": 0, "max_tokens": 100}


def upstream_urls() -> dict[str, str]:
    """Base URL by kind of provider, from the parent process."""
    urls: dict[str, str] = json.loads(os.environ[URLS_VARIABLE])
    return urls


def policies(urls: Mapping[str, str], **provider: Any) -> dict[str, Any]:
    """Four targets; six money budgets, two of them of the tenant's chain; four limits, two of them of requests.

    `provider`: more keys of every provider.
    """
    answers = {
        "targets": [
            f"openai/{MODEL}",
            "anthropic/claude-haiku-4-5",
            "gemini/gemini-2.5-flash-lite",
            "groq/openai/gpt-oss-20b",
        ],
        "ceiling": {"input_tokens": "50k", "output_tokens": "1k"},
        "retry": {"attempts": 2},
        "timeout": {"total": "30s", "attempt": "8s"},
        "budget": {"per_request": "$0.25", "per_day": "$900000", "per_month": "$9000000"},
    }
    return {
        "version": 1,
        "settings": {"time_zone": "Europe/Berlin"},
        "providers": {
            "openai": {"budget": {"per_month": "$9000000"}, **_reached(urls["openai"]), **provider},
            **{name: {**_reached(urls[name]), **provider} for name in ("anthropic", "gemini", "groq")},
        },
        "policies": {POLICY: answers, KEPT_POLICY: {**answers, "cache": {"ttl": "1h", "sampled": True}}},
        "tenants": {
            "acme": {
                "policies": "all",
                "budget": {"per_month": "$9000000"},
                "limits": {"concurrent_requests": 200},
            },
            TENANT: {
                "budget": {"per_day": "$900000"},
                "limits": {
                    "requests_per_minute": "9M",
                    "tokens_per_minute": "900M",
                    "concurrent_requests": 100,
                },
            },
        },
    }


def _reached(url: str) -> dict[str, Any]:
    return {"base_url": url, "keys": [{"env": KEY_VARIABLE}]}


def router_arguments(policy: str, *, number: int = 0) -> dict[str, Any]:
    """The arguments of `complete`; another `number` is another question under the same system prompt."""
    return {"policy": policy, "tenant": TENANT, "messages": _messages(number), **PARAMS}


def litellm_arguments(*, number: int = 0) -> dict[str, Any]:
    """The arguments of litellm's `completion` for the same request."""
    return {"messages": _messages(number), **PARAMS}


def litellm_wire(urls: Mapping[str, str]) -> dict[str, Any]:
    """The first target of the policies in litellm's words."""
    return {"model": f"openai/{MODEL}", "api_base": urls["openai"], "api_key": KEY}


def _messages(number: int) -> list[dict[str, str]]:
    *rest, last = MESSAGES
    return [*rest, {**last, "content": f"{last['content']} ({number})"}]


# --- Beside the peers -------------------------------------------------------------------------------------------------

SHORT = "4 messages"
PROMPTS = {
    SHORT: (4, 0),
    "4 messages, 8 tools": (4, 8),
    "60 messages": (60, 0),
    "60 messages, 8 tools": (60, 8),
}
"""How many messages, the system prompt among them, and how many tools."""

CHUNKS = 200
"""Of text in a stream."""


def prompted(prompt: str, *, number: int) -> dict[str, Any]:
    """Messages and params in OpenAI's words; another `number` is another last question."""
    messages, tools = PROMPTS[prompt]
    system, question = _messages(number)
    talk = [
        {
            "role": ("user", "assistant")[turn % 2],
            "content": f"{turn}: the invoice is with finance since Monday.",
        }
        for turn in range(messages - 2)
    ]
    asked: dict[str, Any] = {"messages": [system, *talk, question], **PARAMS}
    return {**asked, "tools": [_tool(place) for place in range(tools)]} if tools else asked


def _tool(place: int) -> dict[str, Any]:
    fields = {
        name: {"type": "string", "description": f"The {name} to look for."} for name in ("invoice", "buyer")
    }
    schema = {"type": "object", "properties": fields, "required": ["invoice"], "additionalProperties": False}
    about = {
        "name": f"find_invoice_{place}",
        "description": "Finds an invoice by its number, or by its buyer.",
    }
    return {"type": "function", "function": {**about, "parameters": schema}}
