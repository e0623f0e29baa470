"""The engine: `execute` runs one request over the ports."""

from router.engine.execute import execute
from router.engine.run import Ports

__all__ = ["Ports", "execute"]
