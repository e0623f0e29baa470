"""How an answer is framed where it is kept: version, time and a checksum before the body, never pickled."""

import re
import struct
from hashlib import sha256

from router.ports import CacheEntry

HEX = re.compile(r"[0-9a-f]{8,64}")
HEAD = struct.Struct("<4sd")  # version, stored_at_s; then a checksum, then the body
CHECKSUM_BYTES = 16
VERSION = b"rt\x00\x01"


def require_hex(key: str) -> None:
    if not HEX.fullmatch(key):
        raise ValueError("a cache key is a digest in lower-case hex")


def framed(key: str, entry: CacheEntry) -> bytes:
    head = HEAD.pack(VERSION, entry.stored_at_s)
    return head + _checksum(key, head, entry.body) + entry.body


def unframed(key: str, record: bytes) -> CacheEntry | None:
    """None for what was cut, damaged, moved from another key, or written by another version."""
    if len(record) < HEAD.size + CHECKSUM_BYTES:
        return None
    head, checksum = record[: HEAD.size], record[HEAD.size : HEAD.size + CHECKSUM_BYTES]
    body = record[HEAD.size + CHECKSUM_BYTES :]
    version, stored_at_s = HEAD.unpack(head)
    if version != VERSION or checksum != _checksum(key, head, body):
        return None
    return CacheEntry(body=body, stored_at_s=stored_at_s)


def _checksum(key: str, head: bytes, body: bytes) -> bytes:
    # Against damage, not against an author: whoever can write the file can write a checksum.
    return sha256(b"%b %b%b" % (key.encode(), head, body)).digest()[:CHECKSUM_BYTES]
