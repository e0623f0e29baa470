"""How large an image is and how long a sound, read from their first bytes. None: it doesn't say."""

import struct
from base64 import b64decode
from binascii import Error

_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_SLOWEST_BYTES_PER_S = 1000  # 8 kbit/s: no format that providers take encodes speech in less
_HEAD_CHARS = 262_144  # the size stands early, but a JPEG may carry a thumbnail and a profile before it


def image_size(base64_text: str) -> tuple[int, int] | None:
    """(width, height) of a PNG, JPEG, GIF or WebP."""
    head = _decoded(base64_text[:_HEAD_CHARS])
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= 24:
        width, height = struct.unpack(">II", head[16:24])
        return width, height
    if head.startswith((b"GIF87a", b"GIF89a")) and len(head) >= 10:
        width, height = struct.unpack("<HH", head[6:10])
        return width, height
    if head.startswith(b"\xff\xd8"):
        return _jpeg_size(head)
    return _webp_size(head) if head[:4] == b"RIFF" and head[8:12] == b"WEBP" and len(head) >= 30 else None


def sound_seconds(base64_text: str, format: str) -> float:
    """At most how long it plays: a WAV says how fast, anything else is taken for the slowest there is."""
    head, size = _decoded(base64_text[:64]), len(base64_text) * 3 // 4
    if format == "wav" and head[:4] == b"RIFF" and len(head) >= 32:
        (bytes_per_s,) = struct.unpack("<I", head[28:32])
        return size / max(int(bytes_per_s), _SLOWEST_BYTES_PER_S)
    return size / _SLOWEST_BYTES_PER_S


def _decoded(base64_text: str) -> bytes:
    whole = base64_text[: len(base64_text) // 4 * 4]
    try:
        return b64decode(whole)
    except (Error, ValueError):
        return b""


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker, length = head[at + 1], struct.unpack(">H", head[at + 2 : at + 4])[0]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    match head[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
        case b"VP8 ":
            width, height = struct.unpack("<HH", head[26:30])
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return None
