"""What crossed the wire during one call, whichever wire it was."""

from collections.abc import Mapping
from typing import Protocol


class Traffic(Protocol):
    """For whoever reads it, stops it or closes it."""

    sends: int
    failure: Exception | None
    stopped: bool

    @property
    def status(self) -> int | None: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def body(self) -> str: ...

    def stop(self) -> None:
        """Refuse every request from now on."""

    async def close(self) -> None:
        """Close the socket of the response, if one is open. Idempotent."""
