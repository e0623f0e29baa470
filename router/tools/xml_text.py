"""Any text inside XML, so that the document stays well-formed whatever a file name or a message holds."""

import re

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold, not even escaped."""

_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_ATTRIBUTE = _IN_TEXT | str.maketrans({'"': "&quot;", "\t": "&#9;", "\n": "&#10;"})


def xml_text(text: str) -> str:
    """Between tags. A character that XML can't hold is shown by its number."""
    return _legible(text).translate(_IN_TEXT)


def xml_attribute(text: str) -> str:
    """Between double quotes, where readers would make blanks of line breaks."""
    return _legible(text).translate(_IN_ATTRIBUTE)


def _legible(text: str) -> str:
    return _FORBIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
