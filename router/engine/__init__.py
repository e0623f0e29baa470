"""The engine: `execute` runs one request over the ports, `open_stream` one whose answer is read as it comes."""

from router.engine.execute import execute, open_stream
from router.engine.live import Live, Replayed
from router.engine.run import Ports

__all__ = ["Live", "Ports", "Replayed", "execute", "open_stream"]
