"""Texts and token counts of the fake provider: deterministic functions of the request, nothing else.

The count is a plausible one that is never above tiktoken's for the same text: each run of letters and each
group of three digits is at least one token in cl100k and o200k. So a reservation made from an exact
estimate always covers what the fake provider bills, unless a script says otherwise.
"""

from __future__ import annotations

import re
import zlib

_LETTER = r"[^\W\d_]"
_TOKEN = re.compile(rf"{_LETTER}(?:{_LETTER}|[^\x00-\x7f\s\d]|'(?={_LETTER}))*|\d{{1,3}}")
_CHUNK = re.compile(r"\s*\S+\s*$|\s*\S+")
_SUBJECT_CHARS = 90

_STORIES = tuple(
    " ".join(lines.split())
    for lines in (
        """“{subject}” reminds {model} of a lighthouse keeper who was asked the same. He watched the sea
        for an hour, wrote three words in his log (begin, measure, repeat) and went to mend the lamp.""",
        """About “{subject}”: an old baker in a harbour town kept one rule for it. Start with less than you
        think, taste often, and tell nobody before it has cooled. {model} would add nothing.""",
        """{model} answers “{subject}” with a map: go north past the mill, ask the ferryman, and do not pay
        before the far bank. Those who asked twice arrived first.""",
        """A clockmaker's apprentice once brought “{subject}” to her master. He took the clock apart, found
        one grain of sand and laughed. {model} says: look for the small thing first.""",
        """“{subject}”, said the crow to the gardener, is a matter of patience and of two good stones.
        {model} has counted the stones and finds that the crow was right.""",
        """When “{subject}” came up at the village council, the youngest asked to see the figures. There
        were four of them, and {model} can report that they agreed.""",
    )
)


def count_tokens(text: str) -> int:
    """At most what tiktoken would count."""
    return len(_TOKEN.findall(text))


def cut_to_tokens(text: str, tokens: int) -> str:
    """The longest beginning of `text` that counts at most `tokens`."""
    end = 0
    for number, match in enumerate(_TOKEN.finditer(text), start=1):
        if number > tokens:
            return text[:end]
        end = match.end()
    return text


def pieces(text: str, words: int) -> list[str]:
    """`text` in pieces of `words` words; joined they are the text again."""
    chunks = _CHUNK.findall(text) or ([text] if text else [])
    return ["".join(chunks[at : at + words]) for at in range(0, len(chunks), words)]


def story(model: str, prompt: str, choice: int) -> str:
    """A short answer that quotes what was asked. Another choice is another story."""
    subject = _subject(prompt)
    at = zlib.crc32(subject.encode()) + choice
    return _STORIES[at % len(_STORIES)].format(subject=subject, model=model.rpartition("/")[2])


def _subject(prompt: str) -> str:
    line = " ".join(prompt.split()) or "silence"
    if len(line) <= _SUBJECT_CHARS:
        return line
    return line[:_SUBJECT_CHARS].rpartition(" ")[0].rstrip(",.;: ") + " …"
