"""Which store, cache and wire a router gets, and what it refuses to be given."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from router import Router
from router.adapters.clocks import AsyncClock, SystemClock
from router.adapters.scripted_transport import ScriptedTransport
from router.client.assembly import MEMORY, cache_place, state_place
from router.client.routers import AsyncRouter
from router.errors import PolicyError, RequestError
from router.plan import Settings
from router.values import Place, SecretRef
from tests.build import plan, policy

SIX_LINES = {
    "version": 1,
    "providers": {"openai": {}},
    "policies": {"cheap-fast": {"targets": ["openai/gpt-5-nano", "openai/gpt-5-mini"]}},
}
PLAN = replace(plan(policy("main", "openai/a")), folder="/srv/app/policies")


def test_state_and_cache_lie_beside_the_policies() -> None:
    assert state_place(PLAN, None, realm="live") == "/srv/app/.router/state.db"
    assert cache_place(PLAN, None, realm="live") == "/srv/app/.router/cache"
    assert state_place(PLAN, None, realm="fake") == "/srv/app/.router/fake/state.db"
    assert state_place(replace(PLAN, folder=""), None) == MEMORY


def test_the_argument_wins_over_the_setting_and_that_over_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROUTER_STATE", "sqlite:////srv/environment.db")
    assert state_place(PLAN, None) == "/srv/environment.db"
    written = replace(PLAN, settings=Settings(state="sqlite:///kept/state.db", cache="kept/cache"))
    assert state_place(written, None) == "/srv/app/policies/kept/state.db"
    assert state_place(written, "sqlite:////srv/argument.db") == "/srv/argument.db"
    assert cache_place(written, None) == "/srv/app/policies/kept/cache"
    assert cache_place(written, Path("/srv/c")) == "/srv/c"


def test_an_address_of_a_server_that_keeps_no_answers_is_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        RequestError, match=r"^`postgres://` is no place for answers\nhelp: write `memory`, a folder"
    ) as told:
        cache_place(PLAN, "postgres://me:secret@db/answers")
    assert "secret" not in str(told.value)
    monkeypatch.setenv("ANSWERS", "s3://bucket")
    named = SecretRef(source="env", name="ANSWERS", place=Place(file="a.yaml", line=1, column=1))
    with pytest.raises(RequestError, match=r"^`s3://` is no place for answers"):
        cache_place(replace(PLAN, settings=Settings(cache=named)), None)
    assert cache_place(PLAN, "redis://cache:6379") == "redis://cache:6379"


def test_made_up_answers_are_booked_apart_from_a_place_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    written = replace(PLAN, settings=Settings(state="sqlite:///kept/state.db?synchronous=full", cache="kept"))
    assert state_place(written, None, realm="fake") == "/srv/app/policies/kept/fake/state.db?synchronous=full"
    assert cache_place(written, None, realm="replay") == "/srv/app/policies/kept/replay"
    monkeypatch.setenv("ROUTER_STATE", "sqlite:////srv/environment.db")
    assert state_place(PLAN, None, realm="replay") == "/srv/replay/environment.db"
    assert state_place(PLAN, "sqlite:////srv/argument.db", realm="fake") == "/srv/argument.db"
    assert cache_place(PLAN, "/srv/answers", realm="fake") == "/srv/answers"
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")  # what a command looks at is what a call would write
    assert state_place(PLAN, None) == "/srv/fake/environment.db"


def test_a_variable_that_the_policies_pass_over_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "main.yaml").write_text(
        "version: 1\nproviders: {openai: {}}\npolicies: {main: {targets: [openai/gpt-5-nano]}}\n"
        "settings: {state: 'sqlite:///../a.db'}\n"
    )
    monkeypatch.setenv("ROUTER_STATE", f"sqlite:///{tmp_path}/a.db")
    with Router.open(folder, transport="fake"):
        assert caplog.messages == []
    monkeypatch.setenv("ROUTER_STATE", "redis://:secret@staging/0")
    with Router.open(folder, transport="fake", state="memory"):
        assert caplog.messages == []
    with Router.open(folder, transport="fake"):
        (told,) = caplog.messages
    assert told.startswith("ROUTER_STATE names `redis://staging/0`, which is not used: `settings.state`")


def test_a_state_file_may_be_asked_to_survive_a_power_loss(tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path}/state.db?synchronous=full"
    assert state_place(PLAN, place) == f"{tmp_path}/state.db?synchronous=full"
    for written, level in ((place, 2), (place.partition("?")[0], 1)):
        with Router.open(SIX_LINES, transport="fake", state=written) as router:
            router.complete("Hello", policy="cheap-fast")
            cursor = router.ports.ledger._file._opened()  # type: ignore[attr-defined]
            assert cursor.execute("PRAGMA synchronous").fetchone() == (level,)
    assert [each.name for each in tmp_path.glob("*.db*")] == ["state.db"]
    with pytest.raises(RequestError, match="is no state store"):
        state_place(PLAN, f"{place}r")


def test_six_lines_are_a_router() -> None:
    with Router.open(SIX_LINES, transport="fake") as router:
        reply = router.complete("Hello", policy="cheap-fast")
        assert reply.target == "openai/gpt-5-nano"
        assert router.plan.settings.state is None


def test_what_check_refuses_open_refuses() -> None:
    with pytest.raises(PolicyError, match="unknown key `targetz`") as caught:
        Router.open({**SIX_LINES, "policies": {"cheap-fast": {"targetz": []}}})
    assert caught.value.problems


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"state": "postgres://x"}, "`postgres://x` is no state store"),
        ({"state": 5}, "`5` is no state store"),
        ({"transport": "litelm"}, "`litelm` is no transport"),
        ({"transport": 5}, "`5` is no transport"),
        ({"transport": "cassette:/nowhere.yaml"}, "nowhere.yaml"),
    ],
)
def test_what_is_no_store_or_wire_is_refused_by_name(choice: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        Router.open(SIX_LINES, **choice)


def test_a_port_that_does_not_fit_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="the transport of this Router suspends"):
        Router.open(SIX_LINES, transport=ScriptedTransport(clock=AsyncClock()))
    with pytest.raises(TypeError, match="the transport of this AsyncRouter blocks"):
        AsyncRouter.open(SIX_LINES, transport=ScriptedTransport(clock=SystemClock()))
    with pytest.raises(TypeError, match="suspends: give it one made for Router"):
        Router.open(SIX_LINES, transport="fake", clock=AsyncClock())


def test_a_plan_that_was_made_before_is_taken_as_it_is() -> None:
    one = {
        "version": 1,
        "providers": {"openai": {}},
        "policies": {"main": {"targets": ["openai/gpt-5-nano"]}},
    }
    with Router.open(one, transport="fake", state="memory") as first:
        plan = first.plan
    with Router.open(plan, transport="fake", state="memory") as second:
        assert second.plan is plan
        assert second.complete("Hello", policy="main").target == "openai/gpt-5-nano"
