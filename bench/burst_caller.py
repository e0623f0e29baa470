"""A burst of calls against a small budget, told in one line of JSON:
`python -m bench.burst_caller WHO STATE URL BUDGET_NUSD CALLS`."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from bench.scene import KEY, MODEL

OUTPUT_TOKENS = 100
MESSAGES = [{"role": "user", "content": "When is the invoice of November due, and who approves it?"}]
LATER = 20
"""Calls made one after another when all of the burst has been answered and some time has passed."""

PAUSE_S = 2.0
NUSD = 10**9

Call = Callable[[], Awaitable[object]]


def policies(url: str, budget_nusd: int | None) -> dict[str, Any]:
    """One target at one provider, which has a budget for the day."""
    budget = {} if budget_nusd is None else {"budget": {"per_day": f"${budget_nusd / NUSD:.9f}"}}
    return {
        "version": 1,
        "providers": {"openai": {"base_url": url, "keys": [{"env": "BENCH_API_KEY"}], **budget}},
        "policies": {
            "answers": {
                "targets": [f"openai/{MODEL}"],
                "ceiling": {"input_tokens": "1k", "output_tokens": str(OUTPUT_TOKENS)},
                "timeout": {"total": "60s", "attempt": "55s"},
            }
        },
    }


def arguments() -> dict[str, Any]:
    return {"policy": "answers", "messages": MESSAGES, "max_tokens": OUTPUT_TOKENS}


def worst(url: str) -> dict[str, int]:
    """What one call reserves: tokens in and nano-USD. Nothing is sent."""
    from router import Router
    from router.client.inline import run_inline

    with Router.open(policies(url, None), state="memory", transport="fake") as router:
        router.complete(**arguments())
        (row,) = run_inline(router.ports.ledger.rows())
    return {"input_tokens": row.worst_tokens - OUTPUT_TOKENS, "nusd": row.worst_nusd}


async def _gone_through(calls: list[Awaitable[object]]) -> tuple[int, Counter[str]]:
    results = await asyncio.gather(*calls, return_exceptions=True)
    failed = Counter(type(each).__name__ for each in results if isinstance(each, BaseException))
    return len(results) - failed.total(), failed


async def _burst(call: Call, calls: int) -> dict[str, Any]:
    answered, failed = await _gone_through([call() for _ in range(calls)])
    await asyncio.sleep(PAUSE_S)
    later = sum([(await _gone_through([call()]))[0] for _ in range(LATER)])
    return {"answered": answered, "refused": dict(failed), "answered_later": later}


async def of_router(state: str, url: str, budget_nusd: int, calls: int) -> dict[str, Any]:
    from router import AsyncRouter

    async with AsyncRouter.open(policies(url, budget_nusd), state=state) as router:
        return await _burst(lambda: router.complete(**arguments()), calls)


async def of_litellm(url: str, budget_nusd: int, calls: int) -> dict[str, Any]:
    """A provider budget as its documentation shows it; its Router is made where a loop runs, as that asks for."""
    from litellm import Router

    router = Router(
        model_list=[
            {
                "model_name": "answers",
                "litellm_params": {"model": f"openai/{MODEL}", "api_base": url, "api_key": KEY},
            }
        ],
        provider_budget_config={"openai": {"budget_limit": budget_nusd / NUSD, "time_period": "1d"}},
        num_retries=0,
    )

    def call() -> Awaitable[object]:
        return router.acompletion(model="answers", messages=MESSAGES, max_tokens=OUTPUT_TOKENS)

    return await _burst(call, calls)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    who, state, url, budget_nusd, calls = sys.argv[1:]
    if who == "worst":
        said: dict[str, Any] = worst(url)
    elif who == "litellm":
        said = asyncio.run(of_litellm(url, int(budget_nusd), int(calls)))
    else:
        said = asyncio.run(of_router(state, url, int(budget_nusd), int(calls)))
    answers.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
