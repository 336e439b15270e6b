"""C-FIND matching (PS3.4 C.2.2.2) on whole columns: what a key's value asks for, as a mask over rows.

Single value, list of UIDs, wildcard, range and universal matching. Names match without regard to case, as PS3.4
C.2.2.2.1 allows; a time given to the minute stands for that whole minute. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler.columns import Attribute
from crawler.testing.numbers import EPOCH

_TEXTS = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")
_TIME = re.compile(r"([01]\d|2[0-3])(?:([0-5]\d)(?:([0-5]\d)(?:\.(\d{1,6}))?)?)?")
_SECOND = 1_000_000

Criterion = Callable[[pa.Array], pa.Array]
"""Gives true for the rows of a column that match; never null."""


class BadKeyError(ValueError):
    """A key's value is not one that its VR allows in a query."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Both ends included; None is open."""

    low: int | None
    high: int | None


def criterion(attribute: Attribute, value: str) -> Criterion | None:
    """Say what a key asks for; None when every row matches. Raises BadKeyError.

    Keys with VRs that nobody matches on (DS, DT, US) match every row.
    """
    if not is_matched_on(attribute, value):
        return None
    if attribute.vr in ("DA", "TM"):
        return _within(date_bounds(value) if attribute.vr == "DA" else time_bounds(value))
    if attribute.vr == "IS":
        return _equals(_whole_number(value))
    alternatives = value.split("\\") if attribute.vr == "UI" or attribute.multi else [value]
    if attribute.vr == "UI":
        return _one_of(alternatives)
    return _like(alternatives, ignore_case=attribute.vr == "PN")


def is_matched_on(attribute: Attribute, value: str) -> bool:
    """Say whether a value narrows the answer."""
    if value == "" or (value.strip("*") == "" and attribute.vr in (*_TEXTS, "UI")):
        return False
    return can_match(attribute)


def can_match(attribute: Attribute) -> bool:
    """Say whether this attribute can be matched on at all."""
    return attribute.vr in (*_TEXTS, "UI", "DA", "TM", "IS")


def date_bounds(value: str) -> Bounds:
    """Read a day or a range of days, as days since 1970. Raises BadKeyError."""
    low, high = _ends(value)
    return Bounds(_day(low) if low else None, _day(high) if high else None)


def time_bounds(value: str) -> Bounds:
    """Read a time or a range of times, as microseconds of the day. Raises BadKeyError."""
    low, high = _ends(value)
    return Bounds(_ticks(low)[0] if low else None, _ticks(high)[1] if high else None)


def _ends(value: str) -> tuple[str, str]:
    low, dash, high = value.partition("-")
    if dash and not (low or high):
        raise BadKeyError("a range has at least one end")
    return (low.strip(), high.strip()) if dash else (value, value)


def _day(text: str) -> int:
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        raise BadKeyError("a date is YYYYMMDD")
    try:
        return datetime.strptime(text, "%Y%m%d").toordinal() - EPOCH
    except ValueError as error:
        raise BadKeyError("no such day") from error


def _ticks(text: str) -> tuple[int, int]:
    """Give the first and last microsecond that a time with missing parts stands for."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise BadKeyError("a time is HHMMSS.FFFFFF, or its beginning")
    hour, minute, second, fraction = found.groups()
    first = (int(hour) * 3600 + int(minute or 0) * 60 + int(second or 0)) * _SECOND
    if fraction is not None:
        unit = 10 ** (6 - len(fraction))
        first += int(fraction) * unit
        return first, first + unit - 1
    length = 1 if second is not None else 60 if minute is not None else 3600
    return first, first + length * _SECOND - 1


def _whole_number(value: str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise BadKeyError("not a whole number") from error


def _within(bounds: Bounds) -> Criterion:
    def match(column: pa.Array) -> pa.Array:
        width = np.int32 if pa.types.is_date(column.type) else np.int64
        numbers = np.asarray(column.cast(pa.int32() if width is np.int32 else pa.int64()).fill_null(-1))
        hits = np.asarray(column.is_valid())
        if bounds.low is not None:
            hits = hits & (numbers >= bounds.low)
        if bounds.high is not None:
            hits = hits & (numbers <= bounds.high)
        return pa.array(hits)

    return match


def _equals(number: int) -> Criterion:
    return lambda column: pc.equal(column, number).fill_null(False)


def _one_of(texts: list[str]) -> Criterion:
    values = pa.array(texts, pa.string())
    return lambda column: pc.is_in(column, value_set=values)


def _like(alternatives: list[str], *, ignore_case: bool) -> Criterion:
    """Match text with wildcards; a multi-valued attribute matches when one of its values does (PS3.4 C.2.2.2.1)."""
    either = "|".join(_pattern(text) for text in alternatives)
    pattern = rf"(?s)\A(?:{either})\z"

    def match(column: pa.Array) -> pa.Array:
        if not pa.types.is_list(column.type):
            return pc.match_substring_regex(column, pattern, ignore_case=ignore_case).fill_null(False)
        hits = np.zeros(len(column), np.bool_)
        found = pc.match_substring_regex(pc.list_flatten(column), pattern, ignore_case=ignore_case)
        hits[np.asarray(pc.list_parent_indices(column).filter(found))] = True
        return pa.array(hits)

    return match


def _pattern(text: str) -> str:
    return re.escape(text.strip()).replace(r"\*", ".*").replace(r"\?", ".")


def as_date(days: int | None) -> date | None:
    """Turn days since 1970 into a date; None stays None."""
    return None if days is None else date.fromordinal(days + EPOCH)
