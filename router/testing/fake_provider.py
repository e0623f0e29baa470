"""A provider that is not one: a real HTTP server on this machine that answers as OpenAI, Anthropic and Gemini do.

    with FakeProvider() as provider:
        provider.script("gpt-5-nano", [RateLimited(retry_after=2), Answer("hi")])
        ...  # call `provider.base_url("openai")` with any client
        assert [request.status for request in provider.requests] == [429, 200]

Standard library only. It listens on 127.0.0.1 alone, in a thread of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from router.testing.fake_provider_desk import Desk
from router.testing.fake_provider_records import Log, ReceivedRequest
from router.testing.fake_provider_routes import base_path, environment
from router.testing.fake_provider_script import Answer, Script, Step
from router.testing.fake_provider_server import ServerThread

_MAX_BODY_BYTES = 32 * 1024 * 1024


class FakeProvider:
    """The server and its script. Use it in a `with` or `async with`, or call `start` and `stop`.

    `default` answers whatever no script speaks of. `keep_requests` bounds the record, oldest first out.
    `wall_clock` dates the answers; fix it to get the same bytes on every run.
    """

    def __init__(
        self,
        *,
        default: Answer | None = None,
        port: int = 0,
        keep_requests: int = 10_000,
        max_body_bytes: int = _MAX_BODY_BYTES,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._port = port
        self._max_body_bytes = max_body_bytes
        self._script = Script(default or Answer())
        self._log = Log(keep_requests)
        self._desk = Desk(self._script, self._log, wall_clock)
        self._server: ServerThread | None = None

    def start(self) -> Self:
        """Listen. Nothing happens when it already does. Raises `OSError` when the port is taken."""
        if self._server is None:
            self._server = ServerThread(self._desk, port=self._port, max_body_bytes=self._max_body_bytes)
        return self

    def stop(self) -> None:
        """Close every connection and the thread. What was received can still be read."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, where paths of every format are served."""
        if self._server is None:
            raise RuntimeError("the fake provider is not running; use it in a `with`, or call start()")
        return f"http://127.0.0.1:{self._server.port}"

    def base_url(self, kind: str, name: str | None = None) -> str:
        """What litellm takes as `api_base` for a provider of this kind. Raises `ValueError` for an unknown one.

        `name` tells two providers of one kind apart: scripts may then say `name/model`.
        """
        return self.url + base_path(kind, name)

    def environment(self) -> dict[str, str]:
        """The variables that point every kind here, with a key for each; the caller sets them."""
        return environment(self.url)

    def script(self, who: str, steps: Step | Sequence[Step], *, then: Step | None = None) -> None:
        """What `who` gets, one step a request, then `then` for ever (without it the last step repeats).

        `who` is an API key, `provider/model`, a model, `provider/*` or `*`; the first of these that has a
        script is asked. Writing a script again starts it anew.
        """
        self._script.put(who, steps, then)

    def reset(self) -> None:
        """Forget scripts and requests."""
        self._script.clear()
        self._log.clear()

    @property
    def requests(self) -> tuple[ReceivedRequest, ...]:
        """What was received, oldest first, as it stands now."""
        return self._log.snapshot()

    @property
    def request_count(self) -> int:
        """How many requests were received, those no longer kept included."""
        return self._log.count

    @property
    def unused_scripts(self) -> tuple[str, ...]:
        """Who has a script that no request has met: most often a typing error."""
        return self._script.never_asked()

    def wait_for(
        self, holds: Callable[[tuple[ReceivedRequest, ...]], bool], *, timeout_s: float = 2.0
    ) -> tuple[ReceivedRequest, ...]:
        """Block until `holds` is true of the requests: a client's close is seen a moment after it happens.

        Raises `TimeoutError`.
        """
        return self._log.wait_for(holds, timeout_s)
