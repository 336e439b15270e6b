"""A commit file in which a bit flipped, as it was. Pure: its checksum tells the right content from any other."""

from __future__ import annotations

from crawler.lake.seal import is_whole

LONGEST = 64 * 1024
"""Bytes of a file that every bit is tried of: half a million checksums, some twenty seconds."""


def healed(content: bytes) -> bytes | None:
    """Give the content with the one bit turned back that makes it whole, None where there is none."""
    if is_whole(content):
        return content
    if len(content) > LONGEST:
        return None
    tried = bytearray(content)
    for at in range(len(tried)):
        for bit in range(8):
            tried[at] ^= 1 << bit
            if is_whole(bytes(tried)):
                return bytes(tried)
            tried[at] ^= 1 << bit
    return None
