"""A provider made of bytes: what is sent, in which pieces, how long apart, and how the connection ends. One thread."""

import asyncio
import socket
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

Ending = Literal["close", "reset", "hang", "whole"]
"""`whole`: the body ends as HTTP says that it does; `close` and `reset` come before that."""


@dataclass(frozen=True)
class Sent:
    """`pieces` of a body, each sent `after_s` after the one before. Not `chunked`: it ends where the connection does,
    so a `close` looks like a good end."""

    pieces: Sequence[bytes]
    after_s: float = 0.0
    ending: Ending = "whole"
    chunked: bool = True
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "text/event-stream"})


class RawProvider:
    """Requests whose path begins with `/spare` get `spare`, all others `sent`. `open_now` counts connections."""

    def __init__(self, spare: Sent) -> None:
        self.sent = self.spare = spare
        self.open_now = 0
        self.asked: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="raw-provider", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5.0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(5.0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5.0)
        self._loop.close()

    async def _listen(self) -> Any:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _stop(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_now += 1
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):  # the client has gone
            pass
        finally:
            self.open_now -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next((line[15:] for line in head.split("\r\n") if line.startswith("content-length:")), "0")
        await reader.readexactly(int(length))
        path = head.split(" ")[1]
        self.asked.append(path)
        sent = self.spare if path.startswith("/spare") else self.sent
        gone = asyncio.ensure_future(reader.read(1))
        sending = asyncio.ensure_future(_send(sent, writer))
        await asyncio.wait([gone, sending], return_when=asyncio.FIRST_COMPLETED)
        if gone.done():  # closed while it was sent
            sending.cancel()
            await asyncio.gather(gone, sending, return_exceptions=True)
            return
        if sent.ending == "hang":
            await gone
        gone.cancel()
        await asyncio.gather(gone, sending, return_exceptions=True)
        if sent.ending == "reset":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


async def _send(sent: Sent, writer: asyncio.StreamWriter) -> None:
    more = {"transfer-encoding": "chunked"} if sent.chunked else {}
    lines = [f"{name}: {value}" for name, value in {**sent.headers, **more, "connection": "close"}.items()]
    writer.write(("\r\n".join(["HTTP/1.1 200 OK", *lines]) + "\r\n\r\n").encode())
    for piece in sent.pieces:
        if sent.after_s:
            await writer.drain()
            await asyncio.sleep(sent.after_s)
        if piece:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if sent.chunked else piece)
    if sent.chunked and sent.ending == "whole":
        writer.write(b"0\r\n\r\n")
    await writer.drain()
