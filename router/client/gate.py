"""The calls of one router that are under way, and whether more may begin."""

import os
from types import TracebackType

from router.errors import RequestError


class Gate:
    """Entered by every call. Once it is closed, calls raise RequestError: new ones at once, those under way when what
    they were waiting for is cut off."""

    __slots__ = ("_under_way", "closed")

    def __init__(self) -> None:
        self.closed = False
        self._under_way: list[int] = []  # their processes: a forked child has none of its parent's calls

    @property
    def is_busy(self) -> bool:
        return os.getpid() in self._under_way

    def __enter__(self) -> None:
        self._under_way.append(os.getpid())
        if self.closed:  # looked at last: whoever closes looks at who is under way last
            self._under_way.remove(os.getpid())
            raise RequestError(
                "this router is closed", help="open another one, or make the call before it is closed"
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._under_way.remove(os.getpid())
        if self.closed and isinstance(error, RuntimeError):
            raise RequestError(
                "this router was closed during the call", help="close it when its calls have ended"
            ) from None
