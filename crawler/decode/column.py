"""One attribute's values in a batch: where each lies in the shared buffer, and how to gather all of them at once.

Values of one attribute are ascending, disjoint segments of the buffer, so that a column of text is two array operations
in Arrow whatever the number of rows. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
Words: TypeAlias = NDArray[np.uint64]
Places: TypeAlias = NDArray[np.int32]
Rows: TypeAlias = NDArray[np.intp]
Mask: TypeAlias = NDArray[np.bool_]

HEADER = 8
"""Bytes of tag and length in Implicit VR Little Endian (PS3.5 7.1.3)."""

PADDING = b" \0"
"""What may fill a text value to even length: space, and NUL for UI (PS3.5 6.2); senders mix the two."""

_STEPS = 4
"""Padding is one byte; longer runs are rare, and are cut value by value after this many vector steps."""


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one attribute: row i is `data[begins[i]:ends[i]]`, or absent where `present[i]` is false.

    Eight bytes of header stand before each value, so a word that ends anywhere inside a value can always be read.
    """

    data: Bytes
    begins: Places
    ends: Places
    present: Mask
    padded: Mask
    """Rows whose last byte is padding; known beforehand, because looking at each value again costs a cache miss."""

    def __len__(self) -> int:
        return len(self.begins)

    @property
    def filled(self) -> Mask:
        """Rows with at least one byte."""
        return self.present & (self.ends > self.begins)

    def at(self, rows: Rows) -> Column:
        """Give some rows, which must be ascending."""
        return Column(self.data, self.begins[rows], self.ends[rows], self.present[rows], self.padded[rows])

    def without(self, rows: Rows) -> Column:
        """Give the column with some rows' values absent."""
        if not len(rows):
            return self
        ends, present, padded = self.ends.copy(), self.present.copy(), self.padded.copy()
        ends[rows], present[rows], padded[rows] = self.begins[rows], False, False
        return Column(self.data, self.begins, ends, present, padded)

    def gather(self, kind: pa.DataType) -> pa.Array:
        """Copy the values to an Arrow array of `kind`, binary or string; absent ones are null."""
        count = len(self)
        if not count:
            return pa.array([], kind)
        offsets = np.empty(2 * count, np.int32)
        offsets[0::2] = self.begins
        offsets[1::2] = self.ends
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self.data)]
        values_and_gaps = pa.Array.from_buffers(kind, 2 * count - 1, buffers)
        mask = None if self.present.all() else ~self.present
        return values_and_gaps.take(pa.array(np.arange(0, 2 * count, 2, dtype=np.int32), mask=mask))

    def words_until(self, ends: Places) -> Words:
        """Read the eight bytes before each of `ends` as little-endian words; places outside the buffer give any."""
        if len(self.data) < HEADER:
            return np.zeros(len(ends), np.uint64)
        return words(self.data)[np.clip(ends - HEADER, 0, len(self.data) - HEADER)]

    def without_trailing_padding(self) -> Column:
        """Shorten each value by the spaces and NULs at its end."""
        rows = np.flatnonzero(self.padded)
        if not len(rows):
            return self
        ends = self.ends.copy()
        for _ in range(_STEPS):
            ends[rows] -= 1
            rows = rows[is_padding(self.data[ends[rows] - 1]) & (ends[rows] > self.begins[rows])]
        for row in rows:
            value = self.data[self.begins[row] : ends[row]].tobytes()
            ends[row] = self.begins[row] + len(value.rstrip(PADDING))
        return replace(self, ends=ends, padded=np.zeros_like(self.padded))

    def without_leading_spaces(self) -> Column:
        """Shorten each value by the spaces at its beginning."""
        filled = np.flatnonzero(self.filled)
        spaced = filled[self.data[self.begins[filled]] == 0x20]
        if not len(spaced):
            return self
        begins = self.begins.copy()
        for row in spaced:
            value = self.data[begins[row] : self.ends[row]].tobytes()
            begins[row] = self.ends[row] - len(value.lstrip(b" "))
        return replace(self, begins=begins)


def words(data: Bytes) -> Words:
    """View the buffer as a little-endian word at each byte; it has at least eight bytes."""
    return np.ndarray((len(data) - HEADER + 1,), dtype="<u8", buffer=data, strides=(1,))


def is_padding(last: Bytes) -> Mask:
    """Say which bytes are space or NUL."""
    padding: Mask = (last == 0x20) | (last == 0)
    return padding
