"""Rows that leave the store by age: nothing is lost, nothing is doubled, whenever a run is killed."""

import gzip
import json
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from router.adapters.clocks import ManualClock
from router.books.archive import Archived, archive, rows_with
from router.books.row_files import NAME, alone_in, each_row, files_in, path_for, read_rows, write_rows
from router.engine import Ports
from router.errors import RequestError
from router.plan import Plan, Settings
from router.ports import Balance, Note, Row
from router.values import Kind
from tests.adapters.states import (
    NOW_S,
    STATES,
    State,
    balance,
    budget,
    charge,
    counter,
    do,
    granted,
    hold,
    nothing,
    opened,
    row,
    settlement,
)
from tests.tools.rows import row as by_hand
from tests.world import World

DAY_S = 86_400.0
DAY = budget(amount=10**6)
ALL = budget("policy:cheap-fast", amount=10**9, unit="tokens", window="total")
LATER_S = NOW_S + 100 * DAY_S
PLAN = Plan(
    digest="d",
    prices_digest="p",
    providers={},
    targets={},
    policies={},
    tenants={},
    settings=Settings(),
    folder="",
)


@pytest.fixture(params=sorted(STATES))
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    with opened(request.param, tmp_path) as state:
        yield state


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "old rows"


def ports(state: State, *, now_s: float = LATER_S, ledger: Any = None) -> Ports:
    world = World(cast(Any, None), clock=ManualClock(now_s=now_s))
    return replace(world.ports, ledger=ledger or state.ledger)


def moved(
    state: State, folder: Path, *, ledger: Any = None, now_s: float = LATER_S, **choices: Any
) -> Archived:
    values = {"before": "90d", "rows_a_file": 4, **choices}
    return do(archive(PLAN, ports(state, ledger=ledger, now_s=now_s), folder=folder, **values))


def lived_in(state: State, number: int = 10) -> None:
    """Rows of every end, four days apart from the eleventh on, one still open, and a grant."""
    for at in range(number):
        now_s = NOW_S + max(0, at - 10) * 4 * DAY_S
        held = hold(f"a{at}", charge(DAY, 60), charge(ALL, 40, resets_at_s=None), now_s=now_s, lease_s=30)
        assert granted(state, held)
        if at % 5 == 0:
            do(state.ledger.release(f"a{at}", now_s=now_s + 1))
            continue
        do(state.ledger.mark_sent(f"a{at}", now_s=now_s))
        if at % 5 == 1:
            do(state.ledger.reconcile(now_s=now_s + 31))
        elif at % 5 == 2:
            ending = settlement(60, usage=None, how="worst_case", kind=Kind.TIMEOUT, now_s=now_s + 2)
            do(state.ledger.settle(f"a{at}", ending))
        elif at % 5 == 3:
            do(state.ledger.settle(f"a{at}", nothing(now_s=now_s + 2)))
        else:
            do(state.ledger.settle(f"a{at}", settlement(25, now_s=now_s + 2)))
    assert granted(state, hold("open", charge(DAY, 7), lease_s=10**9))
    do(state.ledger.grant(counter(DAY), 500, Note(id="n", who="ann", why="x", at_s=NOW_S)))


def everywhere(state: State, folder: Path) -> list[Row]:
    return list(do(rows_with(ports(state), folder)))


def assert_nothing_lost_or_doubled(state: State, folder: Path, rows: Sequence[Row], before: Any) -> None:
    """Store and files together have the rows as they were, each once, and balances stay what they were."""
    assert [stable(each) for each in everywhere(state, folder)] == [stable(each) for each in rows]
    kept = do(state.ledger.all_balances())
    assert {key: replace(each, moved=0) for key, each in kept.items()} == before
    sums: dict[Any, int] = {}
    in_store = {each.id for each in do(state.ledger.rows())}
    for each in each_row(folder) if folder.exists() else ():
        for key, amount in each.counters:
            sums[key] = sums.get(key, 0) + (0 if each.id in in_store else amount)
    assert {key: each.moved for key, each in kept.items()} == {key: sums.get(key, 0) for key in kept}


def stable(row: Row) -> Row:
    """Times on a server go through its clock and back."""
    times = {"reserved_at_s": round(row.reserved_at_s, 3), "lease_until_s": round(row.lease_until_s, 3)}
    return replace(row, **times, ended_at_s=None if row.ended_at_s is None else round(row.ended_at_s, 3))


# --- A whole run --------------------------------------------------------------------------------------------------


def test_old_rows_are_in_files_and_their_sums_in_the_balances(state: State, folder: Path) -> None:
    lived_in(state, 30)
    rows, before = do(state.ledger.rows()), do(state.ledger.all_balances())
    done = moved(state, folder)
    old = [each for each in rows if each.ended_at_s is not None and each.ended_at_s < LATER_S - 90 * DAY_S]
    assert done.rows == len(old) == 13
    assert [len(read_rows(file)) for file in files_in(folder)] == [4, 4, 4, 1]
    assert [Path(each).name for each in done.files] == [file.path.name for file in files_in(folder)]
    assert [each.id for each in do(state.ledger.rows())] == [each.id for each in rows if each not in old]
    assert_nothing_lost_or_doubled(state, folder, rows, before)
    assert moved(state, folder) == Archived(rows=0, files=(), counters=0), "a second run has nothing to do"
    assert_nothing_lost_or_doubled(state, folder, rows, before)


def test_what_is_open_stays_however_old_and_goes_once_it_has_ended(state: State, folder: Path) -> None:
    lived_in(state)
    rows = do(state.ledger.rows())
    assert moved(state, folder).rows == 10
    assert [each.id for each in do(state.ledger.rows())] == ["open"]
    do(state.ledger.settle("open", settlement(5, now_s=NOW_S + 3)))
    assert moved(state, folder).rows == 1
    assert do(state.ledger.rows()) == []
    assert [each.id for each in everywhere(state, folder)] == [each.id for each in rows]


def test_budgets_hold_on_and_numbers_rise_after_all_rows_are_gone(state: State, folder: Path) -> None:
    total = budget("tenant:acme", amount=100, window="total")
    for name in ("a", "b"):
        assert granted(state, hold(name, charge(total, 50, resets_at_s=None)))
        do(state.ledger.settle(name, settlement(50)))
    last = row(state, "b").seq
    assert moved(state, folder).rows == 2
    assert do(state.ledger.rows()) == []
    assert not granted(state, hold("c", charge(total, 1, resets_at_s=None)))
    assert granted(state, hold("d"))
    assert row(state, "d").seq > last
    assert balance(state, total, "") == (100, 0)


def test_counters_of_windows_that_are_over_go_with_their_rows_and_those_in_total_stay(
    state: State, folder: Path
) -> None:
    lived_in(state)
    do(state.ledger.settle("open", settlement(5, now_s=NOW_S + 3)))
    today = budget("tenant:today", amount=100)
    start = "2026-12-30"  # of LATER_S
    assert granted(state, hold("t", charge(today, 9, start=start)))
    do(state.ledger.settle("t", settlement(9)))
    assert moved(state, folder).counters == 1
    kept = do(state.ledger.all_balances())
    assert set(kept) == {counter(ALL), counter(today, start)}
    assert kept[counter(ALL)].moved == kept[counter(ALL)].settled > 0
    assert kept[counter(today, start)] == Balance(settled=9, moved=9)


def test_a_counter_with_a_row_left_in_the_store_stays(state: State, folder: Path) -> None:
    lived_in(state)
    assert moved(state, folder).counters == 0
    assert counter(DAY) in do(state.ledger.all_balances())


@pytest.mark.parametrize("compressed", [False, True])
def test_files_are_private_and_json_lines_of_whole_rows(
    tmp_path: Path, folder: Path, compressed: bool
) -> None:
    with opened("sqlite", tmp_path) as state:
        lived_in(state)
        rows = do(state.ledger.rows())
        umask = os.umask(0)
        try:
            moved(state, folder, compressed=compressed)
        finally:
            os.umask(umask)
    names = [each.name for each in sorted(folder.iterdir())]
    ending = ".jsonl.gz" if compressed else ".jsonl"
    spans = [(rows[a].seq, rows[b].seq) for a, b in ((0, 3), (4, 7), (8, 9))]
    assert names == [".ledger", ".lock", *(f"rows-{first:012d}-{last:012d}{ending}" for first, last in spans)]
    if os.name == "posix":
        assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    body = (folder / names[2]).read_bytes()
    lines = (gzip.decompress(body) if compressed else body).decode().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["a0", "a1", "a2", "a3"]
    assert list(each_row(folder)) == rows[:-1]


# --- Killed between any two steps ---------------------------------------------------------------------------------


class Killed(BaseException):
    """As `kill -9`: nothing after it runs, and nothing that is not on the disk is there."""


class Mortal:
    """A ledger whose process is killed at its `at`-th step out here, before or after the step was done."""

    def __init__(self, ledger: Any, at: int, *, done: bool) -> None:
        self._ledger, self._left, self._done = ledger, at, done

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def step(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._done:
                raise Killed
            found = await getattr(self._ledger, name)(*arguments, **named)
            if self._left == 0:
                raise Killed
            return found

        return step


@pytest.mark.parametrize("done", [False, True])
def test_a_run_that_is_killed_at_any_step_is_made_good_by_the_next(
    tmp_path: Path, done: bool, state: State
) -> None:
    """Each step of the store, in turn, until a run is not killed any more; each run begins where the last one died."""
    lived_in(state, 30)
    rows, before = do(state.ledger.rows()), do(state.ledger.all_balances())
    for at in range(1, 60):
        folder = tmp_path / "rows"
        ledger = Mortal(state.ledger, at % 9 + 1, done=done)
        try:
            moved(state, folder, ledger=ledger)
        except Killed:
            assert_nothing_lost_or_doubled(state, folder, rows, before)
            continue
        break
    moved(state, folder)
    assert_nothing_lost_or_doubled(state, folder, rows, before)
    assert len([each for each in do(state.ledger.rows()) if each.state != "reserved"]) == 17


class Halting:
    """A ledger that does part of what is moved out, and is then killed."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def move_out(self, rows: Sequence[Row]) -> int:
        await self._ledger.move_out(rows[:2])
        raise Killed


def test_a_row_that_is_corrected_after_its_file_was_written_is_written_again(
    state: State, folder: Path
) -> None:
    """Killed with two of four rows gone; then the truth of a third comes; then the next run."""
    lived_in(state)
    rows = {each.id: each for each in do(state.ledger.rows())}
    with pytest.raises(Killed):
        moved(state, folder, ledger=Halting(state.ledger))
    assert [file.path.name for file in files_in(folder)] == ["rows-000000000001-000000000007.jsonl"]
    do(state.ledger.settle("a2", settlement(33, now_s=LATER_S - 1)))
    expected = [*rows.values()]
    expected[2] = row(state, "a2")
    before = do(state.ledger.all_balances())
    before = {key: replace(each, moved=0) for key, each in before.items()}
    assert_nothing_lost_or_doubled(state, folder, expected, before)
    moved(state, folder)
    assert_nothing_lost_or_doubled(state, folder, expected, before)
    assert files_in(folder)[0].path.name == "rows-000000000001-000000000007.jsonl"
    assert {each.id: each.cost_nusd for each in each_row(folder)}["a2"] == 33


class Late:
    """A ledger in which a truth comes in the very moment before its row is moved out."""

    def __init__(self, ledger: Any, truth: Callable[[], Any]) -> None:
        self._ledger = ledger
        self._truth: Callable[[], Any] | None = truth

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def move_out(self, rows: Sequence[Row]) -> int:
        if self._truth is not None:
            self._truth()
        self._truth = None
        return int(await self._ledger.move_out(rows))


def test_a_truth_that_comes_between_writing_and_moving_is_in_the_file(state: State, folder: Path) -> None:
    lived_in(state)

    def truth() -> None:
        do(state.ledger.settle("a1", settlement(44, now_s=NOW_S + 50)))

    moved(state, folder, ledger=Late(state.ledger, truth))
    assert {each.id: each.cost_nusd for each in each_row(folder)}["a1"] == 44
    kept = do(state.ledger.balances([counter(ALL)]))[counter(ALL)]
    assert kept.settled == kept.moved


def test_a_truth_that_comes_when_only_its_row_is_left_to_be_moved_is_in_the_file(
    state: State, folder: Path
) -> None:
    assert granted(state, hold("a", charge(ALL, 50)))
    do(state.ledger.mark_sent("a", now_s=NOW_S))
    do(state.ledger.settle("a", settlement(50, how="worst_case")))

    def truth() -> None:
        do(state.ledger.settle("a", settlement(44)))

    assert moved(state, folder, ledger=Late(state.ledger, truth)).rows == 1
    assert [each.cost_nusd for each in each_row(folder)] == [44]


class Deaf:
    """A ledger whose first answer is lost, and which was asked again: by then the rows are gone."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def move_out(self, rows: Sequence[Row]) -> int:
        await self._ledger.move_out(rows)
        return int(await self._ledger.move_out(rows))


def test_rows_that_left_unheard_have_left(state: State, folder: Path) -> None:
    lived_in(state)
    rows, before = do(state.ledger.rows()), do(state.ledger.all_balances())
    assert moved(state, folder, ledger=Deaf(state.ledger)).rows == len(
        [each for each in rows if each.state != "reserved"]
    )
    assert_nothing_lost_or_doubled(state, folder, rows, before)


def test_a_run_names_the_files_that_it_made_good(tmp_path: Path, folder: Path) -> None:
    with opened("memory", tmp_path) as state:
        lived_in(state)
        with pytest.raises(Killed):
            moved(state, folder, ledger=Mortal(state.ledger, 4, done=False))
        left = [str(file.path) for file in files_in(folder)]
        assert len(left) == 1
        done = moved(state, folder)
        assert (done.rows, done.files[:1]) == (10, tuple(left))
        assert sorted(done.files) == [str(file.path) for file in files_in(folder)]


def test_what_a_killed_run_had_begun_to_write_is_no_file(tmp_path: Path, folder: Path) -> None:
    with opened("sqlite", tmp_path) as state:
        lived_in(state)
        folder.mkdir()
        (folder / ".rows-000000000001-000000000004.jsonl.fresh").write_text('{"half')
        moved(state, folder)
        assert [each.name for each in folder.iterdir() if "fresh" in each.name] == []
        assert len(list(each_row(folder))) == 10


# --- What is refused ----------------------------------------------------------------------------------------------


def test_two_runs_do_not_share_a_folder(tmp_path: Path, folder: Path) -> None:
    with opened("sqlite", tmp_path) as state:
        lived_in(state)
        with alone_in(folder), pytest.raises(RequestError, match="can't be used now"):
            moved(state, folder)
        assert moved(state, folder).rows == 10


def test_the_rows_of_another_ledger_are_not_written_over(tmp_path: Path, folder: Path) -> None:
    for name in ("one", "two"):
        with opened("sqlite", tmp_path / name) as state:
            for number in range(4):
                assert granted(state, hold(f"{name}{number}"))
                do(state.ledger.settle(f"{name}{number}", settlement(1)))
            if name == "one":
                moved(state, folder)
            else:
                with pytest.raises(RequestError, match="holds the rows of another ledger"):
                    moved(state, folder)
                assert len(do(state.ledger.rows())) == 4
    assert [each.id for each in each_row(folder)] == ["one0", "one1", "one2", "one3"]


def test_a_damaged_file_that_was_compressed_is_told(tmp_path: Path, folder: Path) -> None:
    with opened("sqlite", tmp_path) as state:
        lived_in(state)
        moved(state, folder, compressed=True)
    file = files_in(folder)[0].path
    whole = file.read_bytes()
    for at in (0, *range(10, len(whole), 7)):  # what is between says nothing of the rows
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with pytest.raises(RequestError, match="is damaged"):
            list(each_row(folder))


def test_texts_with_ends_of_lines_of_their_own_are_read(tmp_path: Path) -> None:
    odd = replace(by_hand(NOW_S), key="a\u2028b\x85c")
    write_rows(path_for(tmp_path, [odd], compressed=False), [odd])
    assert list(each_row(tmp_path)) == [odd]


@pytest.mark.parametrize("damage", ["cut", "renamed", "torn", "empty"])
def test_a_damaged_file_is_told(tmp_path: Path, folder: Path, damage: str) -> None:
    with opened("sqlite", tmp_path) as state:
        lived_in(state)
        moved(state, folder)
    file = files_in(folder)[0].path
    if damage == "renamed":
        file.rename(folder / "rows-000000000001-000000000099.jsonl")
    else:
        text = file.read_text()
        file.write_text({"cut": "\n".join(text.splitlines()[:3]), "torn": text[:-9], "empty": ""}[damage])
    with pytest.raises(RequestError, match="is damaged"):
        list(each_row(folder))


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="can't be read"):
        list(each_row(tmp_path / "nowhere"))
    (tmp_path / "file").write_text("")
    with opened("memory", tmp_path) as state, pytest.raises(RequestError, match="can't be used"):
        moved(state, tmp_path / "file")


def test_a_file_of_an_earlier_and_one_of_a_later_router_are_read(tmp_path: Path, folder: Path) -> None:
    with opened("sqlite", tmp_path) as state:
        lived_in(state)
        moved(state, folder)
    rows, file = list(each_row(folder)), files_in(folder)[0].path
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    del lines[0]["key"], lines[1]["tags"]
    lines[2]["mood"] = "fine"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert list(each_row(folder)) == rows
    del lines[3]["state"]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    with pytest.raises(RequestError, match="is damaged"):
        list(each_row(folder))


def test_files_copied_together_count_each_row_once(tmp_path: Path, folder: Path) -> None:
    with opened("sqlite", tmp_path) as state:
        lived_in(state)
        moved(state, folder)
    rows = list(each_row(folder))
    text = "".join(file.path.read_text() for file in files_in(folder))
    (folder / f"rows-{rows[0].seq:012d}-{rows[-1].seq:012d}.jsonl").write_text(text)
    assert sorted(each_row(folder), key=lambda each: each.seq) == rows
    assert all(NAME.fullmatch(file.path.name) for file in files_in(folder))


def test_a_row_keeps_its_key_and_tags_in_a_file_and_one_of_before_has_none(tmp_path: Path) -> None:
    found = by_hand(1_790_000_000.0, key="OPENAI_API_KEY_2", tags=("töst", 'quo"te'))
    path = path_for(tmp_path, [found], compressed=False)
    write_rows(path, [found])
    (file,) = files_in(tmp_path)
    assert read_rows(file) == [found]
    line = json.loads(path.read_text())
    path.write_text(json.dumps({name: line[name] for name in line if name not in ("key", "tags")}) + "\n")
    (older,) = read_rows(file)
    assert (older.key, older.tags) == (None, ())
