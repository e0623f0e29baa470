"""A wire to a server that falls ill at one of its scripts: between a client and a real server, on this machine."""

import socket
import threading
import time
from contextlib import suppress
from typing import Literal, Self

from router.adapters.redis_store import _script
from tests.adapters.valkey import ValkeyServer

Illness = Literal["late", "cut question", "cut answer", "half an answer", "garbage", "silence"]
ILLNESSES: tuple[Illness, ...] = (
    "late",
    "cut question",
    "cut answer",
    "half an answer",
    "garbage",
    "silence",
)
HEARD = ("cut answer", "half an answer", "garbage")
"""The server did what it was asked, and nobody hears of it."""

MUTE = ("half an answer", "silence")
"""The connection stays open, and says no more."""

LATE_S = 0.3


class SickWire:
    """Once `fall_ill` was said, the next `times` questions that name `step` meet `illness`; the others pass."""

    def __init__(self, server: ValkeyServer) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._mark, self._illness, self._left = b"", "late", 0
        self.met = 0
        """How many questions were met."""
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._listener.getsockname()[1]}"

    def fall_ill(self, step: str, illness: Illness, *, times: int = 1) -> None:
        self._mark, self._illness, self._left = _script(step)[1].encode(), illness, times

    def get_well(self) -> None:
        self._left = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(str(self._server.socket))
                self._open += [near, far]
                connection = _Connection(self, near, far)
                for pump in (connection.questions, connection.answers):
                    threading.Thread(target=pump, daemon=True).start()

    def falls_on(self, data: bytes) -> str | None:
        """The illness that a question meets."""
        if self._left <= 0 or self._mark not in data:
            return None
        self._left -= 1
        self.met += 1
        return self._illness


class _Connection:
    def __init__(self, wire: SickWire, near: socket.socket, far: socket.socket) -> None:
        self._wire, self._near, self._far = wire, near, far
        self._illness: str | None = None

    def questions(self) -> None:
        with suppress(OSError):
            while data := self._near.recv(2**20):
                found = self._wire.falls_on(data)
                self._illness = found or self._illness
                if self._illness == "silence":
                    continue
                if found == "late":
                    time.sleep(LATE_S)
                if found == "cut question":
                    self._far.sendall(data[: len(data) // 2])
                    break
                self._far.sendall(data)
        self._close()

    def answers(self) -> None:
        with suppress(OSError):
            while data := self._far.recv(2**20):
                if self._illness == "garbage":
                    self._near.sendall(b"\xff<html>no</html>\r\n")
                    break
                if self._illness in ("cut answer", "half an answer"):
                    self._near.sendall(data[: len(data) // 2])
                    if self._illness == "cut answer":
                        break
                    self._illness = "silence"
                    continue
                self._near.sendall(data)
        self._close()

    def _close(self) -> None:
        for each in (self._near, self._far):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
