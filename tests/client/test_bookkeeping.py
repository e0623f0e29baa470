"""What the books tell, as methods: one answer for `Router`, `AsyncRouter` and the command line."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from router import AsyncRouter, RequestError, Router
from router.adapters.clocks import AsyncClock, ManualClock
from router.adapters.scripted_transport import Says, ScriptedTransport
from router.values import Usage

NOW_S = datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp()
DAY_S = 86_400.0
NANO_NUSD = 1_000 * 50 + 100 * 400

POLICIES: dict[str, Any] = {
    "version": 1,
    "settings": {"time_zone": "Europe/Berlin"},
    "providers": {"openai": {}},
    "policies": {
        "main": {
            "targets": ["openai/gpt-5-nano"],
            "ceiling": {"output_tokens": 300},
            "budget": {"per_day": "$1"},
        }
    },
    "tenants": {"acme": {"policies": "all"}},
}
METHODS = ("usage", "forecast", "advise", "export")


def opened(clock: ManualClock) -> Router:
    says = {"openai/gpt-5-nano": Says("ok", usage=Usage(input_tokens=1_000, output_tokens=100))}
    transport = ScriptedTransport(says, clock=clock)
    return Router.open(POLICIES, state="memory", cache="memory", clock=clock, transport=transport)


def test_a_router_tells_what_it_spent() -> None:
    clock = ManualClock(now_s=NOW_S)
    with opened(clock) as router:
        router.complete("Hello", policy="main", tenant="acme", user="ann")
        report = router.usage(by=["user"])
        (table,) = report.tables
        assert [(group.values, group.spend.spent_nusd) for group in table.groups] == [(("ann",), NANO_NUSD)]
        assert [each.settled for each in report.budgets] == [NANO_NUSD]
        assert [each.used for each in router.forecast()] == [NANO_NUSD]
        assert [(each.user, each.cost_nusd) for each in router.export()] == [("ann", NANO_NUSD)]
        assert router.advise() == ()


def test_a_forecast_knows_what_was_spent_by_rows_that_were_moved_out(tmp_path: Path) -> None:
    clock = ManualClock(now_s=NOW_S)
    with opened(clock) as router:
        for _ in range(2):
            router.complete("Hello", policy="main", tenant="acme")
            clock.advance(60.0)
            router.archive(before=clock.now_s(), to=tmp_path / "rows")
        router.complete("Hello", policy="main", tenant="acme")
        assert len(router.export()) == 1
        assert [each.used for each in router.forecast()] == [3 * NANO_NUSD]


def test_since_is_a_length_a_day_a_time_or_seconds() -> None:
    clock = ManualClock(now_s=NOW_S)
    with opened(clock) as router:
        router.complete("Hello", policy="main", tenant="acme")
        clock.advance(DAY_S)
        then = datetime(2026, 11, 28, 12, tzinfo=UTC)
        for since in ("2d", "2026-11-28", NOW_S, datetime(2026, 11, 28, 13), then):
            assert router.usage(since=since).total.requests == 1, since
            assert len(router.export(since=since)) == 1
        for since in ("1h", "2026-11-29", NOW_S + 1, datetime(2026, 11, 28, 13, 1)):
            assert router.usage(since=since).total.requests == 0, since
            assert router.export(since=since) == ()


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"by": ["tennant"]}, r"`by` knows no `tennant` \(did you mean `tenant`\?\)"),
        ({"window": "fortnight"}, "`window` is one of hour, day, week, month, not `fortnight`"),
        ({"since": "yesterday"}, "`since` is neither a duration"),
        ({"tenant": "nobody"}, "unknown tenant `nobody`"),
    ],
)
def test_a_slip_is_told(choices: dict[str, Any], message: str) -> None:
    with opened(ManualClock(now_s=NOW_S)) as router, pytest.raises(RequestError, match=message):
        router.usage(**choices)


def test_both_routers_answer_alike(tmp_path) -> None:
    state = f"sqlite:///{tmp_path}/state.db"
    with Router.open(POLICIES, state=state, cache="memory", transport="fake") as router:
        router.complete("Hello", policy="main", tenant="acme")
        told = [getattr(router, name)() for name in METHODS]

    async def awaited() -> list[Any]:
        async with AsyncRouter.open(POLICIES, state=state, cache="memory", clock=AsyncClock()) as other:
            return [await getattr(other, name)() for name in METHODS]

    usage, *rest = asyncio.run(awaited())
    assert (usage.total, usage.tables, usage.budgets) == (told[0].total, told[0].tables, told[0].budgets)
    assert [len(each) for each in rest] == [len(each) for each in told[1:]] == [1, 0, 1]
    assert rest[-1] == told[-1]


@pytest.mark.parametrize("name", METHODS)
def test_a_closed_router_tells_nothing(name: str) -> None:
    router = opened(ManualClock(now_s=NOW_S))
    router.close()
    with pytest.raises(RequestError, match="closed"):
        getattr(router, name)()


def test_both_routers_take_grants_and_truths_alike() -> None:
    by = {"who": "ann", "why": "launch"}

    async def awaited() -> Any:
        async with AsyncRouter.open(POLICIES, state="memory", cache="memory", clock=AsyncClock()) as router:
            done = await router.grant(policy="main", window="per_day", amount="$2", **by)
            with pytest.raises(RequestError, match="no row `x`"):
                await router.settle("x", cost="$1", **by)
            return done.budget.left, len(await router.acts()), list(await router.worst_cases())

    with opened(ManualClock(now_s=NOW_S)) as router:
        done = router.grant(policy="main", window="per_day", amount="$2", **by)
        told = done.budget.left, len(router.acts()), list(router.worst_cases())
    assert asyncio.run(awaited()) == told == (3 * 10**9, 1, [])


def test_both_routers_move_rows_out_and_audit_them(tmp_path) -> None:
    state, old = f"sqlite:///{tmp_path}/state.db", tmp_path / "old"

    async def awaited() -> Any:
        async with AsyncRouter.open(POLICIES, state=state, cache="memory", transport="fake") as router:
            for number in range(3):
                await router.complete(f"Hello {number}", policy="main", tenant="acme")
            later = router.ports.clock.now_s() + 60
            calls = [router.complete(f"More {number}", policy="main", tenant="acme") for number in range(5)]
            done, *_ = await asyncio.gather(router.archive(before=later, to=old, compressed=True), *calls)
            return done, await router.audit(archive=old), await router.export(archive=old)

    done, found, rows = asyncio.run(awaited())
    assert (found.sound, found.rows + found.moved, len(rows)) == (True, 8, 8)
    assert found.moved == done.rows >= 3
    with Router.open(POLICIES, state=state, cache="memory", transport="fake") as router:
        rest = router.archive(before=router.ports.clock.now_s() + 60, to=str(old))
        assert rest.rows == 8 - done.rows
        assert (router.audit(archive=old).moved, router.audit().rows) == (8, 0)
        assert [each.seq for each in router.export(archive=str(old))] == [each.seq for each in rows]
        assert router.usage().budgets[0].settled > 0
