"""Declarative LLM routing: policies in YAML, checked, compiled, and run.

Names are loaded when they are first used: `import router` alone costs next to nothing.
"""

TYPE_CHECKING = False  # typing's own would be the most expensive import here
if TYPE_CHECKING:
    from router.client import AsyncRouter, Router
    from router.client.default import acomplete, astream, complete, stream
    from router.client.streams import AsyncStream, Stream
    from router.errors import (
        BudgetExceeded,
        DeadlineExceeded,
        LimitExceeded,
        NoRoute,
        PolicyError,
        ProviderError,
        Rejected,
        RequestError,
        RouterError,
        StoreError,
        StreamBroken,
        TargetsExhausted,
    )
    from router.values import Chunk, Kind, Reply, Usage
else:

    def __getattr__(name: str) -> object:
        """Fetch a public name from its home, once."""
        if name not in __all__:
            raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
        from importlib import import_module

        homes = {
            "AsyncRouter": "router.client",
            "Router": "router.client",
            "AsyncStream": "router.client.streams",
            "Stream": "router.client.streams",
            "acomplete": "router.client.default",
            "astream": "router.client.default",
            "complete": "router.client.default",
            "stream": "router.client.default",
            "Chunk": "router.values",
            "Kind": "router.values",
            "Reply": "router.values",
            "Usage": "router.values",
        }
        value = getattr(import_module(homes.get(name, "router.errors")), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "AsyncRouter",
    "AsyncStream",
    "BudgetExceeded",
    "Chunk",
    "DeadlineExceeded",
    "Kind",
    "LimitExceeded",
    "NoRoute",
    "PolicyError",
    "ProviderError",
    "Rejected",
    "Reply",
    "RequestError",
    "Router",
    "RouterError",
    "StoreError",
    "Stream",
    "StreamBroken",
    "TargetsExhausted",
    "Usage",
    "acomplete",
    "astream",
    "complete",
    "stream",
]
