"""Datasets as bytes with a value of its own in every attribute, at every depth: written here, so that a search needs no
library that might lose some of them."""

from __future__ import annotations

import struct
from datetime import date, timedelta
from io import BytesIO
from typing import NamedTuple

import pydicom
from pydicom import FileDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from crawler.deid.table import PROFILE, vr_of

DEPTHS = 4
KEPT_SEQUENCE = 0x0040_9096
"""RealWorldValueMappingSequence, of which the profile says nothing."""
_LONG = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
_APART = 400
"""Days between planted dates: more than any shift, so that no shifted date is another's planted one."""


class Syntax(NamedTuple):
    """How a dataset is encoded."""

    uid: str
    undefined: bool = False
    """Whether sequences and items have undefined lengths."""

    @property
    def order(self) -> str:
        return ">" if self.uid == ExplicitVRBigEndian else "<"


SYNTAXES = {
    "implicit": Syntax(ImplicitVRLittleEndian),
    "explicit": Syntax(ExplicitVRLittleEndian),
    "undefined lengths": Syntax(ExplicitVRLittleEndian, undefined=True),
    "implicit, undefined lengths": Syntax(ImplicitVRLittleEndian, undefined=True),
    "big endian": Syntax(ExplicitVRBigEndian),
}


def element(tag: int, vr: str, value: bytes, syntax: Syntax) -> bytes:
    """Encode one element (PS3.5 7.1); a sequence is given its items, encoded."""
    value += b" " * (len(value) % 2)
    open_ended = vr == "SQ" and syntax.undefined
    length = 0xFFFF_FFFF if open_ended else len(value)
    if open_ended:
        value += struct.pack(f"{syntax.order}HHI", 0xFFFE, 0xE0DD, 0)
    head = struct.pack(f"{syntax.order}HH", tag >> 16, tag & 0xFFFF)
    if syntax.uid == ImplicitVRLittleEndian:
        return head + struct.pack("<I", length) + value
    layout = "2sxxI" if vr in _LONG else "2sH"
    return head + struct.pack(syntax.order + layout, vr.encode(), length) + value


def item(body: bytes, syntax: Syntax) -> bytes:
    length = 0xFFFF_FFFF if syntax.undefined else len(body)
    end = struct.pack(f"{syntax.order}HHI", 0xFFFE, 0xE00D, 0) if syntax.undefined else b""
    return struct.pack(f"{syntax.order}HHI", 0xFFFE, 0xE000, length) + body + end


def malformed(tag: int, depth: int) -> bytes:
    """Give a text that is found nowhere else, and of no VR that has a form."""
    return f"QZ{depth}{tag:08X}Q".encode()


def wellformed(tag: int, depth: int) -> bytes:
    """Give a value that is found nowhere else, and such as its VR wants where that has a form."""
    number = tag % 100_003 * 10 + depth
    day = f"{date(1000, 1, 1) + timedelta(days=_APART * (number % 700)):%Y%m%d}".zfill(8)
    forms = {
        "UI": f"1.2.826.{tag}.{depth}.77",
        "DA": day,
        "DT": f"{day}1122{number % 60:02d}.{number:06d}+0100",
        "TM": f"1122{number % 60:02d}.{number % 1_000_000:06d}",
        "DS": f"77{number:07d}.5",
        "IS": f"77{number:07d}",
    }
    return forms[vr_of(tag)].encode() if vr_of(tag) in forms else malformed(tag, depth)


def level(tags: list[int], depth: int, value_of: object, syntax: Syntax) -> bytes:
    """Encode all attributes, and themselves again in a sequence that is kept, down to the last depth."""
    assert callable(value_of)
    parts = {}
    for tag in tags:
        vr, value = vr_of(tag), value_of(tag, depth)
        if vr == "SQ":
            # Of what stays with its UIDs replaced (X/Z/U*) the UID is what must go, of other sequences everything.
            inside = (0x0008_1155, "UI") if PROFILE[tag] == "X/Z/U*" else (0x0008_0104, "LO")
            value = item(element(*inside, value, syntax), syntax)
        parts[tag] = element(tag, vr, value, syntax)
    if depth < DEPTHS:
        inner = level(tags, depth + 1, value_of, syntax)
        parts[KEPT_SEQUENCE] = element(KEPT_SEQUENCE, "SQ", item(inner, syntax), syntax)
    return b"".join(parts[tag] for tag in sorted(parts))


def as_dataset(body: bytes, syntax: Syntax) -> FileDataset:
    """Read an encoded dataset as a file."""
    explicit = Syntax(ExplicitVRLittleEndian)
    meta = element(0x0002_0003, "UI", b"1.2.826.3.4", explicit) + element(
        0x0002_0010, "UI", syntax.uid.encode(), explicit
    )
    meta = meta.replace(syntax.uid.encode() + b" ", syntax.uid.encode() + b"\0")
    group = element(0x0002_0000, "UL", struct.pack("<I", len(meta)), explicit)
    return pydicom.dcmread(BytesIO(b"QZpreamble".ljust(128) + b"DICM" + group + meta + body))


def as_bytes(dataset: FileDataset) -> bytes:
    """Write a dataset as the export does."""
    file = BytesIO()
    dataset.save_as(file)
    return file.getvalue()
