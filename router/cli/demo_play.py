"""The performance of `router demo`: every call through a real router, each row told as soon as it is known."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from zoneinfo import ZoneInfo

from router import events as ev
from router.adapters.lean_transport import LeanTransport
from router.books.balance import BudgetNow, budgets_now
from router.cli.demo_progress import LiveLine
from router.cli.demo_rows import Row, told
from router.cli.demo_stage import Stage, copied_policies, fresh_folder, staged
from router.cli.demo_story import Call, Scene
from router.client.inline import run_inline
from router.errors import RouterError, StoreError
from router.testing import Answer
from router.tools.figures import count, seconds

Say = Callable[[str], None]

LOADING_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamBudget:
    """A money budget of a tenant after the story, and the tenant's own calls in it."""

    tenant: str
    calls: int
    answered: int
    cached: int
    now: BudgetNow


class Watch:
    """A sink: keeps the events of the call under way, and shows them on the live line."""

    def __init__(self, live: LiveLine) -> None:
        self._live = live
        self._events: list[ev.Event] = []
        self._prefix = ""

    def begin(self, prefix: str) -> None:
        self._events, self._prefix = [], prefix

    def __call__(self, event: ev.Event) -> None:
        self._events.append(event)
        match event:
            case ev.AttemptSent():
                self._live.show(f"{self._prefix}: {event.target} is asked")
            case ev.RetryScheduled():
                self._live.show(f"{self._prefix}: {event.target} is asked again in {seconds(event.delay_s)}")

    @property
    def events(self) -> Sequence[ev.Event]:
        return self._events


@contextmanager
def set_up(say: Say, live: LiveLine, watch: Watch) -> Iterator[Stage]:
    """Everything that a first call needs, litellm loading meanwhile; told step by step."""
    transport, began_s = LeanTransport(suspends=False), monotonic()
    try:
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(run_inline, transport.ready(LOADING_S))
            say("  litellm loads in the background, which takes some seconds")
            policies = copied_policies(fresh_folder())
            with staged(policies, transport, watch) as stage:
                say(f"  {_sizes(stage)} in {policies}")
                say(f"  a fake {_kinds(stage)} at {stage.provider.url}")
                _wait(loading, live, began_s)
                say(f"  litellm was there after {seconds(round(monotonic() - began_s, 1))}")
                yield stage
    finally:
        run_inline(transport.aclose())


def _sizes(stage: Stage) -> str:
    plan = stage.router.plan
    sizes = (
        count(len(plan.policies), "policy", "policies"),
        count(len(plan.targets), "target"),
        count(len(plan.tenants), "tenant"),
    )
    return ", ".join(sizes)


def _kinds(stage: Stage) -> str:
    *kinds, last = sorted({provider.kind for provider in stage.router.plan.providers.values()})
    return f"{', '.join(kinds)} and {last}" if kinds else last


def _wait(loading: Future[bool], live: LiveLine, began_s: float) -> None:
    while not wait_for([loading], timeout=0.1).done:
        live.show(f"  litellm is loading: {monotonic() - began_s:.1f}s")
    live.clear()
    if not loading.result():
        raise RouterError(f"litellm was not loaded within {seconds(LOADING_S)}", help="run it again")


def play(stage: Stage, story: Sequence[Scene], watch: Watch) -> Iterator[tuple[Scene, Iterator[Row]]]:
    """Each scene, when it begins, with its rows as they happen. Rows have to be read before the next scene."""
    calls = sum(len(scene.calls) for scene in story)
    numbers = iter(range(1, calls + 1))
    for scene in story:
        for target, steps in scene.faults.items():
            stage.provider.script(target, steps, then=Answer())
        yield scene, (_row(stage, scene, call, next(numbers), calls, watch) for call in scene.calls)


def _row(stage: Stage, scene: Scene, call: Call, number: int, calls: int, watch: Watch) -> Row:
    watch.begin(f"  {number} of {calls}, {call.tenant}")
    error = _ask(stage, call)
    row = Row(number=number, scene=scene.title, tenant=call.tenant, user=call.user, policy=call.policy)
    return told(row, watch.events, error)


def _ask(stage: Stage, call: Call) -> RouterError | None:
    try:
        stage.router.complete(
            call.asks, policy=call.policy, tenant=call.tenant, user=call.user, timeout=call.timeout_s
        )
    except StoreError:  # no part of the story: something is wrong on this machine
        raise
    except RouterError as error:
        return error
    return None


def team_budgets(stage: Stage, rows: Sequence[Row]) -> tuple[TeamBudget, ...]:
    """The money budgets of all tenants, as they stand in the ledger."""
    plan, ports = stage.router.plan, stage.router.ports
    owners = {budget: tenant.path for tenant in plan.tenants.values() for budget in tenant.budgets}
    zone = ZoneInfo(plan.settings.time_zone)
    found = run_inline(budgets_now(ports.ledger, owners, now_s=ports.clock.now_s(), zone=zone))
    return tuple(
        _team_budget(owners[budget], now, rows) for budget, now in found.items() if budget.unit == "nusd"
    )


def _team_budget(tenant: str, now: BudgetNow, rows: Sequence[Row]) -> TeamBudget:
    own = [row for row in rows if row.tenant == tenant or row.tenant.startswith(f"{tenant}/")]
    return TeamBudget(
        tenant=tenant,
        calls=len(own),
        answered=sum(row.error is None for row in own),
        cached=sum(row.outcome == "cached" for row in own),
        now=now,
    )
