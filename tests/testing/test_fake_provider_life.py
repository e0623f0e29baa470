"""From start to stop: nothing is left behind, in threads, loops and forked processes alike."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from router.testing import FAKE_KEY, KINDS, Answer, DropConnection, FakeProvider, NeverAnswer
from tests.testing.raw_http import PATHS, Client, ask, body_for, text_of


def _open_files():
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def _has_ended(client):
    try:
        return client.socket.recv(1) == b""
    except ConnectionResetError:
        return True


def test_nothing_is_left_after_stop():
    with FakeProvider() as provider:  # whatever is made once in a process is made here
        ask(provider.url)
    threads, files = threading.active_count(), _open_files()
    for _ in range(3):
        with FakeProvider() as provider:
            url = provider.url
            ask(url)
        with pytest.raises(ConnectionRefusedError):
            Client(url)
    assert threading.active_count() == threads
    assert _open_files() == files


def test_without_a_start_there_is_no_address():
    with pytest.raises(RuntimeError, match="not running"):
        _ = FakeProvider().url


def test_stop_ends_connections_that_wait_for_an_answer():
    provider = FakeProvider().start()
    provider.script("*", NeverAnswer())
    with Client(provider.url) as waiting, Client(provider.url) as idle:
        waiting.send(PATHS["openai"], body_for("openai"))
        provider.wait_for(lambda requests: len(requests) == 1)
        provider.stop()
        assert _has_ended(waiting)
        assert _has_ended(idle)
    assert not provider.requests[0].closed_by_client


def test_start_and_stop_may_be_repeated():
    provider = FakeProvider()
    provider.stop()
    for _ in range(2):
        provider.start()
        assert provider.start() is provider
        assert ask(provider.url).status == 200
        provider.stop()
        provider.stop()
    assert provider.request_count == 2


def test_a_port_that_is_taken_is_an_error():
    with FakeProvider() as provider:
        port = int(provider.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            FakeProvider(port=port).start()
    with FakeProvider(port=port) as again:
        assert again.url == f"http://127.0.0.1:{port}"


def test_it_runs_inside_a_running_loop():
    async def run():
        async with FakeProvider() as provider:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(provider.url.rpartition(":")[2]))
            data = json.dumps(body_for("openai")).encode()
            head = (
                f"POST {PATHS['openai']} HTTP/1.1\r\nconnection: close\r\ncontent-length: {len(data)}\r\n\r\n"
            )
            writer.write(head.encode() + data)
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

    assert asyncio.run(run()).startswith(b"HTTP/1.1 200 OK")


def test_several_run_side_by_side():
    with FakeProvider(default=Answer("one")) as one, FakeProvider(default=Answer("two")) as two:
        assert text_of("openai", ask(one.url).json()) == "one"
        assert text_of("openai", ask(two.url).json()) == "two"


def _in_child(act):
    """The exit status of a forked child that runs `act`; 1 when it raised."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# CPython 3.12 and later warn about a fork with threads about, which is just what these two are for.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_child_may_start_one_of_its_own_and_use_its_parents():
    def act():
        assert ask(parents.url).status == 200
        with FakeProvider(default=Answer("child")) as own:
            assert text_of("openai", ask(own.url).json()) == "child"
        parents.stop()

    with FakeProvider() as parents:
        assert _in_child(act) == 0
        assert ask(parents.url).status == 200  # what the child stopped was its copy
        assert parents.request_count == 2


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_dropped_connection_ends_although_a_child_holds_it_too():
    with FakeProvider() as provider, Client(provider.url) as client:
        assert client.call(PATHS["openai"], body_for("openai")).status == 200
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        try:
            provider.script("*", DropConnection())
            client.send(PATHS["openai"], body_for("openai"))
            assert client.socket.recv(1) == b""
        finally:
            os.close(reading)
            os.close(writing)
            os.waitpid(child, 0)


def test_the_environment_points_every_kind_here(fake_provider):
    found = fake_provider.environment()
    for name, kind in KINDS.items():
        assert found[kind.key_variable] == FAKE_KEY
        assert found[kind.base_variable] == fake_provider.base_url(name)


def test_it_runs_as_a_process_of_its_own():
    command = [sys.executable, "-m", "router.testing", "--text", "from afar", "--instant"]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as process:
        try:
            urls = json.loads(process.stdout.readline())
            assert set(urls) == set(KINDS)
            root_url = urls["anthropic"].removesuffix("/anthropic")
            assert text_of("openai", ask(root_url).json()) == "from afar"
        finally:
            process.terminate()


def test_importing_it_loads_nothing_heavy():
    heavy = "('litellm', 'yaml', 'pytest', 'httpx', 'aiohttp', 'pydantic', 'tiktoken', 'jsonschema')"
    program = f"import sys, router.testing; print([name for name in {heavy} if name in sys.modules])"
    root = Path(__file__).resolve().parents[2]
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root
    )
    assert found.stdout.strip() == "[]"
