"""An object on its way to us: what its command says, and whether its dataset agrees. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from math import isfinite
from typing import Literal, TypeAlias

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
    OUT_OF_RESOURCES: "cannot be written to disk, or too much for a day",
    OTHER_SOP_CLASS: "command and dataset name different SOP classes",
    CANNOT_UNDERSTAND: "command and dataset name different instances",
}
"""What the sender is told beside the status, in 64 characters at most."""

Value: TypeAlias = str | int | float | list[str] | list[float] | None
"""What an element says; None where it is malformed. The file keeps what was written."""


def texts(text: str) -> list[str]:
    """Read what is a text each."""
    return text.split("\\")


def lengths(text: str) -> list[float] | None:
    """Read DS."""
    try:
        numbers = [float(one) for one in text.split("\\")]
    except ValueError:
        return None
    return numbers if all(map(isfinite, numbers)) else None


def length(text: str) -> float | None:
    """Read DS of which there is one."""
    numbers = lengths(text)
    return numbers[0] if numbers and len(numbers) == 1 else None


def number(text: str) -> int | None:
    """Read IS."""
    return int(text) if _INTEGER.fullmatch(text) else None


_INTEGER = re.compile(r"[+-]?[0-9]{1,11}")
TEXTS: dict[int, tuple[str, Callable[[str], Value]]] = {
    0x0008_0008: ("ImageType", texts),
    0x0008_0060: ("Modality", str),
    0x0018_0050: ("SliceThickness", length),
    0x0020_0013: ("InstanceNumber", number),
    0x0020_0032: ("ImagePositionPatient", lengths),
    0x0020_0037: ("ImageOrientationPatient", lengths),
    0x0028_0004: ("PhotometricInterpretation", str),
    0x0028_0008: ("NumberOfFrames", number),
    0x0028_0030: ("PixelSpacing", lengths),
}
NUMBERS = {0x0028_0010: "Rows", 0x0028_0011: "Columns", 0x0028_0100: "BitsAllocated"}
"""What a file says of itself that C-FIND seldom does: what is written as text, with its column, and US."""
UIDS = {header.STUDY_INSTANCE_UID: "StudyInstanceUID", header.SERIES_INSTANCE_UID: "SeriesInstanceUID"}
WANTED = frozenset((header.SOP_CLASS_UID, header.SOP_INSTANCE_UID, *UIDS, *TEXTS, *NUMBERS))
"""Tags that are read of a dataset."""


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
    head: Mapping[int, bytes] = field(default_factory=dict)
    """Values by tag, as they are written."""

    def refusal(self, offered_class: str) -> int:
        """Judge the command alone, given the SOP class of its presentation context."""
        if not is_uid(self.sop_instance):
            return INVALID_INSTANCE
        return SUCCESS if self.sop_class == offered_class else OTHER_SOP_CLASS

    def judge(self, head: bytes, expectation: Expectation) -> int:
        """Read the head of the dataset, and give the status that it deserves."""
        self.head = header.first_elements(head, self.transfer_syntax, WANTED)
        if self.text(header.SOP_INSTANCE_UID) != self.sop_instance:
            return CANNOT_UNDERSTAND
        if self.text(header.SOP_CLASS_UID) != self.sop_class:
            return OTHER_SOP_CLASS
        study, series = (self.text(tag) for tag in UIDS)
        return SUCCESS if expectation.includes(study, series) else NOT_AUTHORIZED

    def texts(self) -> Iterator[Value]:
        """Read what is written as text, in the order of the columns; the sender need not wait for it."""
        return (_value(tag, self.head.get(tag, b"")) for tag in TEXTS)

    def numbers(self) -> Iterator[Value]:
        """Read what is written as US."""
        order: Literal["big", "little"] = "big" if self.transfer_syntax == header.BIG_ENDIAN else "little"
        values = (self.head.get(tag, b"") for tag in NUMBERS)
        return (int.from_bytes(value, order) if len(value) == 2 else None for value in values)

    def text(self, tag: int) -> str:
        """Give text of an element, empty where there is none."""
        return _text(self.head.get(tag, b""))


@lru_cache(256)
def _text(value: bytes) -> str:
    """Read CS, DS, IS or UI; what is not ASCII there is malformed and shows as such. A series repeats most values."""
    return value.decode("ascii", "replace").strip("\0 ")


@lru_cache(256)
def _value(tag: int, value: bytes) -> Value:
    text = _text(value)
    return TEXTS[tag][1](text) if text else None


@dataclass(frozen=True, slots=True)
class Kept:
    """An instance that is on disk for good."""

    instance: Instance
    path: str
    outcome: Outcome
    size: int
    sha256: str
