"""Numbers, dates and times out of eight ASCII bytes at a time, for a whole column at once.

Each function takes little-endian words and reports which rows it could read; the others are for a slower reader. Pure.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from crawler.decode.column import Mask, Words

Numbers: TypeAlias = NDArray[np.int64]

_ZEROS = np.uint64(0x3030303030303030)
_HIGH = np.uint64(0xF0F0F0F0F0F0F0F0)
_SIXES = np.uint64(0x0606060606060606)
_LANES = np.uint64(0x00FF00FF00FF00FF)


def pairs(word: Words, digits: int | Words) -> tuple[Words, Mask]:
    """Read the last `digits` (1 to 8) bytes of each word as decimal digits: four numbers 0..99 in 16-bit lanes.

    The missing digits in front count as zeros. The mask says where all of them are digits; the others give 0.
    """
    size = np.asarray(digits, np.uint64) * np.uint64(8)
    front = np.uint64(64) - size
    # A shift by 64 gives 0 in numpy, so 8 digits need no case of their own.
    value = (((word >> front) << front) | (_ZEROS >> size)) ^ _ZEROS
    good = ((value + _SIXES) | value) & _HIGH == 0
    value = (value * np.uint64(10) + (value >> np.uint64(8))) & _LANES
    return np.where(good, value, np.uint64(0)), good


def lane(lanes: Words, index: int) -> Numbers:
    """Take one of the four two-digit numbers, 0 is the leftmost."""
    return ((lanes >> np.uint64(16 * index)) & np.uint64(0xFF)).astype(np.int64)


def number(word: Words, digits: int | Words) -> tuple[Numbers, Mask]:
    """Read the last `digits` (1 to 8) bytes of each word as one decimal number."""
    value, good = pairs(word, digits)
    value = (value * np.uint64(100) + (value >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    value = (value * np.uint64(10000) + (value >> np.uint64(32))) & np.uint64(0xFFFFFFFF)
    return value.astype(np.int64), good


def days(word: Words) -> tuple[Numbers, Mask]:
    """Read YYYYMMDD as days since 1970-01-01; no such day, not good."""
    lanes, good = pairs(word, 8)
    year = lane(lanes, 0) * 100 + lane(lanes, 1)
    within = _DAY_OF_YEAR[_LEAP[year], lane(lanes, 2) * 100 + lane(lanes, 3)]
    return _YEAR_START[year] + within, good & (within >= 0) & (year > 0)


def seconds(word: Words) -> tuple[Numbers, Mask]:
    """Read HHMMSS in the last six bytes as seconds since midnight; second 60 is not good."""
    lanes, good = pairs(word, 6)
    hour, minute, second = lane(lanes, 1), lane(lanes, 2), lane(lanes, 3)
    return (hour * 60 + minute) * 60 + second, good & (hour < 24) & (minute < 60) & (second < 60)


def _days_of_year() -> NDArray[np.int64]:
    """Map month and day, as MMDD, to the day of a common and of a leap year; -1 where there is none."""
    table = np.full((2, 100 * 100), -1)
    for leap, year in enumerate((2001, 2000)):
        for number in range(365 + leap):
            day = date(year, 1, 1) + timedelta(number)
            table[leap, day.month * 100 + day.day] = number
    return table


_YEARS = np.arange(10000)
_YEAR_START = (_YEARS - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
_LEAP = (((_YEARS % 4 == 0) & (_YEARS % 100 != 0)) | (_YEARS % 400 == 0)).astype(np.intp)
_DAY_OF_YEAR = _days_of_year()
