"""Runs held against what `explain` prints beforehand: of the policy for anybody, for its caller, and of the call."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from router import events as ev
from router.adapters.scripted_transport import Step as Scripted
from router.client.inline import run_inline
from router.decide.bounds import BranchBound, policy_bounds
from router.errors import RequestError
from router.plan import Plan
from router.ports import WireCall
from router.tools.explain import Explanation, explain
from tests.reference.interpreter.world import Call, Result, Used, World
from tests.reference.router_side import Side, scripted

TICK_S = 1e-6  # sums of floats


@dataclass(frozen=True, kw_only=True)
class Bound:
    """The most that may be spent or held at once (None: unbounded), and last, and be sent."""

    nusd: int | None
    seconds: float
    sends: int

    @classmethod
    def of(cls, branches: Sequence[BranchBound]) -> "Bound":
        costs = [branch.cost_nusd for branch in branches]
        return cls(
            nusd=None if None in costs else max(costs),
            seconds=max(branch.seconds for branch in branches),
            sends=max(branch.sends for branch in branches),
        )


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one call came to, and what was printed before it."""

    call: Call
    result: Result
    policy: Bound | None
    caller: Bound | None = None
    this_call: Bound | None = None
    told: Explanation | None = None

    @property
    def peak_nusd(self) -> int:
        """The most that was spent and held at one time."""
        spent, peak = 0, 0
        for held, cost in zip(self.result.reserved, self.result.costs, strict=True):
            peak = max(peak, spent + held)
            spent += cost
        return max(peak, spent)

    @property
    def sends(self) -> int:
        return len(self.result.attempts)

    def violations(self) -> Iterator[str]:
        bounds = {"the policy": self.policy, "its caller": self.caller, "this call": self.this_call}
        for name, bound in bounds.items():
            if bound is None:
                continue
            if bound.nusd is not None and self.peak_nusd > bound.nusd:
                yield f"{name}: {self.peak_nusd} nano-USD, at most {bound.nusd}"
            if self.result.seconds > bound.seconds + TICK_S:
                yield f"{name}: {self.result.seconds} s, at most {bound.seconds}"
            if self.sends > bound.sends:
                yield f"{name}: {self.sends} sends, at most {bound.sends}"

    def misjudged(self) -> Iterator[str]:
        """Where `explain` expected something else of this very call. A call without a tenant is nobody's to it."""
        told, result = self.told, self.result
        if told is None or result.cached or self.call.tenant is None:
            return
        if told.refusal is not None and told.refusal.type != result.error:
            yield f"explain told of {told.refusal.type}, and it came to {result.error}"
        if told.passes is not bool(result.attempts):
            yield f"explain told that it passes: {told.passes}, and these were sent: {result.attempts}"


class BoundSide(Side):
    """A router whose providers report a share of what was reserved: never more, which is theirs to promise."""

    def __init__(self, world: World, plan: Plan) -> None:
        super().__init__(world, plan)
        self._bounds: dict[str, Bound] = {}

    def bounded(self, id: str, call: Call) -> Run:
        call = replace(call, down=frozenset())  # without its stores nothing can be explained
        self.clock.advance(call.gap_s)
        printed = self.explained(call)
        result = self.call_now(id, call)
        return Run(
            call=call,
            result=result,
            policy=self.policy_bound(call.policy),
            told=printed,
            caller=Bound.of(printed.branches) if printed else None,
            this_call=Bound.of([printed.this_call]) if printed and printed.this_call else None,
        )

    def policy_bound(self, name: str) -> Bound | None:
        if name not in self.plan.policies:
            return None
        if name not in self._bounds:
            self._bounds[name] = Bound.of(policy_bounds(self.plan, self.plan.policies[name]))
        return self._bounds[name]

    def explained(self, call: Call) -> Explanation | None:
        try:
            return run_inline(explain(self.plan, self.ports, self.request("explained", call)))
        except RequestError:
            return None

    def _step(self, call: WireCall) -> Scripted:
        step = self.next_step(call.target)
        return scripted(step if step.used is None else replace(step, used=self._within(step.used)))

    def _within(self, used: Used) -> Used:
        """As large a part of the reservation as the script's usage is of its own largest."""
        held = next(event for event in reversed(self.seen) if isinstance(event, ev.Reserved))
        return Used(
            input=min(held.input_tokens, held.input_tokens * used.input // 60),
            output=min(held.output_tokens, held.output_tokens * used.output // 20),
            cached=held.input_tokens * used.cached // 60,
            written=held.input_tokens * used.written // 60,
        )
