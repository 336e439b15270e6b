"""What one question of a check brought: decoded rows, the status, and which elements were there. Pure."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from crawler.dicom import LONG_VRS_AS_SENT
from crawler.model import Identifiers
from crawler.pacs.status import describe

LOOKED_AT = 200
"""Identifiers whose elements are listed one by one."""

_IMPLICIT = struct.Struct("<HHI")
_EXPLICIT = struct.Struct("<HH2sH")
_UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one C-FIND; `status` None when none came."""

    rows: pa.Table
    status: int | None
    cut: bool = False
    """Enough rows had come, and the rest was cancelled."""
    present: Counter[int] = field(default_factory=Counter)
    """Tag -> rows that have the element, of the first `LOOKED_AT`."""
    filled: Counter[int] = field(default_factory=Counter)
    """Tag -> rows in which it has a value."""
    walked: int = 0
    """Rows that these two speak of."""

    @property
    def is_whole(self) -> bool:
        """Whether the PACS says that nothing is missing."""
        return self.status == 0 and not self.cut

    @property
    def is_usable(self) -> bool:
        """Whether its rows say something: the PACS did not fail."""
        return self.status == 0 or self.cut

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        return "cancelled by us" if self.cut else describe(self.status)

    def values(self, column: str) -> list[Any]:
        """Give a column's values."""
        values: list[Any] = self.rows[column].to_pylist()
        return values

    def __len__(self) -> int:
        return int(self.rows.num_rows)


def element_counts(batches: Sequence[Identifiers]) -> tuple[Counter[int], Counter[int], int]:
    """Count which elements the first identifiers have, and which with a value; gives how many were walked too."""
    present: Counter[int] = Counter()
    filled: Counter[int] = Counter()
    walked = 0
    for batch in batches:
        for start, end in zip(batch.starts, batch.ends, strict=True):
            if walked == LOOKED_AT:
                return present, filled, walked
            lengths = dict(_elements(bytes(batch.data[start:end]), batch.explicit_vr))
            present.update(lengths.keys())  # a mapping would add its values
            filled.update(tag for tag, length in lengths.items() if length)
            walked += 1
    return present, filled, walked


def _elements(data: bytes, explicit_vr: bool) -> Iterator[tuple[int, int]]:
    """Give tag and length of each element, up to the first that is damaged or of undefined length."""
    at = 0
    while at + 8 <= len(data):
        if explicit_vr:
            group, number, vr, length = _EXPLICIT.unpack_from(data, at)
            if vr in LONG_VRS_AS_SENT:
                if at + 12 > len(data):
                    return
                (length,) = struct.unpack_from("<I", data, at + 8)
                at += 4
        else:
            group, number, length = _IMPLICIT.unpack_from(data, at)
        at += 8 + length
        if length == _UNDEFINED or at > len(data):
            return
        yield group << 16 | number, length
