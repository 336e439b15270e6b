"""Typed columns: dates, times, integers and reals out of the bytes of one attribute (PS3.5 6.2).

The canonical spelling of a value is read for the whole column at once; every other spelling once per distinct value. A
value that the type cannot hold gives null and a fault; `raw` keeps the bytes wherever the column cannot give them back.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crawler.decode import digits
from crawler.decode.column import PADDING, Column, Mask
from crawler.decode.digits import Numbers
from crawler.decode.findings import Findings

MICROSECONDS = 1_000_000
DAY = 86_400 * MICROSECONDS


class Reading(NamedTuple):
    """One value: what the column stores (null if None), the fault, and whether the column can give the bytes back."""

    value: int | float | None
    fault: str | None = None
    exact: bool = False


_Fast = Callable[[Column], tuple[NDArray[Any], Mask]]
_Slow = Callable[[bytes], Reading]


def typed_column(column: Column, tag: int, vr: str, kind: pa.DataType, findings: Findings) -> pa.Array:
    """Read a column of one of `TYPED_VRS`; empty values and malformed ones are null."""
    original = column
    if vr not in _BINARY_FORMATS:
        column = column.without_trailing_padding()
    fast, slow = _READERS[vr]
    values, good = fast(column)
    filled = column.filled
    good &= filled
    rows = np.flatnonzero(filled & ~good)
    if len(rows):
        distinct = original.at(rows).gather(pa.binary()).dictionary_encode()
        readings = [slow(value) for value in distinct.dictionary.to_pylist()]
        which = distinct.indices.to_numpy()
        found = np.array([reading.value is not None for reading in readings])[which]
        values[rows] = np.array([reading.value or 0 for reading in readings], values.dtype)[which]
        good[rows] = found
        for fault in sorted({reading.fault for reading in readings if reading.fault}):
            findings.fault(rows[np.array([reading.fault == fault for reading in readings])[which]], tag, fault)
        findings.keep(rows[np.array([not reading.exact for reading in readings])[which]], tag, original)
    return _stored(values, good, kind)


def _stored(values: NDArray[Any], good: Mask, kind: pa.DataType) -> pa.Array:
    mask = None if good.all() else ~good
    if pa.types.is_date32(kind):
        return pa.array(values.astype(np.int32), mask=mask).cast(kind)
    return pa.array(values, mask=mask).cast(kind)


def _fast_date(column: Column) -> tuple[Numbers, Mask]:
    """YYYYMMDD."""
    value, good = digits.days(column.words_until(column.ends))
    return value, good & (column.ends - column.begins == 8)


def _slow_date(value: bytes) -> Reading:
    text = _stripped(value)
    if re.fullmatch(rb"\d{8}", text):
        try:
            day = date(int(text[:4]), int(text[4:6]), int(text[6:]))
        except ValueError:
            return Reading(None, "malformed DA")
        return Reading((day - date(1970, 1, 1)).days, exact=value.rstrip(PADDING) == text)
    return Reading(None, "malformed DA" if text else None)


def _fast_time(column: Column) -> tuple[Numbers, Mask]:
    """HHMMSS, and HHMMSS.FFFFFF with a fraction other than zero."""
    return _clock(column, 0)


def _clock(column: Column, skip: int) -> tuple[Numbers, Mask]:
    """Read a canonical time that begins `skip` bytes into the value, as microseconds."""
    length = column.ends - column.begins - skip
    value, good = digits.seconds(column.words_until(column.begins + np.int32(skip + 6)))
    value *= MICROSECONDS
    good &= (length == 6) | (length == 13)
    fractional = np.flatnonzero(good & (length == 13))
    if len(fractional):
        word = column.words_until(column.ends[fractional])
        fraction, is_number = digits.number(word, 6)
        value[fractional] += fraction
        good[fractional] = is_number & ((word >> np.uint64(8)) & np.uint64(0xFF) == ord(".")) & (fraction > 0)
    return value, good


def _slow_time(value: bytes) -> Reading:
    text = _stripped(value)
    if not text:
        return Reading(None)
    at = _microseconds(text)
    if at is None:
        return Reading(None, "malformed TM")
    if at < 0:
        return Reading(None, "leap second")
    return Reading(at, exact=value.rstrip(PADDING) == _canonical_time(at))


def _microseconds(text: bytes) -> int | None:
    """Read HH[MM[SS[.F{1,6}]]] as microseconds since midnight; -1 for a leap second, which no time of day can hold."""
    match = re.fullmatch(rb"(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?", text)
    if not match:
        return None
    hour, minute, second = (int(part or 0) for part in match.groups()[:3])
    if hour > 23 or minute > 59 or second > 60:
        return None
    if second == 60:
        return -1
    fraction = int((match[4] or b"0").ljust(6, b"0"))
    return ((hour * 60 + minute) * 60 + second) * MICROSECONDS + fraction


def _canonical_time(at: int) -> bytes:
    minutes, rest = divmod(at, 60 * MICROSECONDS)
    second, fraction = divmod(rest, MICROSECONDS)
    text = b"%02d%02d%02d" % (minutes // 60, minutes % 60, second)
    return text + b".%06d" % fraction if fraction else text


def _fast_datetime(column: Column) -> tuple[Numbers, Mask]:
    """YYYYMMDDHHMMSS, and the same with .FFFFFF other than zero."""
    day, is_day = digits.days(column.words_until(column.begins + np.int32(8)))
    at, is_time = _clock(column, 8)
    return day * DAY + at, is_day & is_time


def _slow_datetime(value: bytes) -> Reading:
    """Read the date and time as written; the offset from UTC and how much was left out stay in `raw`."""
    text = _stripped(value)
    if not text:
        return Reading(None)
    match = re.fullmatch(rb"(\d{4}(?:\d\d(?:\d\d)?)?)(\d[\d.]*)?([+-]\d{4})?", text)
    if not match or (match[2] and len(match[1]) < 8):
        return Reading(None, "malformed DT")
    day = _slow_date(match[1] + b"0101"[len(match[1]) - 4 :]).value
    at = _microseconds(match[2] or b"00")
    if day is None or at is None or not _is_offset(match[3]):
        return Reading(None, "malformed DT")
    if at < 0:
        return Reading(None, "leap second")
    canonical = match[1] + _canonical_time(at)
    return Reading(int(day) * DAY + at, exact=len(match[1]) == 8 and value.rstrip(PADDING) == canonical)


def _is_offset(offset: bytes | None) -> bool:
    """Offsets from UTC run from -1200 to +1400 (PS3.5 6.2)."""
    return offset is None or (-1200 <= int(offset) <= 1400 and int(offset[3:]) < 60)


def _fast_integer(column: Column) -> tuple[Numbers, Mask]:
    """Up to eight digits without a leading zero."""
    length = (column.ends - column.begins).astype(np.int64)
    usable = np.clip(length, 1, 8)
    value, good = digits.number(column.words_until(column.ends), usable.astype(np.uint64))
    return value, good & (length == usable) & ((value >= _SMALLEST[usable]) | (length == 1))


_SMALLEST = np.array([10 ** max(length - 1, 0) for length in range(9)])


def _slow_integer(value: bytes) -> Reading:
    text = _stripped(value)
    if not text:
        return Reading(None)
    if not re.fullmatch(rb"[+-]?\d{1,12}", text) or len(text) > 12 or not -(2**31) <= int(text) < 2**31:
        return Reading(None, "malformed IS")
    return Reading(int(text), exact=value.rstrip(PADDING) == b"%d" % int(text))


_PLAIN_DECIMAL = r"^-?[0-9]+(\.[0-9]+)?$"
_DECIMAL = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_EXACT_DIGITS = 15
"""A decimal number of this many digits can always be got back from a double (DBL_DIG)."""


def _fast_real(column: Column) -> tuple[NDArray[np.float64], Mask]:
    """Plain decimal numbers of at most 15 characters."""
    values = np.zeros(len(column))
    length = column.ends - column.begins
    short = np.flatnonzero(column.present & (length > 0) & (length <= _EXACT_DIGITS))
    text = column.at(short).gather(pa.binary())
    plain = pc.match_substring_regex(text, _PLAIN_DECIMAL).to_numpy(zero_copy_only=False).astype(np.bool_)
    good = np.zeros(len(column), np.bool_)
    good[short[plain]] = True
    values[good] = column.at(short[plain]).gather(pa.string()).cast(pa.float64()).to_numpy()
    return values, good


def _slow_real(value: bytes) -> Reading:
    text = _stripped(value)
    if not text:
        return Reading(None)
    if len(text) > 16 or not _DECIMAL.fullmatch(text):
        return Reading(None, "malformed DS")
    real = float(text)
    if real in (float("inf"), float("-inf")):
        return Reading(None, "malformed DS")
    return Reading(real, exact=Decimal(repr(real)) == Decimal(text.decode()))


def _fast_binary(vr: str) -> _Fast:
    """Read one number of fixed size out of the last bytes of each value."""
    kind = np.dtype(_BINARY_FORMATS[vr])
    unused = np.uint64(64 - 8 * kind.itemsize)

    def read(column: Column) -> tuple[NDArray[Any], Mask]:
        word = (column.words_until(column.ends) >> unused).astype(f"<u{kind.itemsize}")
        values = word.view(kind).astype(np.float64 if kind.kind == "f" else np.int64)
        return values, column.ends - column.begins == kind.itemsize

    return read


def _slow_binary(vr: str) -> _Slow:
    return lambda value: Reading(None, f"malformed {vr}")


def _stripped(value: bytes) -> bytes:
    return value.rstrip(PADDING).lstrip(b" ")


_BINARY_FORMATS = {"US": "<u2", "UL": "<u4", "SS": "<i2", "SL": "<i4", "FL": "<f4", "FD": "<f8"}
BINARY_SIZES = {vr: np.dtype(kind).itemsize for vr, kind in _BINARY_FORMATS.items()}
_READERS: dict[str, tuple[_Fast, _Slow]] = {
    "DA": (_fast_date, _slow_date),
    "TM": (_fast_time, _slow_time),
    "DT": (_fast_datetime, _slow_datetime),
    "IS": (_fast_integer, _slow_integer),
    "DS": (_fast_real, _slow_real),
    **{vr: (_fast_binary(vr), _slow_binary(vr)) for vr in _BINARY_FORMATS},
}
TYPED_VRS = frozenset(_READERS)
