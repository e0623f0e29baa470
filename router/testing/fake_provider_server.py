"""The fake provider's sockets: one asyncio loop in one thread, one protocol object for each connection."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
from typing import Protocol, cast

from router.testing.fake_provider_play import Ending, Outgoing
from router.testing.fake_provider_records import Exchange
from router.testing.wire_http import MAX_HEAD_BYTES, Head, Refused, read_head

_BACKLOG = 512
_LINGER_S = 1.0
_READ_AHEAD_BYTES = 1024 * 1024
_RESET = struct.pack("ii", 1, 0)


class Counter(Protocol):
    """Where requests are handed in; see `Desk`."""

    def receive(self, head: Head, body: bytes, connection: int) -> tuple[Exchange, Outgoing]: ...

    def refuse(self, head: Head | None, refused: Refused, connection: int) -> tuple[Exchange, Outgoing]: ...

    def sent(self, exchange: Exchange) -> None: ...

    def abandoned(self, exchange: Exchange) -> None: ...


class Connection(asyncio.Protocol):
    """One connection: requests one after another, an answer before the next request is read."""

    def __init__(self, desk: Counter, number: int, max_body_bytes: int, open_ones: set[Connection]) -> None:
        self._desk = desk
        self._number = number
        self._max_body_bytes = max_body_bytes
        self._open_ones = open_ones
        self._buffer = bytearray()
        self._head: Head | None = None
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._farewell: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._deaf = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._open_ones.add(self)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._buffer += data
        if self._exchange is None:
            self._advance()
        elif len(self._buffer) > _READ_AHEAD_BYTES:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The client will send no more: it has gone, as far as HTTP clients go."""
        self._client_gone()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._client_gone()
        self._deaf = True
        if self._farewell is not None:
            self._farewell.cancel()
        self._open_ones.discard(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def abort(self) -> None:
        """End the connection now, as the server's own doing."""
        self._exchange = None
        self._stop_sending()
        self._transport.abort()

    def _client_gone(self) -> None:
        exchange, self._exchange = self._exchange, None
        self._stop_sending()
        if exchange is not None:
            self._desk.abandoned(exchange)

    def _stop_sending(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _advance(self) -> None:
        """Serve every request that is complete in the buffer."""
        try:
            while self._exchange is None and not self._deaf:
                if self._head is None:
                    self._head = self._next_head()
                if self._head is None or len(self._buffer) < self._head.body_bytes:
                    return
                self._serve(self._head)
        except Refused as refused:
            exchange, outgoing = self._desk.refuse(self._head, refused, self._number)
            self._desk.sent(exchange)
            self._write(outgoing)
            self._say_goodbye()

    def _next_head(self) -> Head | None:
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_HEAD_BYTES:
                raise Refused(431, f"the head of the request is larger than {MAX_HEAD_BYTES} bytes")
            return None
        head = read_head(bytes(self._buffer[:end]), max_body_bytes=self._max_body_bytes)
        del self._buffer[: end + 4]
        if head.expects_continue and len(self._buffer) < head.body_bytes:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return head

    def _serve(self, head: Head) -> None:
        body = bytes(self._buffer[: head.body_bytes])
        del self._buffer[: head.body_bytes]
        self._head = None
        exchange, outgoing = self._desk.receive(head, body, self._number)
        if outgoing.at_once:
            self._desk.sent(exchange)
            self._write(outgoing)
            if not head.keep_alive:
                self._say_goodbye()
            return
        self._exchange = exchange
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._perform(exchange, outgoing, head.keep_alive))

    def _write(self, outgoing: Outgoing) -> None:
        self._transport.write(b"".join([piece.data for piece in outgoing.pieces]))

    async def _perform(self, exchange: Exchange, outgoing: Outgoing, keep_alive: bool) -> None:
        pieces = outgoing.pieces
        for left, piece in zip(range(len(pieces), 0, -1), pieces, strict=True):
            if piece.after_s:
                await asyncio.sleep(piece.after_s)
            await self._writable.wait()
            if left == 1 and outgoing.ending is not Ending.HANG:
                self._desk.sent(exchange)  # before the write: who has the answer must find it in the record
            self._transport.write(piece.data)
        if outgoing.ending is Ending.HANG:
            await asyncio.get_running_loop().create_future()
        self._end(outgoing.ending, keep_alive)

    def _end(self, ending: Ending, keep_alive: bool) -> None:
        self._task = None
        self._exchange = None
        if ending is Ending.RESET:
            self._reset()
        elif ending is Ending.CLOSE or not keep_alive:
            self._say_goodbye()
        else:
            self._transport.resume_reading()
            self._advance()

    def _say_goodbye(self) -> None:
        """Send FIN, and read on for a moment: closing with unread bytes would throw the answer away."""
        self._deaf = True
        if self._transport.is_closing():
            return
        self._transport.write_eof()
        self._farewell = asyncio.get_running_loop().call_later(_LINGER_S, self._transport.abort)

    def _reset(self) -> None:
        self._deaf = True
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()


class ServerThread:
    """The listening socket and its thread, from start to stop. Belongs to the process that started it."""

    def __init__(self, desk: Counter, *, port: int, max_body_bytes: int) -> None:
        self._desk = desk
        self._max_body_bytes = max_body_bytes
        self._process = os.getpid()
        self._socket = socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
        self.port: int = self._socket.getsockname()[1]
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"fake-provider-{self.port}", daemon=True)
        self._thread.start()
        self._ready.wait()
        if not self._thread.is_alive():
            raise RuntimeError("the fake provider's thread did not start")

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        open_ones: set[Connection] = set()
        numbers = iter(range(1, 2**63))
        server = await self._loop.create_server(
            lambda: Connection(self._desk, next(numbers), self._max_body_bytes, open_ones), sock=self._socket
        )
        self._ready.set()
        await self._stopping.wait()
        server.close()
        while open_ones:
            for connection in list(open_ones):
                connection.abort()
            await asyncio.sleep(0)

    def stop(self) -> None:
        """Close everything and end the thread. In a forked child only the child's copy of the socket goes."""
        if os.getpid() != self._process:
            self._socket.close()
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
