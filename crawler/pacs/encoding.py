"""Columns of values to encoded C-FIND identifiers (PS3.5 7.1), a whole table at once. Pure.

Each attribute becomes three columns of bytes - tag with length, value, padding - and Arrow joins them all row by row.
A sequence is built in the same way: its items are rows of their own, joined to one value for each row above.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler.columns import Attribute
from crawler.dicom import LONG_VRS
from crawler.pacs.numerals import NOTHING, Ints, calendar_numbers, digits, fixed_bytes, joined, text

_BACKSLASH = text("\\")
_NO_BYTES = pa.scalar(b"", pa.binary())
_ZERO_PADDED = ("UI", "OB", "UN")
_LONGEST_SHORT = 0xFFFE
"""What the other lengths of Explicit VR can say."""
_BINARY = {"US": "<u2", "SS": "<i2", "UL": "<u4", "SL": "<i4", "FL": "<f4", "FD": "<f8"}
_ITEM = 0xFFFEE000
_LONGEST_DECIMAL = 16
"""Characters of a DS (PS3.5 6.2)."""

Write = Callable[[pa.Array, str], pa.Array]
"""Turns a column of text of a VR into bytes in some character set."""


@dataclass(frozen=True, slots=True)
class Constant:
    """An element with the same text in every answer, QueryRetrieveLevel say; `path` are the sequences it lies in."""

    tag: int
    vr: str
    text: str
    path: tuple[int, ...] = ()


def utf8(column: pa.Array, vr: str) -> pa.Array:
    """Write text as UTF-8, which is how Arrow keeps it."""
    return column.cast(pa.binary())


def encode(
    columns: Mapping[str, pa.Array],
    attributes: Sequence[Attribute | Constant],
    *,
    explicit_vr: bool = False,
    write: Write = utf8,
) -> pa.Array:
    """Encode rows as identifiers of these attributes; a constant stands in an attribute's place.

    Needs at least one column, for the number of rows.
    """
    return _Encoder(explicit_vr, write).datasets(columns, attributes)


def element(constant: Constant, explicit_vr: bool) -> bytes:
    """Encode one element."""
    value = constant.text.encode("latin-1")
    value += _pad(constant.vr) * (len(value) % 2)
    return _header(constant.tag, constant.vr, len(value), explicit_vr) + value


@dataclass(frozen=True, slots=True)
class _Encoder:
    explicit_vr: bool
    write: Write

    def datasets(self, columns: Mapping[str, pa.Array], attributes: Sequence[Attribute | Constant]) -> pa.Array:
        """Encode a dataset for each row."""
        constants = {one.tag for one in attributes if isinstance(one, Constant) and not one.path}
        parts: list[pa.Array | pa.Scalar] = [pa.repeat(_NO_BYTES, len(next(iter(columns.values()))))]
        by_tag: dict[int, list[Attribute | Constant]] = {}
        for one in attributes:
            if isinstance(one, Constant) or one.path or one.tag not in constants:
                by_tag.setdefault(one.path[0] if one.path else one.tag, []).append(one)
        for tag, members in sorted(by_tag.items()):
            nested = [one for one in members if one.path]
            if nested:
                parts.extend(self._framed(self._sequence(columns, nested), tag, "SQ"))
                continue
            first = members[0]
            if isinstance(first, Constant):
                parts.append(pa.scalar(element(first, self.explicit_vr), pa.binary()))
            else:
                parts.extend(self._framed(self._values(columns[first.keyword], first.vr), tag, first.vr))
        return pc.binary_join_element_wise(*parts, _NO_BYTES)

    def _sequence(self, columns: Mapping[str, pa.Array], members: Sequence[Attribute | Constant]) -> pa.Array:
        """Encode the items of one sequence for each row: one of single values, or one for each value of lists."""
        inner = [replace(one, path=one.path[1:]) for one in members]
        lists = [one for one in inner if isinstance(one, Attribute) and not one.path and not one.single]
        if not lists:
            return self._items(self.datasets(columns, inner))
        counts = np.max([np.asarray(pc.list_value_length(columns[one.keyword]).fill_null(0)) for one in lists], axis=0)
        flat = {one.keyword: _flattened(columns[one.keyword], counts) for one in lists}
        kept = [one for one in inner if not one.path and (isinstance(one, Constant) or one.keyword in flat)]
        items = self._items(self.datasets(flat, kept))
        offsets = np.zeros(len(counts) + 1, np.int32)
        np.cumsum(counts, out=offsets[1:])
        return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), items), _NO_BYTES)

    def _items(self, datasets: pa.Array) -> pa.Array:
        """Put each dataset into an item of its own (PS3.5 7.5), whose header has no VR."""
        lengths = np.asarray(pc.binary_length(datasets))
        return pc.binary_join_element_wise(_headers(_ITEM, "", lengths), datasets, _NO_BYTES)

    def _framed(self, values: pa.Array, tag: int, vr: str) -> tuple[pa.Array, pa.Array, pa.Array]:
        if self.explicit_vr and vr not in LONG_VRS:
            values = pc.binary_slice(values, 0, _LONGEST_SHORT)
        lengths: Ints = np.asarray(pc.binary_length(values)).astype(np.int64)
        odd = lengths % 2
        padding = _paddings(_pad(vr)).take(pa.array(odd))
        return _headers(tag, vr if self.explicit_vr else "", lengths + odd), values, padding

    def _values(self, column: pa.Array, vr: str) -> pa.Array:
        """Give the values as bytes without padding; null is a value of no length."""
        kind = column.type
        if vr in _BINARY:
            return _numbers(column, _BINARY[vr])
        if not pa.types.is_list(kind):
            return self._texts(column, vr).fill_null(b"")
        flat = self._texts(column.flatten(), vr).fill_null(b"")
        lists = pa.ListArray.from_arrays(_offsets(column), flat)
        return pc.binary_join(lists, pa.scalar(b"\\", pa.binary()))

    def _texts(self, column: pa.Array, vr: str) -> pa.Array:
        kind = column.type
        if pa.types.is_string(kind):
            return self.write(column, vr)
        if pa.types.is_date(kind):
            texts = date_texts(column)
        elif pa.types.is_time(kind):
            texts = time_texts(column.cast(pa.int64()))
        elif pa.types.is_timestamp(kind):
            texts = _stamp_texts(column)
        else:
            texts = _decimals(column) if pa.types.is_floating(kind) else column.cast(pa.string())
        return texts.cast(pa.binary())


def _flattened(column: pa.Array, counts: Ints) -> pa.Array:
    """Give the values of lists that are to have so many each; a list of another length becomes one of nulls."""
    lengths = np.asarray(pc.list_value_length(column).fill_null(0))
    if (lengths == counts).all():
        return column.flatten()
    fitting = [
        value if value is not None and len(value) == count else [None] * count
        for value, count in zip(column.to_pylist(), counts.tolist(), strict=True)
    ]
    return pa.array([one for values in fitting for one in values], column.type.value_type)


def _offsets(lists: pa.Array) -> pa.Array:
    """Give where each list begins among the flattened values; a null has none."""
    offsets = np.zeros(len(lists) + 1, np.int32)
    np.cumsum(np.asarray(pc.list_value_length(lists).fill_null(0)), out=offsets[1:])
    return pa.array(offsets)


def _pad(vr: str) -> bytes:
    return b"\0" if vr in _ZERO_PADDED else b" "


def _header(tag: int, vr: str, length: int, explicit_vr: bool) -> bytes:
    if explicit_vr and vr in LONG_VRS:
        return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)
    if explicit_vr:
        return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, length)


def _headers(tag: int, vr: str, lengths: Ints) -> pa.Array:
    """Give tags with lengths; without a VR there is none between them."""
    front = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode() + (b"\0\0" if vr in LONG_VRS else b"")
    width = 4 if not vr or vr in LONG_VRS else 2
    matrix = np.empty((len(lengths), len(front) + width), np.uint8)
    matrix[:, : len(front)] = np.frombuffer(front, np.uint8)
    matrix[:, len(front) :] = lengths.astype(f"<u{width}").view(np.uint8).reshape(-1, width)
    return fixed_bytes(matrix)


@cache
def _paddings(pad: bytes) -> pa.Array:
    """Give what is added to a value, by whether its length is odd."""
    return pa.array([b"", pad], pa.binary())


def date_texts(column: pa.Array) -> pa.Array:
    """Write dates as YYYYMMDD."""
    return _nulled(digits(calendar_numbers(column.cast(pa.int32()).fill_null(0)), 8), column)


def time_texts(column: pa.Array) -> pa.Array:
    """Write microseconds of a day as HHMMSS, with as many decimals as it takes."""
    seconds, fraction = np.divmod(np.asarray(column.fill_null(0)), 1_000_000)
    minutes, second = np.divmod(seconds, 60)
    texts = digits(minutes // 60 * 10_000 + minutes % 60 * 100 + second, 6)
    if fraction.any():
        decimals = pc.if_else(pa.array(fraction > 0), joined(".", pc.utf8_rtrim(digits(fraction, 6), "0")), NOTHING)
        texts = joined(texts, decimals)
    return _nulled(texts, column)


def _stamp_texts(column: pa.Array) -> pa.Array:
    days, ticks = np.divmod(np.asarray(column.cast(pa.int64()).fill_null(0)), 86_400_000_000)
    dates = date_texts(pa.array(days.astype(np.int32)).cast(pa.date32()))
    return _nulled(joined(dates, time_texts(pa.array(ticks))), column)


def _nulled(texts: pa.Array, column: pa.Array) -> pa.Array:
    return pc.if_else(column.is_valid(), texts, pa.scalar(None, pa.string())) if column.null_count else texts


def _decimals(column: pa.Array) -> pa.Array:
    """Write numbers as DS, which has 16 characters; longer ones lose their last digits."""
    texts = column.cast(pa.string())
    if not len(texts) or (pc.max(pc.binary_length(texts)).as_py() or 0) <= _LONGEST_DECIMAL:
        return texts
    return pa.array([None if number is None else _decimal(number) for number in column.to_pylist()], pa.string())


def _decimal(number: float) -> str:
    return next(said for places in range(17, 0, -1) if len(said := f"{number:.{places}g}") <= _LONGEST_DECIMAL)


def _numbers(column: pa.Array, kind: str) -> pa.Array:
    """Write numbers as bytes: null has none, a list those of all its values."""
    flat = column.flatten() if pa.types.is_list(column.type) else column
    numbers = np.asarray(flat.fill_null(0)).astype(kind)
    values = fixed_bytes(numbers.view(np.uint8).reshape(-1, numbers.itemsize))
    if pa.types.is_list(column.type):
        return pc.binary_join(pa.ListArray.from_arrays(_offsets(column), values), _NO_BYTES)
    return pc.if_else(column.is_valid(), values, _NO_BYTES) if column.null_count else values


def is_ascii(values: pa.Array) -> bool:
    """Whether no value of a binary array needs a character set."""
    _, offsets, data = values.buffers()
    if data is None:
        return True
    bounds: Ints = np.frombuffer(offsets, np.int32)
    used = np.frombuffer(data, np.uint8)[bounds[values.offset] : bounds[values.offset + len(values)]]
    return not bool((used & 0x80).any())
