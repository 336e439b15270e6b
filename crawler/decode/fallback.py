"""Read one odd dataset, and write its wanted elements again as a plain one, so that only one decoder of values exists.

Odd is: Explicit VR, sequences and undefined lengths, tags out of order or repeated, and whatever is cut off or broken.
A reader of our own and not pydicom's, because that one takes a cut-off value for a whole one without a word and raises
a dozen kinds of error on hostile bytes. For well-formed datasets a test holds both to the same result. Pure.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from crawler.dicom import LONG_VRS_AS_SENT

WHOLE = 0
"""The tag under which faults of the dataset itself are recorded."""

_UNDEFINED = 0xFFFFFFFF
_ITEM = 0xFFFEE000
_ITEM_END, _SEQUENCE_END = 0xFFFEE00D, 0xFFFEE0DD
_DELIMITER_GROUP = 0xFFFE
_BINARY_VRS = (LONG_VRS_AS_SENT - {b"UC", b"UN", b"UR", b"UT"}) | {b"AT", b"FD", b"FL", b"SL", b"SS", b"UL", b"US"}


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


def straighten(
    dataset: bytes, wanted: Mapping[int, str], explicit_vr: bool, private: Mapping[tuple[int, bytes], int] | None = None
) -> Straight:
    """Read as far as it goes. The last of repeated elements counts, a cut-off value does not.

    `wanted` maps the tags to keep to their VR. `private` maps group and creator to the block of private `wanted` tags;
    senders put a creator into any block (PS3.5 7.8.1).
    """
    blocks = _Blocks(private or {})
    straight, values = Straight(), dict[int, bytes]()
    at, highest, seen = 0, -1, set[int]()
    while at < len(dataset):
        element = _read_header(dataset, at, explicit_vr)
        end = None if element is None else _end_of(dataset, element, explicit_vr)
        if element is None or end is None:
            straight.faults.append((WHOLE, "unreadable"))
            straight.leftovers[WHOLE] = dataset[at:]
            break
        blocks.learn(element.tag, dataset[element.begin : end])
        tag = blocks.ours(element.tag)
        misplaced = "repeated" if element.tag in seen else "out of order" if element.tag < highest else None
        unfit = _unfit(element, end > len(dataset), None if tag is None else wanted.get(tag))
        straight.faults.extend((element.tag, problem) for problem in (misplaced, unfit) if problem)
        highest = max(highest, element.tag)
        seen.add(element.tag)
        if tag is not None and tag in wanted:
            kept, dropped = (straight.leftovers, values) if unfit else (values, straight.leftovers)
            kept[tag] = dataset[element.begin : end]
            dropped.pop(tag, None)
        at = end
    straight.encoded = b"".join(
        struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value for tag, value in sorted(values.items())
    )
    return straight


class _Blocks:
    """Where a dataset's private creators are, and where we look for what belongs to them."""

    def __init__(self, private: Mapping[tuple[int, bytes], int]) -> None:
        self._private = private
        self._groups = {group for group, _ in private}
        self._here: dict[int, int] = {}

    def learn(self, tag: int, value: bytes) -> None:
        """Take note of a creator that is wanted."""
        group, number = tag >> 16, tag & 0xFFFF
        if group in self._groups and 0x10 <= number <= 0xFF:
            block = self._private.get((group, value.strip(b" \0")))
            if block is not None:
                self._here[group << 8 | number] = block

    def ours(self, tag: int) -> int | None:
        """Give the tag under which an element is wanted, if it can be; private ones without their creator cannot."""
        group = tag >> 16
        if group not in self._groups:
            return tag
        block = self._here.get(group << 8 | (tag >> 8 & 0xFF))
        return None if block is None else tag & 0xFFFF00FF | block << 8


def items(sequence: bytes, explicit_vr: bool) -> Iterator[bytes | None]:
    """Give the content of each item of a sequence's value (PS3.5 7.5), None for a rest that is none."""
    at = 0
    while at < len(sequence):
        item = _read_header(sequence, at, explicit_vr)
        if item is not None and item.tag == _SEQUENCE_END:
            return
        if item is None or item.tag != _ITEM:
            yield None
            return
        undefined = item.length == _UNDEFINED
        end = _end_of_sequence(sequence, item.begin, explicit_vr) if undefined else item.begin + item.length
        if end is None or end > len(sequence):
            yield None
            return
        yield sequence[item.begin : end - 8 if undefined else end]
        at = end


def top_elements(item: bytes, explicit_vr: bool) -> dict[int, bytes] | None:
    """Give the values of an item's elements by tag, None where it cannot be read to its end."""
    found = elements_with_vrs(item, explicit_vr)
    return None if found is None else {tag: value for tag, _, value in found}


def elements_with_vrs(item: bytes, explicit_vr: bool) -> list[tuple[int, str, bytes]] | None:
    """Give tag, VR and value of an item's elements, None where it cannot be read to its end; Implicit VR says none."""
    found, at = [], 0
    while at < len(item):
        element = _read_header(item, at, explicit_vr)
        end = None if element is None else _end_of(item, element, explicit_vr)
        if element is None or end is None or end > len(item):
            return None
        vr = element.vr.decode("ascii", "replace") if element.vr else ""
        found.append((element.tag, vr, item[element.begin : end]))
        at = end
    return found


def _unfit(element: _Element, cut_off: bool, vr: str | None) -> str | None:
    """Say why the element's bytes cannot be taken for a value of the catalogue's `vr`."""
    if cut_off:
        return "truncated"
    if vr is None:
        return None
    if vr == "SQ":
        # Of UN nothing says how it is encoded inside.
        return None if element.vr in (None, b"SQ") else "another VR instead of SQ"
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
    if vr not in LONG_VRS_AS_SENT:
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
