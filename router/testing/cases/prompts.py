"""Prompts of a size: the same text for the same number of tokens, wherever it is made."""

from functools import lru_cache

from router.adapters.tiktoken_tokens import ENCODED_CHARS, TiktokenTokens
from router.engine.routing import RULES_COUNT_BY
from router.values import Message

_WORD = " a"  # one token of every encoding, and short: more of the text is counted and less of it is bounded by bytes
_ROUNDS = 12
LARGEST = 20_000_000
"""Tokens; beyond any context, and some 80 MB of text."""


@lru_cache(maxsize=8)  # the largest are not all held at once
def prompt_of(tokens: int) -> str | None:
    """A prompt that rules count as `tokens`, LARGEST at most; None where a message alone, or what surrounds it, is
    more or never that many."""
    reader, words = TiktokenTokens(), max(1, tokens - 8)
    for _ in range(_ROUNDS):
        text = _WORD * words
        short = tokens - _counted(reader, text)
        if short == 0:
            return text
        words = max(1, words + short * _words_a_token(words))
    return None


def _words_a_token(words: int) -> int:
    """What is beyond the part that is encoded counts by its bytes, four a token."""
    return 4 // len(_WORD) if words * len(_WORD) > ENCODED_CHARS else 1


def _counted(tokens: TiktokenTokens, text: str) -> int:
    message: Message = {"role": "user", "content": text}
    return tokens.reader((message,)).estimate({}, RULES_COUNT_BY, context_tokens=None).tokens
