"""Columns of words to encoded C-FIND identifiers (PS3.5 7.1), a whole table at once. Pure.

Each attribute becomes three columns of bytes - tag with length, value, padding - and Arrow joins them all row by row.
Values wider than their VR allows do not occur in a synthetic archive.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler.columns import Attribute
from crawler.testing.numbers import NOTHING, Ints, calendar_numbers, chosen, digits, fixed_bytes, joined, text
from crawler.testing.question import CHARSET

_BACKSLASH = text("\\")
_NO_BYTES = pa.scalar(b"", pa.binary())
_LENGTHS = 1026
"""Lengths below this have their header made in advance; a PatientName of three groups is the longest."""
_ZERO_PADDED = ("UI", "OB")


@dataclass(frozen=True, slots=True)
class Constant:
    """An element with the same text in every answer, QueryRetrieveLevel say."""

    tag: int
    vr: str
    text: str


def encode(
    columns: Mapping[str, pa.Array], attributes: Sequence[Attribute | Constant], explicit_vr: bool = False
) -> pa.Array:
    """Encode rows as identifiers of these attributes. Text that is not ASCII needs a column SpecificCharacterSet.

    A constant stands in an attribute's place; where it is SpecificCharacterSet, all text is in UTF-8.
    """
    constants = {one.tag for one in attributes if isinstance(one, Constant)}
    attributes = [one for one in attributes if isinstance(one, Constant) or one.tag not in constants]
    latin = None if CHARSET in constants else _is_latin(columns.get("SpecificCharacterSet"))
    parts: list[pa.Array | pa.Scalar] = []
    for attribute in sorted(attributes, key=lambda a: a.tag):
        if isinstance(attribute, Constant):
            parts.append(pa.scalar(element(attribute, explicit_vr), pa.binary()))
        else:
            values = _values(columns[attribute.keyword], attribute.vr, latin)
            parts.extend(_framed(values, attribute, explicit_vr))
    return pc.binary_join_element_wise(*parts, _NO_BYTES)


def element(constant: Constant, explicit_vr: bool) -> bytes:
    """Encode one element."""
    pad = b"\0" if constant.vr in _ZERO_PADDED else b" "
    value = constant.text.encode("latin-1")
    value += pad * (len(value) % 2)
    return _header(constant.tag, constant.vr, len(value), explicit_vr) + value


def _header(tag: int, vr: str, length: int, explicit_vr: bool) -> bytes:
    if explicit_vr:
        return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, length)


@cache
def _headers(tag: int, vr: str, explicit_vr: bool) -> tuple[pa.Array, pa.Array]:
    """Give, by unpadded length, tag with length, and padding."""
    pad = b"\0" if vr in _ZERO_PADDED else b" "
    headers = [_header(tag, vr, n + n % 2, explicit_vr) for n in range(_LENGTHS)]
    return pa.array(headers, pa.binary()), pa.array([pad * (n % 2) for n in range(_LENGTHS)], pa.binary())


def _framed(values: pa.Array, attribute: Attribute, explicit_vr: bool) -> tuple[pa.Array, pa.Array, pa.Array]:
    headers, pads = _headers(attribute.tag, attribute.vr, explicit_vr)
    lengths = pc.binary_length(values)
    return headers.take(lengths), values, pads.take(lengths)


def _values(column: pa.Array, vr: str, latin: pa.Array | None) -> pa.Array:
    """Give the values as bytes without padding; null is a value of no length."""
    kind = column.type
    if pa.types.is_list(kind):
        texts = pc.binary_join(column, _BACKSLASH)
    elif pa.types.is_date(kind):
        texts = date_texts(column)
    elif pa.types.is_time(kind):
        texts = time_texts(column.cast(pa.int64()))
    elif pa.types.is_timestamp(kind):
        texts = _stamp_texts(column)
    elif vr == "US":
        return _shorts(column)
    elif pa.types.is_string(kind):
        return _encoded(column, latin)
    else:
        texts = column.cast(pa.string())
    return texts.cast(pa.binary()).fill_null(b"")


def date_texts(column: pa.Array) -> pa.Array:
    """Write dates as YYYYMMDD."""
    return _nulled(digits(calendar_numbers(column.cast(pa.int32()).fill_null(0)), 8), column)


def time_texts(column: pa.Array) -> pa.Array:
    """Write microseconds of a day as HHMMSS, with six decimals where they are not zero."""
    seconds, fraction = np.divmod(np.asarray(column.fill_null(0)), 1_000_000)
    minutes, second = np.divmod(seconds, 60)
    texts = digits(minutes // 60 * 10_000 + minutes % 60 * 100 + second, 6)
    if fraction.any():
        decimals = pc.if_else(pa.array(fraction > 0), joined(".", digits(fraction, 6)), NOTHING)
        texts = joined(texts, decimals)
    return _nulled(texts, column)


def _stamp_texts(column: pa.Array) -> pa.Array:
    days, ticks = np.divmod(np.asarray(column.cast(pa.int64()).fill_null(0)), 86_400_000_000)
    dates = date_texts(pa.array(days.astype(np.int32)).cast(pa.date32()))
    return _nulled(joined(dates, time_texts(pa.array(ticks))), column)


def _nulled(texts: pa.Array, column: pa.Array) -> pa.Array:
    return pc.if_else(column.is_valid(), texts, pa.scalar(None, pa.string())) if column.null_count else texts


def _shorts(column: pa.Array) -> pa.Array:
    numbers = np.asarray(column.fill_null(0)).astype("<u2")
    values = fixed_bytes(numbers.view(np.uint8).reshape(-1, 2))
    return pc.if_else(column.is_valid(), values, _NO_BYTES) if column.null_count else values


def _is_latin(charsets: pa.Array | None) -> pa.Array | None:
    """Say which rows are in ISO_IR 100."""
    return None if charsets is None else pc.equal(pc.binary_join(charsets, _BACKSLASH), text("ISO_IR 100"))


def _encoded(column: pa.Array, latin: pa.Array | None) -> pa.Array:
    """Encode text by each row's character set: UTF-8 is how Arrow keeps it, so only ISO_IR 100 needs work."""
    values = column.cast(pa.binary())
    if latin is None or _is_ascii(values):
        return values
    wide = pc.and_(latin, pc.greater(pc.binary_length(column), pc.utf8_length(column)))
    distinct = column.filter(wide).dictionary_encode()
    narrow = pa.array([word.encode("latin-1") for word in distinct.dictionary.to_pylist()], pa.binary())
    return pc.replace_with_mask(values, wide, chosen(narrow, distinct.indices))


def _is_ascii(values: pa.Array) -> bool:
    _, offsets, data = values.buffers()
    if data is None:
        return True
    bounds: Ints = np.frombuffer(offsets, np.int32)
    used = np.frombuffer(data, np.uint8)[bounds[values.offset] : bounds[values.offset + len(values)]]
    return not bool((used & 0x80).any())
