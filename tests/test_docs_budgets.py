"""What docs/budgets.md shows of a server that has lost its rows, played with one."""

import shlex
from pathlib import Path

import pytest

from bench.burst import ANSWER_AFTER_S, CALLS, FITS
from router.adapters.redis_wire import ANSWER_S
from router.cli import main
from router.engine.run import LEASE_S
from tests.adapters.valkey import ValkeyServer
from tests.test_docs import ROOT, blocks

PAGE = ROOT / "docs" / "budgets.md"


def test_the_loss_shown_is_accepted_in_the_words_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "shown.yaml").write_text(blocks(PAGE, "yaml")[0])
    (shown,) = blocks(PAGE, "console")
    line, told, _ = shown.split("\n", 2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROUTER_TRANSPORT", "fake")
    with ValkeyServer(tmp_path / "server") as server:
        # the page names a server of its own; this one takes its place in the file
        page = (tmp_path / "policies" / "shown.yaml").read_text()
        for name in ("state", "answers"):
            page = page.replace(f"redis://{name}.internal:6379", server.url)
        (tmp_path / "policies" / "shown.yaml").write_text(page)
        asked = ["complete", "cheap-fast", "Hello", "--tenant", "acme/search", "--user", "ann"]
        assert main(asked) == 0
        server.kill()
        server.start()
        assert main([*asked[:2], "Hello again", *asked[3:]]) == 1
        assert "has lost rows" in capsys.readouterr().err
        assert main(shlex.split(line.removeprefix("$ "))[1:]) == 0
        assert capsys.readouterr().out.splitlines()[0] == told
        assert main([*asked[:2], "Hello again", *asked[3:]]) == 0


def test_the_figures_of_the_text_are_those_of_the_code() -> None:
    text = PAGE.read_text()
    assert f"A lease** of {LEASE_S:.0f} s" in text
    assert f"makes {CALLS} calls at once against a provider budget that is worth {FITS} of them" in text
    assert f"answers after {ANSWER_AFTER_S:g} s" in text
    assert f"two tries of {['no', 'one', 'two'][int(ANSWER_S)]} seconds" in text
