"""An object on its way to us: what its command says, whether its dataset agrees, and its row of `files`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import isfinite
from typing import TypeAlias

import pyarrow as pa

from crawler.retrieve import header
from crawler.retrieve.expectation import Expectation
from crawler.retrieve.layout import is_uid

SUCCESS = 0x0000
INVALID_INSTANCE = 0x0117
NOT_AUTHORIZED = 0x0124
OUT_OF_RESOURCES = 0xA700
OTHER_SOP_CLASS = 0xA900
CANNOT_UNDERSTAND = 0xC000
"""Statuses of a C-STORE-RSP (PS3.4 B.2.3, PS3.7 9.1.1.1.9)."""

MEANINGS = {
    INVALID_INSTANCE: "not a SOP Instance UID",
    NOT_AUTHORIZED: "nobody here asked for this series",
    OUT_OF_RESOURCES: "cannot be written to disk",
    OTHER_SOP_CLASS: "command and dataset name different SOP classes",
    CANNOT_UNDERSTAND: "command and dataset name different instances",
}
"""What the sender is told beside the status, in 64 characters at most."""

Value: TypeAlias = str | int | float | list[str] | list[float] | None
"""What an element says; None where it is malformed. The file keeps what was written."""


def _lengths(text: str) -> list[float] | None:
    try:
        numbers = [float(number) for number in text.split("\\")]
    except ValueError:
        return None
    return numbers if all(map(isfinite, numbers)) else None


def _length(text: str) -> float | None:
    numbers = _lengths(text)
    return numbers[0] if numbers and len(numbers) == 1 else None


def _number(text: str) -> int | None:
    return int(text) if _INTEGER.fullmatch(text) else None


_INTEGER = re.compile(r"[+-]?[0-9]{1,11}")
_TEXTS: dict[int, tuple[str, pa.DataType, Callable[[str], Value]]] = {
    0x0008_0008: ("ImageType", pa.list_(pa.string()), lambda text: text.split("\\")),
    0x0008_0060: ("Modality", pa.string(), str),
    0x0018_0050: ("SliceThickness", pa.float64(), _length),
    0x0020_0013: ("InstanceNumber", pa.int64(), _number),
    0x0020_0032: ("ImagePositionPatient", pa.list_(pa.float64()), _lengths),
    0x0020_0037: ("ImageOrientationPatient", pa.list_(pa.float64()), _lengths),
    0x0028_0004: ("PhotometricInterpretation", pa.string(), str),
    0x0028_0008: ("NumberOfFrames", pa.int64(), _number),
    0x0028_0030: ("PixelSpacing", pa.list_(pa.float64()), _lengths),
}
_NUMBERS = {0x0028_0010: "Rows", 0x0028_0011: "Columns", 0x0028_0100: "BitsAllocated"}
"""What a file says of itself that C-FIND seldom does: what is written as text, with its column, and US."""
_UIDS = {header.STUDY_INSTANCE_UID: "StudyInstanceUID", header.SERIES_INSTANCE_UID: "SeriesInstanceUID"}
_WANTED = frozenset((header.SOP_CLASS_UID, header.SOP_INSTANCE_UID, *_UIDS, *_TEXTS, *_NUMBERS))

FILES = pa.schema(
    [
        *((name, pa.string()) for name in ("SOPInstanceUID", "SOPClassUID", *_UIDS.values())),
        *((name, pa.string()) for name in ("path", "outcome", "transfer_syntax", "sha256", "source_ae")),
        ("size", pa.int64()),
        ("received_at", pa.timestamp("us")),
        *((name, kind) for name, kind, _ in _TEXTS.values()),
        *((name, pa.int64()) for name in _NUMBERS.values()),
    ]
)
"""The rows that tell of received files; `path` is relative to the store, `received_at` in UTC."""


class Outcome(StrEnum):
    """What became of an object that was received whole."""

    STORED = "stored"
    AGAIN = "again"
    """The same bytes were here already."""
    OTHER = "other"
    """Other bytes of the same instance were here already: both are kept."""


@dataclass(slots=True)
class Instance:
    """An object as its C-STORE command announces it, and what its dataset says."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    source_ae: str
    elements: dict[str, Value] = field(default_factory=dict)
    """Values by keyword, once they were read."""
    head: Mapping[int, bytes] = field(default_factory=dict)
    """Values by tag, as they are written."""

    def refusal(self, offered_class: str) -> int:
        """Judge the command alone, given the SOP class of its presentation context."""
        if not is_uid(self.sop_instance):
            return INVALID_INSTANCE
        return SUCCESS if self.sop_class == offered_class else OTHER_SOP_CLASS

    def judge(self, head: bytes, expectation: Expectation) -> int:
        """Read the head of the dataset, and give the status that it deserves."""
        self.head = header.first_elements(head, self.transfer_syntax, _WANTED)
        if self._text(header.SOP_INSTANCE_UID) != self.sop_instance:
            return CANNOT_UNDERSTAND
        if self._text(header.SOP_CLASS_UID) != self.sop_class:
            return OTHER_SOP_CLASS
        study, series = (self._text(tag) for tag in _UIDS)
        return SUCCESS if expectation.includes(study, series) else NOT_AUTHORIZED

    def read(self) -> None:
        """Read the elements; the sender need not wait for it."""
        self.elements.update({name: self._text(tag) for tag, name in _UIDS.items() if tag in self.head})
        for tag, (name, _, read) in _TEXTS.items():
            if text := self._text(tag):
                self.elements[name] = read(text)
        big = self.transfer_syntax == header.BIG_ENDIAN
        for tag, name in _NUMBERS.items():
            if len(value := self.head.get(tag, b"")) == 2:
                self.elements[name] = int.from_bytes(value, "big" if big else "little")

    def _text(self, tag: int) -> str:
        """Give text of CS, DS, IS or UI; what is not ASCII there is malformed and shows as such."""
        return self.head.get(tag, b"").decode("ascii", "replace").strip("\0 ")


@dataclass(frozen=True, slots=True)
class Kept:
    """An instance that is on disk for good."""

    instance: Instance
    path: str
    outcome: Outcome
    size: int
    sha256: str


def rows_of(kept: Sequence[Kept], received_at: datetime) -> pa.Table:
    """Give the rows of a group of files."""
    for one in kept:
        one.instance.read()
    rows = [
        {
            **one.instance.elements,
            "SOPInstanceUID": one.instance.sop_instance,
            "SOPClassUID": one.instance.sop_class,
            "path": one.path,
            "outcome": one.outcome.value,
            "transfer_syntax": one.instance.transfer_syntax,
            "sha256": one.sha256,
            "source_ae": one.instance.source_ae,
            "size": one.size,
            "received_at": received_at,
        }
        for one in kept
    ]
    return pa.Table.from_pylist(rows, FILES)
