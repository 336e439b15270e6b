"""The values of a DICOM file, found by a walk of our own: what is to be checked was written by another reader of DICOM.

Sequences and items are stepped into, so that the values of all depths come one after the other. Bytes that belong to
no element are given as values of none, so that nothing of a file is passed over. Pure.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Literal

from pydicom.datadict import dictionary_VR, keyword_for_tag

PREAMBLE = 128
_PIXELS = 0x7FE0
_ITEMS = 0xFFFE
_ITEM, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD
_ITEM_BEGINS = {"little": b"\xfe\xff\x00\xe0", "big": b"\xff\xfe\xe0\x00"}
_UNDEFINED = 0xFFFFFFFF
_LENGTH_OF_NUMBERS = 8

_SYNTAX = 0x00020010
_BIG_ENDIAN = b"1.2.840.10008.1.2.2"
_DEFLATED = (b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.4.95", b"1.2.840.10008.1.2.4.205")
_MOST_INFLATED = 4 << 30


class Holds(Enum):
    """What a value may hold, by its VR."""

    TEXT = "text that people wrote"
    CODE = "codes, numbers, dates and UIDs, as text"
    NUMBERS = "a binary number or two"
    BYTES = "anything"
    PIXELS = "pixels"


_HOLDS = {
    **dict.fromkeys((b"PN", b"LO", b"SH", b"LT", b"ST", b"UT", b"UC", b"AE", b"UR"), Holds.TEXT),
    **dict.fromkeys((b"CS", b"DS", b"IS", b"DA", b"DT", b"TM", b"AS", b"UI"), Holds.CODE),
    **dict.fromkeys((b"US", b"SS", b"UL", b"SL", b"FL", b"FD", b"AT", b"SV", b"UV"), Holds.NUMBERS),
    **dict.fromkeys((b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"UN", b"SQ"), Holds.BYTES),
}
_LONG_FORM = frozenset((b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UN", b"UT", b"UC", b"UR", b"SV", b"UV"))
_SHORT_FORM = {vr: holds for vr, holds in _HOLDS.items() if vr not in _LONG_FORM}


Value = tuple[int, int, int, Holds]
"""Where a value begins and ends, the tag of its element (0 for none), and what it may hold. There are thousands."""


@dataclass(frozen=True, slots=True)
class _Coding:
    """How elements are written, and in which groups they are."""

    implicit: bool = False
    order: Literal["little", "big"] = "little"
    last_group: int = 0xFFFF


def is_dicom(data: bytes) -> bool:
    """Say whether this is a DICOM file (PS3.10 7.1)."""
    return data[PREAMBLE : PREAMBLE + 4] == b"DICM"


def values(data: bytes) -> tuple[bytes, list[Value]]:
    """Give the file's bytes, inflated where its dataset is deflated, and all values in them.

    ValueError where it does not inflate, or to more than can be searched.
    """
    found = [(0, PREAMBLE, 0, Holds.BYTES)]
    position = _walk(data, PREAMBLE + 4, _Coding(last_group=2), found)
    syntax = next((data[start:end].strip(b" \0") for start, end, tag, _ in found if tag == _SYNTAX), b"")
    if syntax in _DEFLATED:
        data = data[:position] + inflated(data[position:], raw=True)
    # Some files say the one and are the other: a VR where one belongs tells.
    implicit = data[position + 4 : position + 6] not in _HOLDS
    coding = _Coding(implicit, "big" if syntax == _BIG_ENDIAN else "little")
    position = _walk(data, position, coding, found)
    if position < len(data):
        found.append((position, len(data), 0, Holds.BYTES))
    return data, found


def inflated(data: bytes, *, raw: bool = False) -> bytes:
    """Inflate bytes of zlib or gzip, or bare deflated ones, with what follows them as it is. ValueError if it fails."""
    machine = zlib.decompressobj(-zlib.MAX_WBITS if raw else zlib.MAX_WBITS | 32)
    try:
        whole = machine.decompress(data, _MOST_INFLATED)
    except zlib.error:
        raise ValueError("does not inflate") from None
    if not machine.eof:
        raise ValueError("does not inflate as a whole")
    return whole + machine.unused_data


def where(value: Value) -> str:
    """Name the place of a value, with nothing of it."""
    start, _, tag, _ = value
    if not tag:
        return "the preamble" if start == 0 else "bytes that belong to no element"
    return f"{keyword_for_tag(tag)} ({tag >> 16:04X},{tag & 0xFFFF:04X})".strip()


def _walk(data: bytes, position: int, coding: _Coding, found: list[Value], *, inside: bool = False) -> int:
    """Add the values of elements to `found`. Give where there are no more; `inside` a sequence that is its end."""
    header_at = struct.Struct("<HH2sH" if coding.order == "little" else ">HH2sH").unpack_from
    item_begins = _ITEM_BEGINS[coding.order]
    end, depth, fragments_of = len(data), 0, 0
    while position + 8 <= end:
        group, element, vr, length = header_at(data, position)
        tag, begin = group << 16 | element, position + 8
        holds = None if coding.implicit else _SHORT_FORM.get(vr)
        if group == _ITEMS:
            position, length = begin, int.from_bytes(data[position + 4 : begin], coding.order)
            if tag == _SEQUENCE_END:
                depth, fragments_of = depth - 1, 0
                if inside and depth < 0:
                    return position
            elif fragments_of and position + length <= end:
                found.append((position, position + length, fragments_of, Holds.PIXELS))
                position += length
            continue
        if group > coding.last_group:
            return position
        if holds is None:
            if (header := _header(data, position, tag, coding)) is None:
                return position
            vr, begin, length = header
            holds = _holds(vr, group, length)
        if length == _UNDEFINED:
            position, depth = begin, depth + 1
            if vr == b"UN" and not coding.implicit:  # of implicit VR, whatever the rest is (PS3.5 6.2.2)
                position, depth = _walk(data, begin, _Coding(implicit=True), found, inside=True), depth - 1
            elif vr in (b"OB", b"OW"):
                fragments_of = tag
        elif vr == b"SQ" and (not length or data.startswith(item_begins, begin)):
            position = begin
        elif begin + length > end:
            return position
        elif vr == b"UN" and data.startswith(_ITEM_BEGINS["little"], begin):
            position = _walk(data[: begin + length], begin, _Coding(implicit=True), found)
        else:
            position = begin + length
            found.append((begin, position, tag, holds))
    return position


def _header(data: bytes, position: int, tag: int, coding: _Coding) -> tuple[bytes, int, int] | None:
    """Read an element's VR, where its value begins and how long it is. None where there is no element."""
    if coding.implicit:
        return _vr_of(tag), position + 8, int.from_bytes(data[position + 4 : position + 8], coding.order)
    vr = data[position + 4 : position + 6]
    if vr not in _LONG_FORM:
        return None
    return vr, position + 12, int.from_bytes(data[position + 8 : position + 12], coding.order)


def _holds(vr: bytes, group: int, length: int) -> Holds:
    if group == _PIXELS:
        return Holds.PIXELS
    holds = _HOLDS[vr]
    return Holds.BYTES if holds is Holds.NUMBERS and length > _LENGTH_OF_NUMBERS else holds


@cache
def _vr_of(tag: int) -> bytes:
    """Give the VR of a tag in Implicit VR; where the standard leaves a choice, OB stands for all."""
    try:
        vr = dictionary_VR(tag)[:2].encode("ascii")
    except KeyError:
        return b"UN"
    return vr if vr in _HOLDS else b"OB"
