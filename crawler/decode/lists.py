"""Columns of lists: take the values of a batch apart, so that they can be decoded as one column, and join them again.

An attribute in a sequence has a value in each item, and null where an item lacks it, so that the lists of several
attributes of one sequence match. Values of one element are split at backslashes, binary ones by their size (PS3.5 6.4).
Sequences are rare in answers, so that this goes row by row. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crawler.columns import Attribute
from crawler.decode.column import HEADER, PADDING, Column, Rows, is_padding
from crawler.decode.fallback import items, top_elements
from crawler.decode.values import BINARY_SIZES

_GAP = bytes(HEADER)


@dataclass(frozen=True, slots=True)
class Spread:
    """The single values of a column of lists, and the row that each belongs to."""

    column: Column
    owners: Rows
    present: Column
    """The whole values, of which rows that are absent have no list."""
    broken: Rows
    """Rows whose sequence cannot be read to its end."""

    def lists(self, values: pa.Array) -> pa.Array:
        """Join decoded single values to a list for each row."""
        offsets = np.zeros(len(self.present) + 1, np.int32)
        np.cumsum(np.bincount(self.owners, minlength=len(self.present)), out=offsets[1:])
        mask = pa.array(~self.present.present)
        return pa.ListArray.from_arrays(pa.array(offsets), values, mask=mask)


def spread(column: Column, attribute: Attribute, explicit_vr: bool) -> Spread:
    """Take the values of a column of lists apart."""
    pieces: list[bytes | None] = []
    owners: list[int] = []
    broken: list[int] = []
    for row in np.flatnonzero(column.filled).tolist():
        value = column.data[column.begins[row] : column.ends[row]].tobytes()
        found = _Found()
        for leaf in _leaves(value, (*attribute.path, attribute.tag), explicit_vr, found) if attribute.path else [value]:
            parts = [leaf] if leaf is None or not attribute.multi else split(leaf, attribute.vr)
            pieces += parts
            owners += [row] * len(parts)
        if found.broken:
            broken.append(row)
    return Spread(_joined(pieces), np.array(owners, np.intp), column, np.array(broken, np.intp))


def of_first_item(column: Column, attribute: Attribute, explicit_vr: bool) -> Spread:
    """Take the value in the first item of each row's sequence; absent where there is none."""
    pieces: list[bytes | None] = []
    broken: list[int] = []
    for row in range(len(column)):
        value = column.data[column.begins[row] : column.ends[row]].tobytes() if column.present[row] else b""
        found = _Found()
        pieces.append(next(_leaves(value, (*attribute.path, attribute.tag), explicit_vr, found), None))
        if found.broken:
            broken.append(row)
    return Spread(_joined(pieces), np.arange(len(column)), column, np.array(broken, np.intp))


def split(value: bytes, vr: str) -> list[bytes]:
    """Split one element's value into its values; nothing of an empty one."""
    if size := BINARY_SIZES.get(vr):
        return [value[at : at + size] for at in range(0, len(value), size)]
    return value.split(b"\\") if value.rstrip(PADDING) else []


@dataclass(slots=True)
class _Found:
    broken: bool = False


def _leaves(value: bytes, steps: tuple[int, ...], explicit_vr: bool, found: _Found) -> Iterator[bytes | None]:
    """Give the value of the last step in each item along the path; None where an item lacks it."""
    for item in items(value, explicit_vr):
        if item is None:
            found.broken = True
            return
        elements = top_elements(item, explicit_vr)
        if elements is None:
            found.broken = True
            return
        inner = elements.get(steps[1])
        if len(steps) == 2 or inner is None:
            yield inner
        else:
            yield from _leaves(inner, steps[1:], explicit_vr, found)


def _joined(pieces: list[bytes | None]) -> Column:
    """Lay values out as a column: a gap where headers stand otherwise, then each value."""
    lengths = np.array([len(piece or b"") for piece in pieces], np.int32)
    ends = np.cumsum(lengths + HEADER, dtype=np.int32)
    data = np.frombuffer(b"".join(_GAP + (piece or b"") for piece in pieces) or _GAP, np.uint8)
    present = np.array([piece is not None for piece in pieces], np.bool_)
    padded = is_padding(data[ends - 1]) & (lengths > 0) if pieces else np.zeros(0, np.bool_)
    return Column(data, ends - lengths, ends, present, padded)
