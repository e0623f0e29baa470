"""The outage of docs/traffic.md: its figures are what the engine does on a manual clock."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from router.policy.load import load_text
from router.ports import WireCall
from router.testing import Fails, NeverAnswers, Says
from router.values import Kind
from tests.policy.books import Book
from tests.world import World

PAGE = (Path(__file__).parent.parent / "docs" / "traffic.md").read_text(encoding="utf-8")
CALLS, OUTAGE = 500, range(100, 400)
RETRY = "attempts: 3, base: 200ms, max: 2s"
POLICIES: Mapping[str, tuple[str, str]] = {
    "`retry: {attempts: 3}`": ("off", RETRY),
    "and `budget: 10%`": ("off", f"{RETRY}, budget: 10%"),
    "and a breaker, as in the example": ("{failures: 5, within: 1m, open_for: 30s}", f"{RETRY}, budget: 10%"),
}
FAULTS = {"answers 500": Fails(Kind.SERVER_ERROR, status=500, after_s=0.1), "hangs": NeverAnswers()}


def outage(breaker: str, retry: str, fault: Any) -> tuple[int, float, float]:
    """(sends to the dead target, median and longest time of a call) over the calls of the outage."""
    text = (
        f"version: 1\nproviders: {{openai: {{breaker: {breaker}}}, anthropic: {{}}}}\n"
        "policies:\n  main:\n    targets: [openai/small, anthropic/haiku]\n"
        f"    retry: {{{retry}}}\n    timeout: {{total: 60s, attempt: 8s}}\n"
    )
    found = load_text(text, Book(), file="a.yaml")
    assert found.plan is not None, found.problems
    number = 0

    def script(call: WireCall) -> Any:
        is_dead = call.target == "openai/small" and number in OUTAGE
        return fault if is_dead else Says("x", after_s=0.5)

    it = World(found.plan, script)
    sends, times = 0, []
    for number in range(CALLS):
        began_s = it.clock.mono_s()
        it.transport.calls.clear()
        it.call()
        if number in OUTAGE:
            times.append(it.clock.mono_s() - began_s)
            sends += it.targets().count("openai/small")
        it.clock.advance(1.0)
    return sends, sorted(times)[len(times) // 2], max(times)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("policy", POLICIES)
def test_the_page_has_the_figures_of_the_outage(policy: str, fault: str) -> None:
    sends, median_s, longest_s = outage(*POLICIES[policy], FAULTS[fault])
    row = f"| {fault} | {policy} | {sends} | {median_s:.1f} s | {longest_s:.1f} s |"
    assert row in PAGE, row
