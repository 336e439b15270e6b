"""The heads of small objects, in Implicit VR Little Endian."""

from __future__ import annotations

import struct

CT = "1.2.840.10008.5.1.4.1.1.2"


def element(tag: int, value: bytes) -> tuple[int, bytes]:
    return tag, struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def head_of(uid: str, *more: tuple[int, bytes]) -> bytes:
    own = {0x0008_0016: CT, 0x0008_0018: uid, 0x0020_000D: "1.2", 0x0020_000E: "1.5"}
    elements = [element(tag, text.encode() + b"\0" * (len(text) % 2)) for tag, text in own.items()]
    return b"".join(encoded for _, encoded in sorted([*elements, *more]))
