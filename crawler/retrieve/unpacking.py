"""How much an object becomes when it is unpacked: a few kilobytes can inflate, or decode, to more than any memory.

Objects are kept as they come; who unpacks one asks here first. Touches: disk.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal

from crawler.errors import UserError
from crawler.retrieve.header import BIG_ENDIAN, DEFLATED, HEAD, first_elements, transfer_syntax_of

LARGEST = 4 << 30
"""Bytes that one object may become."""
_SUSPICIOUS = 256 << 20
_MOST_FOLD = 1000
"""No codec makes real images of this size so many times smaller."""
_CHUNK = 1 << 16
_FRAMES = 0x0028_0008
_NUMBERS = (0x0028_0002, 0x0028_0010, 0x0028_0011, 0x0028_0100)
"""Samples of a pixel, rows, columns, and bits of a sample."""
_SIZES = frozenset((_FRAMES, *_NUMBERS))


def require_modest(files: Iterable[Path]) -> None:
    """Look at files before they are unpacked. UserError for one that would become too much."""
    for path in files:
        with suppress(OSError), path.open("rb") as file:  # who reads it will say so
            if immodest(file, path.stat().st_size):
                raise UserError("an image of it would become too large when it is unpacked")


def immodest(file: BinaryIO, size: int) -> bool:
    """Say whether a DICOM file of so many bytes becomes too much."""
    syntax, begin = transfer_syntax_of(file.read(HEAD))
    file.seek(begin)
    if syntax in DEFLATED and _inflates_beyond(file, _SUSPICIOUS):
        return True
    file.seek(begin)
    found = first_elements(file.read(HEAD), syntax, _SIZES)
    texts = found.get(_FRAMES, b"1").strip(b" \0")
    frames = int(texts) if texts.isdigit() and len(texts) < 12 else 1
    order: Literal["big", "little"] = "big" if syntax == BIG_ENDIAN else "little"
    samples, rows, columns, bits = (int.from_bytes(found.get(tag, b""), order) or 1 for tag in _NUMBERS)
    becomes = samples * rows * columns * frames * -(-bits // 8)
    return becomes > LARGEST or (becomes > _SUSPICIOUS and becomes > _MOST_FOLD * size)


def _inflates_beyond(file: BinaryIO, most: int) -> bool:
    machine, became = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while (piece := file.read(_CHUNK)) and not machine.eof:
        while piece:
            try:
                became += len(machine.decompress(piece, _CHUNK))
            except zlib.error:
                return False  # who reads it will say so
            if became > most:
                return True
            piece = machine.unconsumed_tail
    return False
