"""What `router demo` shows between its lines: on a terminal one that is written over, elsewhere nothing."""

import os
import sys
from typing import IO, Self

from router.cli.out import width_of

CLEAR = "\r\x1b[2K"


class LiveLine:
    """The last line of a terminal. Use it in a `with`: nothing of it stays."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty() and os.environ.get("TERM") != "dumb"

    def show(self, text: str) -> None:
        if self._shown:
            self._write(f"{CLEAR}{text[: width_of(self._stream) - 1]}")

    def clear(self) -> None:
        if self._shown:
            self._write(CLEAR)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
