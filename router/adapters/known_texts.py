"""What counting finds out about texts, kept by digest: system prompts, tools and histories come request after request,
and no text outlives its own."""

from hashlib import sha256
from math import ceil

from router.adapters.encodings import encoding

_PIECE_CHARS = 20_000  # older tiktokens take quadratic time over one long word
_CUT_TOKENS = 2  # a cut may fall on a better split than the whole would get


class KnownText:
    """The figures of one text, each found out when it is first asked for. It does not hold the text."""

    __slots__ = ("_spread", "_tokens")

    def __init__(self) -> None:
        self._tokens: dict[str, int] = {}
        self._spread: tuple[int, int] | None = None

    def tokens(self, text: str, name: str) -> int:
        """Tokens of the encoding `name`. `text` is the one this is about."""
        found = self._tokens.get(name)
        if found is None:
            found = self._tokens[name] = _encoded(text, name)
        return found

    def spread(self, text: str) -> tuple[int, int]:
        """(bytes, tokens that other tokenizers may make of it beyond a margin). `text` is the one this is about.

        A margin holds for prose and code in Latin letters. Tokenizers differ more over digits (in threes, or one by
        one), runs of blanks and other scripts (in words, or in bytes), so each of those is reserved on top.
        """
        if self._spread is None:
            self._spread = _spread(text)
        return self._spread


class KnownTexts:
    """The figures of the texts met last, at most `most`. Any thread may ask."""

    def __init__(self, most: int = 2_000) -> None:
        self._most = most
        self._by_digest: dict[bytes, KnownText] = {}

    def of(self, text: str) -> KnownText:
        digest = sha256(utf8(text)).digest()
        found = self._by_digest.get(digest)
        if found is None:
            if len(self._by_digest) >= self._most:
                self._by_digest.clear()  # one step under any thread; what comes again is soon known again
            found = self._by_digest[digest] = KnownText()
        return found


def utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # a lone half of a pair comes through JSON as well


def _encoded(text: str, name: str) -> int:
    encode = encoding(name).encode_ordinary
    if len(text) <= _PIECE_CHARS:
        return len(encode(text))
    pieces = (text[at : at + _PIECE_CHARS] for at in range(0, len(text), _PIECE_CHARS))
    return sum(len(encode(piece)) + _CUT_TOKENS for piece in pieces)


def _spread(text: str) -> tuple[int, int]:
    raw = utf8(text)
    size = len(raw)
    beyond_ascii = size - len(text)
    digits = size - len(raw.translate(None, b"0123456789"))
    blanks = size - len(b" ".join(raw.split()))
    return size, ceil(beyond_ascii * 3 / 4 + digits * 2 / 3 + blanks / 4)
