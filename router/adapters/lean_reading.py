"""How litellm reads the answers of one route: whole, or as chunks, by its classes for the provider.

Most answers have OpenAI's plain shape and are read without litellm (`lean_reply`, `lean_stream`); this is for the
others, and says which shape may be taken for OpenAI's.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from router.adapters.lean_quirks import Quirks

_OF_THE_PACKED = ("content-encoding", "content-length", "transfer-encoding")


class Unlogged:
    """What litellm logs with, where nothing is logged."""

    def __init__(self) -> None:
        self.model_call_details: dict[str, Any] = {}
        self.optional_params: dict[str, Any] = {}
        self.messages: list[Any] = []
        self.stream_options = None
        self.completion_start_time = 0

    async def dispatch_failure_handlers(self, *args: Any, **kwargs: Any) -> None:
        """Nobody is told."""

    async def dispatch_success_handlers(self, *args: Any, **kwargs: Any) -> None:
        """Nobody is told."""

    def __getattr__(self, name: str) -> Any:
        return _nothing


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


class Reading:
    """By the class `config` of `provider`. `whole` and `streamed`: OpenAI's shape, as far as nothing is unusual."""

    def __init__(self, pieces: ModuleType, quirks: Quirks, config: Any, *, provider: str, model: str) -> None:
        self._pieces = pieces
        self._quirks = quirks
        self._config = config
        self._model = model
        self._provider = provider
        self.prefix = f"{provider}/" if quirks.shape == "sdk" and provider != "openai" else ""
        """What litellm puts before the name of the model that answered."""
        self.whole = self._reads_whole_plainly()
        self.streamed = self._streams_plainly()

    def _reads_whole_plainly(self) -> bool:
        own = type(self._config)
        if self._quirks.through_sdk:  # it hands litellm OpenAI's shape, whatever class the provider has
            return (
                own.transform_parsed_response_dict is self._pieces.BaseConfig.transform_parsed_response_dict
            )
        return self._quirks.plain or own.transform_response is self._pieces.OpenAI.transform_response

    def _streams_plainly(self) -> bool:
        if self._quirks.through_sdk or self._quirks.plain:
            return True
        return type(self._chunks()) is self._pieces.OpenAIChunks

    # --- whole answers

    def by_litellm(self, body: bytes, headers: Mapping[str, str], *, url: str, **asked: Any) -> Any:
        """litellm's ModelResponse of an unpacked body. Raises what its class raises."""
        import httpx

        if self._quirks.through_sdk:
            body = _as_the_sdk_has_it(body)
        kept = [(name, value) for name, value in headers.items() if name.lower() not in _OF_THE_PACKED]
        response = self._pieces.ModelResponse()
        response.usage = self._pieces.Usage()
        response.model = self.prefix + self._model if self.prefix else None
        read = self._config.transform_response
        if self._quirks.through_sdk:
            read = self._pieces.OpenAI.transform_response.__get__(self._config)
            body = self._by_sdk(body)
        return read(
            model=self._model,
            raw_response=httpx.Response(200, headers=kept, content=body, request=httpx.Request("POST", url)),
            model_response=response,
            logging_obj=Unlogged(),
            encoding=None,
            **asked,
        )

    def _by_sdk(self, body: bytes) -> bytes:
        """What the openai SDK makes of an answer: it fills in what is missing, and takes what it gets for the rest."""
        answer = self._pieces.construct_type(value=json.loads(body), type_=self._pieces.ChatCompletion)
        return json.dumps(answer.model_dump()).encode()

    # --- chunks

    def unusual(self, chunk: dict[str, Any]) -> Sequence[Any]:
        """litellm's StreamingChoices of a chunk with something out of the ordinary. May change `chunk`."""
        choices = chunk["choices"]
        if not self._quirks.through_sdk:
            choices = [choice.model_dump() for choice in self._by_its_class(chunk).choices]
        return [self._pieces.StreamingChoices(**choice) for choice in choices]

    def raise_streamed(self, chunk: dict[str, Any]) -> None:
        """Raise what litellm's class makes of an error in a stream, if it has one of its own."""
        if not self._quirks.through_sdk:
            self._by_its_class(chunk)

    def _by_its_class(self, chunk: dict[str, Any]) -> Any:
        return next(iter(self._chunks(f"data: {json.dumps(chunk)}")))

    def _chunks(self, *lines: str) -> Any:
        return self._config.get_model_response_iterator(iter(lines), sync_stream=True)

    def usage(self, counts: Mapping[str, Any]) -> Any:
        return self._pieces.Usage(**counts)

    def reason(self, reason: str) -> str:
        """litellm's word for why a stream ended."""
        word: str = self._pieces.map_finish_reason(reason)
        return word

    def wrapper(
        self, lines: AsyncIterator[str], headers: Mapping[str, str], *, json_mode: bool, **asked: Any
    ) -> Any:
        """litellm's reader of a stream of another shape. Raises AttributeError where it has none for it."""
        by, chunks = self._provider, None
        log = Unlogged()
        log.optional_params = asked["optional_params"]
        if self._quirks.shape == "anthropic":
            chunks = self._pieces.AnthropicChunks(
                lines,
                sync_stream=False,
                json_mode=json_mode,
                speed=asked["optional_params"].get("speed"),
                tool_name_reverse_map=asked["litellm_params"].get(self._pieces.TOOL_NAMES),
            )
        elif self._quirks.shape == "gemini":
            by = "vertex_ai_beta"
            chunks = self._pieces.GeminiChunks(
                lines, sync_stream=False, logging_obj=log, response_headers=dict(headers)
            )
        else:
            chunks = self._config.get_model_response_iterator(lines, sync_stream=False)
        return self._pieces.CustomStreamWrapper(
            completion_stream=chunks,
            model=self._model,
            custom_llm_provider=by,
            logging_obj=log,
            stream_options={"include_usage": True},
            _response_headers=dict(headers),
        )


def _as_the_sdk_has_it(body: bytes) -> bytes:
    """A message that does not say whose it is: nobody's to the openai SDK, and to litellm then the assistant's."""
    try:
        whole = json.loads(body)
        for choice in whole["choices"]:
            choice["message"].setdefault("role", None)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return body  # litellm's word decides
    return json.dumps(whole).encode()
