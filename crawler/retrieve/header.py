"""The bytes at a DICOM file's beginning: the file meta information that we write, and a dataset's first elements.

Reading walks over what comes before the last element of interest and builds nothing; pydicom would take ten times as
long for an object as to receive it. Malformed or cut bytes end the walk, and what was seen before is given. Pure.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache

from crawler.dicom import LONG_VRS_AS_SENT
from crawler.model import IMPLEMENTATION_NAME, IMPLEMENTATION_UID

DEFLATED = frozenset(("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"))
"""Transfer syntaxes whose dataset is deflated as a whole (PS3.5 A.5, A.6)."""
BIG_ENDIAN = "1.2.840.10008.1.2.2"
IMPLICIT_VR = "1.2.840.10008.1.2"
EXPLICIT_VR = "1.2.840.10008.1.2.1"
_PREAMBLE = 132
"""Bytes before the file meta information (PS3.10 7.1)."""
_TRANSFER_SYNTAX = frozenset((0x0002_0010,))
HEAD = 64 * 1024
"""So much of a dataset is looked at; what describes a series comes long before it in any real one."""

SOP_CLASS_UID = 0x0008_0016
SOP_INSTANCE_UID = 0x0008_0018
STUDY_INSTANCE_UID = 0x0020_000D
SERIES_INSTANCE_UID = 0x0020_000E

_UNDEFINED = 0xFFFF_FFFF
_DELIMITERS = 0xFFFE
_ENDS = (0xE00D, 0xE0DD)
"""Group of items and delimiters, which have no VR, and elements of those that end an item and a sequence."""
_HEADERS = [
    tuple(struct.Struct(order + layout).unpack_from for layout in ("HHI", "HH2sH", "I")) for order in ("<", ">")
]
"""What reads an element's header in Implicit VR, one in Explicit VR, and a long length."""


def file_meta(sop_class: str, sop_instance: str, transfer_syntax: str) -> bytes:
    """Encode preamble, prefix and file meta information (PS3.10 7.1), the same for the same instance always.

    It does not say who sent it: equal files are then equal instances.
    """
    elements = b"".join(
        (
            _long(0x0001, b"OB", b"\0\1"),
            _short(0x0002, b"UI", sop_class),
            _short(0x0003, b"UI", sop_instance),
            _short(0x0010, b"UI", transfer_syntax),
            _short(0x0012, b"UI", IMPLEMENTATION_UID),
            _short(0x0013, b"SH", IMPLEMENTATION_NAME),
        )
    )
    length = struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(elements))
    return bytes(128) + b"DICM" + length + elements


def transfer_syntax_of(head: bytes) -> tuple[str, int]:
    """Give the transfer syntax of a file with this beginning, and where its dataset begins; empty where it is none."""
    length = int.from_bytes(head[_PREAMBLE + 8 : _PREAMBLE + 12], "little")
    begin = _PREAMBLE + 12 + length
    found = _walk(head[_PREAMBLE:begin], EXPLICIT_VR, _TRANSFER_SYNTAX)
    value = found.get(max(_TRANSFER_SYNTAX), b"")
    return value.decode("ascii", "replace").strip("\0 "), begin


def first_elements(head: bytes, transfer_syntax: str, wanted: frozenset[int]) -> Mapping[int, bytes]:
    """Give the values of the `wanted` tags that stand outside of sequences in the head of an encoded dataset."""
    if transfer_syntax in DEFLATED:
        with suppress(zlib.error):  # pydicom deflates the first of these alone, and sends the others plain
            head = zlib.decompressobj(-zlib.MAX_WBITS).decompress(head, HEAD)
    return _walk(head, transfer_syntax, wanted)


def _walk(head: bytes, transfer_syntax: str, wanted: frozenset[int]) -> dict[int, bytes]:
    plain, explicit, long_length = _HEADERS[transfer_syntax == BIG_ENDIAN]
    implicit = transfer_syntax == IMPLICIT_VR
    size, last = len(head), max(wanted)
    found: dict[int, bytes] = {}
    vr, at = b"", 0
    while at + 8 <= size:
        begin = at + 8
        if implicit:
            group, element, length = plain(head, at)
        else:
            group, element, vr, length = explicit(head, at)
            if vr in LONG_VRS_AS_SENT:
                if begin + 4 > size:
                    break
                (length,) = long_length(head, begin)
                begin += 4
        if length == _UNDEFINED:
            at = _past_sequence(head, begin, transfer_syntax, in_implicit=implicit or vr == b"UN")
            continue
        tag, at = group << 16 | element, begin + length
        if tag > last or at > size:
            break
        if tag in wanted:
            found[tag] = head[begin:at]
    return found


def _past_sequence(head: bytes, at: int, transfer_syntax: str, *, in_implicit: bool) -> int:
    """Give where a sequence of undefined length ends whose items begin at `at`; the end of `head` where it is cut.

    One sent as UN of undefined length is in Implicit VR inside (PS3.5 6.2.2).
    """
    plain, explicit, long_length = _HEADERS[transfer_syntax == BIG_ENDIAN]
    size = len(head)
    implicit = [in_implicit]
    """Of the sequence, and of each sequence and item of undefined length in it around `at`."""
    while at + 8 <= size:
        begin = at + 8
        if implicit[-1]:
            vr = b""
            group, element, length = plain(head, at)
        else:
            group, element, vr, length = explicit(head, at)
            if group == _DELIMITERS:
                (length,) = long_length(head, at + 4)
            elif vr in LONG_VRS_AS_SENT:
                if begin + 4 > size:
                    break
                (length,) = long_length(head, begin)
                begin += 4
        if length == _UNDEFINED:
            implicit.append(implicit[-1] or vr == b"UN")
            at = begin
        elif group == _DELIMITERS and element in _ENDS:
            implicit.pop()
            at = begin
            if not implicit:
                return at
        else:
            at = begin + length
    return size


@lru_cache(256)
def _short(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii")
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", 0x0002, element, vr, len(value)) + value


def _long(element: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sHI", 0x0002, element, vr, 0, len(value)) + value
