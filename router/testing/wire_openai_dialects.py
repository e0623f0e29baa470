"""How the providers that speak OpenAI's format differ in good answers: which fields they add, and which they lack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from router.testing.wire_types import Counts, Json, Stamp

_SAFE = {
    name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")
}  # fmt: skip
_MADE = ("reasoning", "audio", "accepted_prediction", "rejected_prediction")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """`input_details` and `output_details` name the token counts reported apart (none: not reported).

    `usage_at_end`: a stream's last chunk has the usage, asked or not. `refusal` and `no_calls`: a message has
    these fields even when there is nothing in them. `logprobs`: a choice has that field.
    """

    input_details: tuple[str, ...] = ()
    output_details: tuple[str, ...] = ()
    usage_at_end: bool = False
    refusal: bool = False
    no_calls: bool = False
    logprobs: bool = True


_PLAIN = Dialect()
_DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "azure": Dialect(input_details=("cached", "audio"), output_details=_MADE, refusal=True),
        "cerebras": Dialect(
            input_details=("cached",),
            output_details=("reasoning", "accepted_prediction", "rejected_prediction"),
            usage_at_end=True,
            logprobs=False,
        ),
        "deepseek": Dialect(input_details=("cached",), usage_at_end=True),
        "fireworks_ai": Dialect(usage_at_end=True, logprobs=False),
        "mistral": Dialect(input_details=("cached",), usage_at_end=True, no_calls=True, logprobs=False),
        "openai": Dialect(input_details=("cached", "audio"), output_details=_MADE, refusal=True),
        "openrouter": Dialect(
            input_details=("cached", "cache_write", "audio", "video"),
            output_details=("reasoning", "image", "audio"),
            refusal=True,
        ),
        "perplexity": Dialect(usage_at_end=True, logprobs=False),
        "together_ai": Dialect(usage_at_end=True, no_calls=True),
        "xai": Dialect(
            input_details=("text", "audio", "image", "cached"),
            output_details=_MADE,
            refusal=True,
            logprobs=False,
        ),
    }
)


def dialect(kind: str) -> Dialect:
    return _DIALECTS.get(kind, _PLAIN)


def usage(kind: str, counts: Counts) -> Json:
    """The usage as this provider reports it."""
    spoken = dialect(kind)
    found: Json = {
        "prompt_tokens": counts.input,
        "completion_tokens": counts.output,
        "total_tokens": counts.input + counts.output,
    }
    known = {"cached": counts.cached, "cache_write": counts.written, "reasoning": counts.reasoning}
    known["text"] = counts.input
    for field, names in (("prompt", spoken.input_details), ("completion", spoken.output_details)):
        if names:
            found[f"{field}_tokens_details"] = {f"{name}_tokens": known.get(name, 0) for name in names}
    return found | _more_usage(kind, counts)


def _more_usage(kind: str, counts: Counts) -> Json:
    match kind:
        case "deepseek":
            missed = counts.input - counts.cached
            return {"prompt_cache_hit_tokens": counts.cached, "prompt_cache_miss_tokens": missed}
        case "groq":
            prompt_s, completion_s = counts.input / 10_000, counts.output / 500
            times = {"queue_time": 0.02, "prompt_time": prompt_s, "completion_time": completion_s}
            return {**times, "total_time": round(prompt_s + completion_s, 6)}
        case "openrouter":
            return {"cost": 0, "is_byok": False}
        case "xai":
            return {"num_sources_used": 0}
        case _:
            return {}


def extras(kind: str, stamp: Stamp) -> Json:
    """What a provider adds beside choices and usage."""
    match kind:
        case "openai":
            return {"service_tier": "default", "system_fingerprint": "fp_51db84afab"}
        case "azure":
            filtered = [{"prompt_index": 0, "content_filter_results": _SAFE}]
            return {"system_fingerprint": "fp_3dcd5944f5", "prompt_filter_results": filtered}
        case "groq":
            shown = {
                "service_tier": "on_demand",
                "system_fingerprint": "fp_21854da540",
                "usage_breakdown": None,
            }
            return {**shown, "x_groq": {"id": stamp.id("req_", 26)}}
        case "openrouter":
            return {"provider": "Fake", "system_fingerprint": None, "service_tier": None}
        case "cerebras":
            times = {"queue_time": 0.001, "prompt_time": 0.001, "completion_time": 0.01, "total_time": 0.012}
            return {"system_fingerprint": "fp_96e7e4453b", "time_info": {**times, "created": stamp.now_s}}
        case "mistral" | "hosted_vllm" | "fireworks_ai" | "perplexity" | "together_ai":
            return {}
        case _:
            return {"system_fingerprint": "fp_f02e6df795"}


def stream_extras(kind: str) -> Json:
    """What is in every chunk of a stream."""
    match kind:
        case "openrouter":
            return {"provider": "Fake"}
        case "mistral" | "fireworks_ai" | "perplexity" | "together_ai" | "hosted_vllm":
            return {}
        case _:
            return {"system_fingerprint": "fp_c1fb89028d"}


def choice_extras(kind: str, finish: str) -> Json:
    if kind == "azure":
        return {"content_filter_results": _SAFE}
    return {"native_finish_reason": finish} if kind == "openrouter" else {}


def answer_id(kind: str, stamp: Stamp) -> str:
    prefixes = {"mistral": "", "openrouter": f"gen-{int(stamp.now_s)}-"}
    return stamp.id(prefixes.get(kind, "chatcmpl-"), 32 if kind == "mistral" else 29)
