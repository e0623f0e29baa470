"""The guard around every test: nothing leaves this machine, and no attempt to is swallowed."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ELSEWHERE = ("192.0.2.1", 443)  # reserved for documentation: nobody is there
HERE = Path(__file__).parent

SAMPLE = """
import contextlib, socket, threading
import pytest

def reach():
    with contextlib.suppress(Exception), socket.socket() as sock:
        sock.connect(("192.0.2.1", 443))

def test_swallows():
    reach()

def test_swallows_on_a_thread():
    thread = threading.Thread(target=reach)
    thread.start()
    thread.join()

def test_stays():
    pass

@pytest.mark.recordings
@pytest.mark.parametrize("recording", [])
def test_replays(recording):
    pass

def test_reads(recordings):
    pass
"""


@pytest.mark.reaches_out
@pytest.mark.parametrize("way", ["connect", "connect_ex"])
def test_connecting_elsewhere_is_refused_by_name(way: str) -> None:
    with socket.socket() as sock, pytest.raises(RuntimeError, match=r"reached for \('192\.0\.2\.1', 443\)"):
        getattr(sock, way)(ELSEWHERE)


@pytest.mark.reaches_out
def test_a_datagram_elsewhere_is_refused() -> None:
    with (
        socket.socket(type=socket.SOCK_DGRAM) as sock,
        pytest.raises(RuntimeError, match="use the fake provider"),
    ):
        sock.sendto(b"x", ELSEWHERE)


@pytest.mark.reaches_out
@pytest.mark.parametrize("host", ["api.example.com", "192.0.2.1"])
def test_an_event_loop_may_not_even_resolve_a_name(host: str) -> None:
    with pytest.raises(RuntimeError, match=f"reached for .*{host}"):
        asyncio.run(asyncio.wait_for(asyncio.open_connection(host, 443), timeout=2))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_may_be_reached(host: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection((host, server.getsockname()[1]), timeout=2),
    ):
        server.accept()[0].close()


def test_a_swallowed_attempt_fails_and_absent_recordings_are_one_skip(tmp_path: Path) -> None:
    tests = tmp_path / "checkout" / "tests"
    tests.mkdir(parents=True)
    for name in ("conftest.py", "recordings.py", "test_recordings_present.py"):
        shutil.copy(HERE / name, tests)
    (tests / "test_sample.py").write_text(SAMPLE, encoding="utf-8")
    shutil.copy(HERE.parent / "pyproject.toml", tests.parent)
    environment = {name: value for name, value in os.environ.items() if name != "ROUTER_RECORDINGS"}

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"],
        cwd=tests.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "2 failed, 1 passed, 1 skipped, 2 deselected" in ran.stdout.splitlines()[-1], (
        ran.stdout + ran.stderr
    )
    assert ran.stdout.count("the test reached for another machine: ('192.0.2.1', 443)") >= 2
    assert "set ROUTER_RECORDINGS to their folder" in ran.stdout


def test_a_mistyped_recordings_folder_is_no_skip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tests.recordings import recordings_folder

    monkeypatch.setenv("ROUTER_RECORDINGS", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="ROUTER_RECORDINGS names"):
        recordings_folder()
