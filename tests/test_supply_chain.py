"""What is installed is what was read: pinned, hashed, from no named place, and litellm still speaks from Python."""

import asyncio
import re
import socket
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path
from threading import Thread

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parent.parent
LISTS = ("requirements.txt", ".ci/requirements.txt")
PEERS = tuple(f"bench/pinned/{name}.txt" for name in ("any-llm", "litellm", "tensorzero"))
TROJANED = ("1.82.7", "1.82.8")
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def entries(name: str) -> list[str]:
    """The requirements of a pinned list, each with its hashes on one line."""
    text = (CHECKOUT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip()]


def pins(name: str) -> dict[str, Requirement]:
    parsed = [Requirement(entry.partition(" --hash")[0]) for entry in entries(name)]
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


def declared(*extras: str) -> list[Requirement]:
    optional = PROJECT["optional-dependencies"]
    return [
        Requirement(text)
        for text in [*PROJECT["dependencies"], *(t for extra in extras for t in optional[extra])]
    ]


def pinned_version(requirement: Requirement) -> str:
    (exact,) = requirement.specifier
    assert exact.operator == "==", requirement
    assert "*" not in exact.version, requirement
    return exact.version


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_long(name: str) -> None:
    assert len(entries(name)) > 50


@pytest.mark.parametrize("name", LISTS + PEERS)
def test_every_requirement_is_exact_and_hashed(name: str) -> None:
    assert entries(name)
    for entry in entries(name):
        requirement, *hashes = re.split(r"\s+--hash=", entry.strip())
        pinned_version(Requirement(requirement))
        assert hashes, f"no hash: {entry}"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), entry


@pytest.mark.parametrize("name", LISTS + PEERS)
def test_no_list_names_a_place(name: str) -> None:
    text = (CHECKOUT / name).read_text(encoding="utf-8")
    assert re.findall(r"(?i)\S*(?:://| @ |index-url|find-links|trusted-host|\.whl|\.tar\.gz)\S*", text) == []
    assert [entry for entry in entries(name) if entry.startswith("-")] == []


def test_the_lists_agree_and_cover_what_is_declared() -> None:
    core, everything = (pins(name) for name in LISTS)
    assert core.items() <= everything.items()
    for wanted, listed in ((declared(), core), (declared("testing", "dev"), everything)):
        for requirement in wanted:
            if canonicalize_name(requirement.name) != PROJECT["name"]:
                version = pinned_version(listed[canonicalize_name(requirement.name)])
                assert requirement.specifier.contains(version), f"{requirement} but {version} is pinned"


def test_the_core_list_can_build_the_package_offline() -> None:
    backend = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"][
        "requires"
    ]
    for requirement in map(Requirement, backend):
        assert requirement.specifier.contains(pinned_version(pins("requirements.txt")[requirement.name]))


def test_litellm_is_the_pinned_one_and_no_trojan() -> None:
    installed = distribution("litellm")
    assert installed.version == pinned_version(pins("requirements.txt")["litellm"])
    assert installed.version not in TROJANED
    at_startup = [str(file) for file in installed.files or () if file.suffix == ".pth"]
    assert at_startup == [], (
        "a path file runs code at every start of Python: the trojan of 1.82.8 came in one"
    )


def test_litellm_never_comes_trojaned_or_as_a_proxy() -> None:
    (wanted,) = [requirement for requirement in declared() if requirement.name == "litellm"]
    assert not any(wanted.specifier.contains(version) for version in TROJANED)
    everywhere = [
        *declared(*PROJECT["optional-dependencies"]),
        *(pin for name in LISTS for pin in pins(name).values()),
    ]
    assert [str(found) for found in everywhere if found.name == "litellm" and found.extras] == []


@pytest.fixture
def refusing_server() -> Iterator[str]:
    """A provider on this machine that refuses every key."""

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            body = b'{"error": {"message": "no such key", "type": "authentication_error", "code": 401}}'
            self.send_response(401)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("route", "model"),
    [
        ("acompletion", "openai/gpt-4o"),
        ("acompletion", "anthropic/claude-sonnet-4-5"),
        ("acompletion", "gemini/gemini-2.5-flash"),
        ("aembedding", "openai/text-embedding-3-small"),
        ("aembedding", "gemini/gemini-embedding-001"),
    ],
)
def test_calls_leave_from_python(
    route: str, model: str, refusing_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wire in another language would be seen by neither cassettes nor deadlines, nor by this guard's sockets."""
    from router.adapters.litellm_env import litellm

    connected: list[object] = []
    connect: Callable[..., None] = socket.socket.connect

    def watched(sock: socket.socket, address: object) -> None:
        connected.append(address)
        connect(sock, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    content = (
        {"messages": [{"role": "user", "content": "hi"}]} if route == "acompletion" else {"input": ["hi"]}
    )
    call: Callable[..., Awaitable[object]] = getattr(litellm, route)

    async def send() -> None:
        await call(
            model=model,
            api_key="none",
            api_base=refusing_server,
            num_retries=0,
            max_retries=0,
            timeout=5,
            **content,
        )

    with pytest.raises(litellm.AuthenticationError):
        asyncio.run(send())
    port = int(refusing_server.rpartition(":")[2])
    assert ("127.0.0.1", port) in connected
