"""A frozen router, and the digests by which a trace and a ledger row say what they ran on."""

import asyncio
from pathlib import Path

import pytest

from router import AsyncRouter, PolicyError, Router
from router import events as ev
from router.adapters.price_file import PriceFile
from router.client.inline import run_inline
from router.policy.load import load
from router.policy.lock import LOCK_FILE
from router.policy.source import read_text
from router.tools.lock import locking, write_lock

TEXT = """\
version: 1
providers: {openai: {}}
policies: {fast: {targets: [openai/gpt-5-nano], ceiling: {output_tokens: 400}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "a.yaml").write_text(TEXT, encoding="utf-8")
    write_lock(locking(folder, PriceFile.load()))
    return folder


def drift(folder: Path) -> None:
    text = (folder / LOCK_FILE).read_text(encoding="utf-8")
    (folder / LOCK_FILE).write_text(text.replace("context: 272000", "context: 128000"), encoding="utf-8")


@pytest.mark.parametrize("kind", [Router, AsyncRouter])
def test_a_frozen_router_opens_only_on_what_was_locked(
    folder: Path, kind: type[Router] | type[AsyncRouter]
) -> None:
    opened = kind.open(folder, transport="fake", frozen=True)
    assert opened.warnings == ()
    asyncio.run(opened.close()) if isinstance(opened, AsyncRouter) else opened.close()
    drift(folder)
    with pytest.raises(PolicyError) as caught:
        kind.open(folder, transport="fake", frozen=True)
    (problem,) = caught.value.problems
    assert problem.message == "`openai/gpt-5-nano`: context was `128000` when locked, and is `272000` now"
    assert problem.place.file == str(folder / LOCK_FILE)


def test_one_that_is_not_frozen_opens_and_warns(folder: Path) -> None:
    drift(folder)
    with Router.open(folder, transport="fake") as opened:
        assert [(warning.code, warning.severity) for warning in opened.warnings] == [
            ("lock-drift", "warning")
        ]


def test_a_mapping_cannot_be_frozen() -> None:
    with pytest.raises(PolicyError, match="no lock file"):
        Router.open({"version": 1, "providers": {}, "policies": {}}, frozen=True)


def test_the_digests_of_the_lock_stand_in_every_trace_and_row(folder: Path) -> None:
    document = read_text((folder / LOCK_FILE).read_text(encoding="utf-8"), LOCK_FILE).document
    assert document is not None
    digests = (document.value["policies"], document.value["prices"])
    with Router.open(folder, transport="fake", frozen=True) as opened:
        reply = opened.complete("Hello", policy="fast")
        (row,) = run_inline(opened.ports.ledger.rows())
    started = reply.trace[0]
    assert isinstance(started, ev.RequestStarted)
    assert (started.plan_digest, started.prices_digest) == digests == (row.plan_digest, row.prices_digest)


def test_both_digests_change_with_what_they_stand_for(folder: Path) -> None:
    before = load(folder, PriceFile.load()).plan
    (folder / "a.yaml").write_text(TEXT.replace("400", "500"), encoding="utf-8")
    after = load(folder, PriceFile.load()).plan
    assert before is not None
    assert after is not None
    assert before.digest != after.digest
    assert before.prices_digest == after.prices_digest
