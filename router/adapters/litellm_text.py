"""The text of an answer as its provider sent it. Loaded with litellm: it imports httpx."""

import codecs
import re
from collections.abc import AsyncIterator

import httpx

_LINE_END = re.compile(r"\r\n|\r|\n")


class StrictResponse(httpx.Response):
    """A response whose text is what it says that it is, to the letter.

    httpx reads what is no UTF-8 as U+FFFD, which then stands in an answer as if the model had said it; and it ends
    lines at U+0085, U+2028 and U+2029, which may stand within JSON, so that an answer with one of them falls apart.
    """

    @classmethod
    def of(cls, response: httpx.Response) -> "StrictResponse":
        """The same response, which nobody has read yet."""
        return cls(
            response.status_code,
            headers=response.headers,
            stream=response.stream,
            extensions=response.extensions,
        )

    async def aiter_text(self, chunk_size: int | None = None) -> AsyncIterator[str]:
        """Piece by piece as they come, whatever `chunk_size` is. Raises DecodingError, behind what can be read."""
        decoder = codecs.getincrementaldecoder(self.encoding or "utf-8")()
        async for part in self.aiter_bytes():
            try:
                text = decoder.decode(part)
            except UnicodeDecodeError as error:
                yield error.object[: error.start].decode(error.encoding)
                raise httpx.DecodingError(
                    f"the answer is not {error.encoding}", request=self.request
                ) from None
            yield text

    async def aiter_lines(self) -> AsyncIterator[str]:
        """Without their ends, which are those of server-sent events and of JSON lines."""
        held, returned = "", False
        async for text in self.aiter_text():
            if not text:
                continue
            *lines, rest = _LINE_END.split(text[1:] if returned and text[0] == "\n" else text)
            returned = text[-1] == "\r"  # a line end that may come in two pieces
            for line in lines:
                yield held + line
                held = ""
            held += rest
        if held:
            yield held
