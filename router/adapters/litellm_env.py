"""litellm, imported and made quiet. Importing this module is what imports it: 2 to 5 s and 180 MB, so only a call does.

The environment is as before afterwards. What stays: litellm's help texts are off and, unless somebody had imported it
before, its token counting; and its HTTP transport classes look for an Exchange in the context of the caller. Where
there is none they do what they always did.
"""

import logging
import os
import sys
import warnings
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from importlib import import_module
from typing import TYPE_CHECKING, Any

from router.adapters.litellm_exchange import EXCHANGE, outside_calls, tap

if TYPE_CHECKING:
    import httpx

_SETTINGS = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else the import fetches a price file
    "LITELLM_MODE": "PRODUCTION",  # else it loads the .env of the working directory
    "LITELLM_RUST": "false",  # a wire in Rust would be seen by neither deadlines nor cassettes
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",  # else the first Anthropic call fetches a list
}
_REWRITTEN = ("TIKTOKEN_CACHE_DIR",)
_CALLBACKS = ("input_callback", "success_callback", "_async_success_callback")


@contextmanager
def _environment() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in (*_SETTINGS, *_REWRITTEN)}
    os.environ.update(_SETTINGS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _import() -> Any:
    ours = "litellm" not in sys.modules
    with _environment():
        import litellm
        import litellm.litellm_core_utils.default_encoding  # rewrites the environment: better now than at first use

        _load_beta_headers()
    litellm.suppress_debug_info = True  # it prints to stdout
    if ours:  # else somebody relies on its counts
        litellm.disable_token_counter = (
            True  # it fetches tokenizers, and its guesses look like the provider's
        )
        litellm.disable_hf_tokenizer_download = True
    if hasattr(litellm, "rust"):
        litellm.rust(False)
    return litellm


def _load_beta_headers() -> None:
    """Read a list that litellm would fetch at the first call to Anthropic, in a thread that no exchange reaches."""
    with suppress(ImportError, AttributeError):  # older releases have no such list
        from litellm.anthropic_beta_headers_manager import _load_beta_headers_config

        _load_beta_headers_config()


def _load_gemini() -> None:
    """A module of its first Gemini call registers callbacks, which would run in a thread after every call."""
    before = {name: list(getattr(litellm, name)) for name in _CALLBACKS}
    with suppress(ImportError):
        import_module("litellm.llms.vertex_ai.context_caching.vertex_ai_context_caching")
    for name, callbacks in before.items():
        getattr(litellm, name)[:] = callbacks


def _tap() -> None:
    import httpx
    from litellm.litellm_core_utils.litellm_logging import Logging
    from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport

    for transport in (LiteLLMAiohttpTransport, httpx.AsyncHTTPTransport):
        transport.handle_async_request = tap(transport.handle_async_request, asynchronous=True)  # type: ignore[method-assign]
    handle_callbacks = Logging.handle_sync_success_callbacks_for_async_calls
    Logging.handle_sync_success_callbacks_for_async_calls = outside_calls(handle_callbacks)
    httpx.HTTPTransport.handle_request = tap(httpx.HTTPTransport.handle_request, asynchronous=False)  # type: ignore[method-assign]


def _silence() -> None:
    """litellm logs requests, answers and tracebacks of calls that fail. Of this router's calls it logs nothing."""
    for name in (
        "LiteLLM",
        "LiteLLM Proxy",
        "LiteLLM Router",
        "litellm.llms.huggingface.chat.transformation",
    ):
        logging.getLogger(name).addFilter(lambda record: EXCHANGE.get() is None)
    # litellm dumps models that hold what a provider sent instead of what it promised; the warning quotes the answer
    warnings.filterwarnings("ignore", "Pydantic serializer warnings", UserWarning, r"pydantic\.main")


def _internal() -> ContextVar[bool] | None:
    """litellm's mark for a call that nobody logs: no logging worker, no callback, no thread of its executor."""
    with suppress(ImportError):  # older releases have no such mark
        from litellm._internal_context import is_internal_call

        mark: ContextVar[bool] = is_internal_call
        return mark
    return None


def open_wire() -> "httpx.AsyncBaseTransport":
    """A connection pool as litellm would make it (its TLS and proxy settings hold), for the current event loop."""
    import httpx
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, get_ssl_configuration

    tls = get_ssl_configuration()
    is_switch = isinstance(tls, bool)
    wire = AsyncHTTPHandler.create_async_transport(
        ssl_context=None if is_switch else tls, ssl_verify=tls if is_switch else None
    )
    return wire or httpx.AsyncHTTPTransport(verify=tls)


def forget_clients_of_another(loop: AbstractEventLoop) -> None:
    """litellm keeps HTTP clients by the id of their event loop, and a new loop may have the id of one that is gone:
    to be called when a loop is first seen."""
    clients: dict[str, Any] = litellm.in_memory_llm_clients_cache.cache_dict
    for key in [key for key in clients if key.endswith(f"-{id(loop)}")]:
        clients.pop(key, None)


litellm = _import()
_load_gemini()
_tap()
_silence()
acompletion: Callable[..., Coroutine[Any, Any, Any]] = litellm.acompletion
INTERNAL_CALL = _internal()
