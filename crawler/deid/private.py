"""Private attributes that identify nobody (PS3.15 Table E.3.10-1), and which of a dataset are such.

Of that table stand here those that hold a number, a list of numbers or a code: what holds bytes, sequences, UIDs or
messages cannot be seen to be safe. An attribute counts only under its creator, wherever in the group that reserved its
block (PS3.5 7.8), and with the VR that it should have. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.multival import MultiValue

Element = DataElement | RawDataElement

_NUMBERS = re.compile(rb"[0-9eE+\-. \\\0]*")
_LONGEST = 64
"""Bytes of a code or of the longest list of numbers."""


class _Key(NamedTuple):
    creator: str
    group: int
    element: int
    """The lower byte: the upper one is the block."""


def _listed() -> Mapping[_Key, str]:
    """Give the VR of each, by creator and tag."""
    listed = {
        "Philips PET Private Group": "7053:00 DS 09 DS",
        "ELSCINT1": "00E1:21 DS 50 DS, 01E1:26 CS, 01F1:01 CS 07 DS 26 DS 27 DS",
        "GEMS_ACQU_01": "0019:23 DS 24 DS 27 DS 9E LO",
        "GEMS_PARM_01": "0043:27 SH 39 IS 6F DS",
        "GEMS_HELIOS_01": "0045:01 SS 02 FL",
        "GEMS_SERS_01": "0025:07 SL",
        "GEIIS PACS": "0903:10 US 11 US 12 US",
        "Philips Imaging DD 001": "2001:03 FL 04 CS",
        "Philips MR Imaging DD 001": "2005:0D FL 0E FL",
        "SIEMENS MR HEADER": "0019:0C IS 0D CS 0E FD 27 FD",
        "NQHeader": "0099:04 SS 10 FL 20 SH 21 FL",
        # Volumes of parts of the brain.
        "NQLeft": "0199:" + " ".join(f"{element:02X} FL" for element in range(0x01, 0x17)),
        "NQRight": "0299:" + " ".join(f"{element:02X} FL" for element in range(0x01, 0x17)),
    }
    found = {}
    for creator, groups in listed.items():
        for part in groups.split(", "):
            group, _, rest = part.partition(":")
            words = rest.split()
            for element, vr in zip(words[::2], words[1::2], strict=True):
                found[_Key(creator, int(group, 16), int(element, 16))] = vr
    return found


SAFE = _listed()


def safe(elements: Iterable[Element]) -> frozenset[int]:
    """Give the tags of safe attributes among the elements of one dataset or item, and of what reserves their blocks."""
    private = {int(element.tag): element for element in elements if element.tag & 0x10000}
    blocks = {tag: _creator(element) for tag, element in private.items() if 0x10 <= tag & 0xFFFF <= 0xFF}
    kept: set[int] = set()
    for tag, element in private.items():
        block = tag & 0xFFFF_0000 | tag >> 8 & 0xFF
        vr = SAFE.get(_Key(blocks.get(block, ""), tag >> 16, tag & 0xFF))
        # Implicit VR has no VR to compare, and UN says that whoever passed it on did not know.
        if vr and tag & 0xFF00 and element.VR in (None, "UN", vr) and _holds(vr, element.value):
            kept |= {tag, block}
    return frozenset(kept)


def _holds(vr: str, value: object) -> bool:
    """Say whether a value can be what the table says it is: it is decoded no further than that."""
    if isinstance(value, MultiValue):
        return all(_holds(vr, one) for one in value)
    text = value if isinstance(value, bytes) else str(value).encode()
    return bool(_NUMBERS.fullmatch(text)) if vr in ("DS", "IS") else len(text) <= _LONGEST


def _creator(element: Element) -> str:
    value = element.value
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return text.strip(" \0")
