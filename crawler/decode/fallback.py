"""Read one odd dataset, and write its wanted elements again as a plain one, so that only one decoder of values exists.

Odd is: Explicit VR, sequences and undefined lengths, tags out of order or repeated, and whatever is cut off or broken.
A reader of our own and not pydicom's, because that one takes a cut-off value for a whole one without a word and raises
a dozen kinds of error on hostile bytes. For well-formed datasets a test holds both to the same result. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

WHOLE = 0
"""The tag under which faults of the dataset itself are recorded."""

_UNDEFINED = 0xFFFFFFFF
_ITEM_END, _SEQUENCE_END = 0xFFFEE00D, 0xFFFEE0DD
_DELIMITER_GROUP = 0xFFFE
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_BINARY_VRS = (_LONG_VRS - {b"UC", b"UN", b"UR", b"UT"}) | {b"AT", b"FD", b"FL", b"SL", b"SS", b"UL", b"US"}


@dataclass(slots=True)
class Straight:
    """One dataset made plain: Implicit VR Little Endian, ascending, wanted tags only; and what was wrong with it."""

    encoded: bytes = b""
    faults: list[tuple[int, str]] = field(default_factory=list)
    leftovers: dict[int, bytes] = field(default_factory=dict)
    """Bytes by tag that have no place in `encoded`, because they are cut off or of another kind."""


class _Element(NamedTuple):
    tag: int
    vr: bytes | None
    length: int
    begin: int


def straighten(dataset: bytes, wanted: Mapping[int, str], explicit_vr: bool) -> Straight:
    """Read as far as it goes. The last of repeated elements counts, a cut-off value does not.

    `wanted` maps the tags to keep to their VR.
    """
    straight, values = Straight(), dict[int, bytes]()
    at, highest, seen = 0, -1, set[int]()
    while at < len(dataset):
        element = _read_header(dataset, at, explicit_vr)
        end = None if element is None else _end_of(dataset, element, explicit_vr)
        if element is None or end is None:
            straight.faults.append((WHOLE, "unreadable"))
            straight.leftovers[WHOLE] = dataset[at:]
            break
        misplaced = "repeated" if element.tag in seen else "out of order" if element.tag < highest else None
        unfit = _unfit(element, end > len(dataset), wanted.get(element.tag))
        straight.faults.extend((element.tag, problem) for problem in (misplaced, unfit) if problem)
        highest = max(highest, element.tag)
        seen.add(element.tag)
        if element.tag in wanted:
            kept, dropped = (straight.leftovers, values) if unfit else (values, straight.leftovers)
            kept[element.tag] = dataset[element.begin : end]
            dropped.pop(element.tag, None)
        at = end
    straight.encoded = b"".join(
        struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value for tag, value in sorted(values.items())
    )
    return straight


def _unfit(element: _Element, cut_off: bool, vr: str | None) -> str | None:
    """Say why the element's bytes cannot be taken for a value of the catalogue's `vr`."""
    if cut_off:
        return "truncated"
    if vr is None:
        return None
    if element.length == _UNDEFINED or element.vr == b"SQ":
        return f"a sequence instead of {vr}"
    expected = vr.encode()
    if element.vr in (None, b"UN", expected) or not {element.vr, expected} & _BINARY_VRS:
        return None
    return f"another VR instead of {vr}"


def _read_header(dataset: bytes, at: int, explicit_vr: bool) -> _Element | None:
    """Read tag, VR and length; None where these are cut off."""
    if len(dataset) - at < 8:
        return None
    group, number, length = struct.unpack_from("<HHL", dataset, at)
    tag, vr = group << 16 | number, dataset[at + 4 : at + 6]
    # Some senders mix Implicit VR elements into Explicit VR datasets; pydicom reads those too.
    if not explicit_vr or group == _DELIMITER_GROUP or not b"AA" <= vr <= b"ZZ":
        return _Element(tag, None, length, at + 8)
    if vr not in _LONG_VRS:
        return _Element(tag, vr, length >> 16, at + 8)
    if len(dataset) - at < 12:
        return None
    return _Element(tag, vr, struct.unpack_from("<L", dataset, at + 8)[0], at + 12)


def _end_of(dataset: bytes, element: _Element, explicit_vr: bool) -> int | None:
    """Say where the element ends, past the dataset's end for a cut-off one; None where nothing after it can be read."""
    if element.tag >> 16 == _DELIMITER_GROUP:
        return None
    if element.length != _UNDEFINED:
        return element.begin + element.length
    # Content of UN with undefined length is Implicit VR whatever the dataset is (PS3.5 6.2.2).
    return _end_of_sequence(dataset, element.begin, explicit_vr and element.vr != b"UN")


def _end_of_sequence(dataset: bytes, at: int, explicit_vr: bool) -> int | None:
    """Skip nested items up to the matching delimiter (PS3.5 7.5). A loop, because depth is in the sender's hands."""
    nesting = [explicit_vr]
    while nesting:
        element = _read_header(dataset, at, nesting[-1])
        if element is None:
            return None
        at = element.begin
        if element.tag in (_ITEM_END, _SEQUENCE_END):
            nesting.pop()
        elif element.length == _UNDEFINED:
            nesting.append(nesting[-1] and element.vr != b"UN")
        else:
            at += element.length
    return at if at <= len(dataset) else None
