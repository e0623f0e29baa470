"""Transports that replay cassettes, and that record them. Requests are built and answers read as ever; only what
is below the wire differs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from router.adapters.cassette_tape import Tape, read_tape, wire_over
from router.adapters.lean_transport import AsyncLean
from router.adapters.loop_thread import EitherTransport

if TYPE_CHECKING:
    import httpx

STAND_IN_KEY = "replayed-without-a-key"


class CassetteTransport(EitherTransport):
    """One tape, for the life of the transport; `tape` says what was played. Made by `replay` or `record`."""

    def __init__(self, tape: Tape, make: Callable[[], AsyncLean], *, suspends: bool) -> None:
        super().__init__(make, suspends=suspends)
        self.tape = tape

    @classmethod
    def replay(
        cls, path: str | os.PathLike[str], *, suspends: bool, repeat: bool = False
    ) -> "CassetteTransport":
        """Answer from a cassette file, or a folder of them, and send nothing.

        Each interaction is served once, in order; with `repeat` the last that fits is served again. A request that none
        answers fails as `bad_request`, and names the closest. Raises RequestError where there is no recording.
        """
        return cls.play(read_tape(path, repeat=repeat), suspends=suspends)

    @classmethod
    def play(cls, tape: Tape, *, suspends: bool) -> "CassetteTransport":
        """Answer from a tape that is in hand."""

        def make() -> AsyncLean:
            return AsyncLean(wire=lambda: wire_over(tape, None), stand_in_key=STAND_IN_KEY)

        return cls(tape, make, suspends=suspends)

    @classmethod
    def record(
        cls, path: str | os.PathLike[str], *, suspends: bool, synthetic: bool = False
    ) -> "CassetteTransport":
        """Send, and write every exchange to `path` when closed, without keys, cookies and account names.

        `synthetic` marks a recording of a made-up provider. An answer is read whole before it is handed on, so a stream
        arrives at once. An exchange that fails on the wire is not recorded: there is nothing to replay.
        """
        tape = Tape(recording=True)
        file = Path(path)

        def wire() -> "httpx.AsyncBaseTransport":
            from router.adapters.litellm_env import open_wire

            return wire_over(tape, open_wire())

        return _Recording(
            tape, lambda: AsyncLean(wire=wire), suspends=suspends, file=file, synthetic=synthetic
        )


class _Recording(CassetteTransport):
    def __init__(
        self, tape: Tape, make: Callable[[], AsyncLean], *, suspends: bool, file: Path, synthetic: bool
    ) -> None:
        super().__init__(tape, make, suspends=suspends)
        self._file = file
        self._synthetic = synthetic

    async def aclose(self) -> None:
        await super().aclose()
        if len(self.tape):
            self.tape.save(self._file, synthetic=self._synthetic)
