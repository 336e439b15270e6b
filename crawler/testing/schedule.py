"""When studies happen: how many on each day, and at what time of the day. Pure."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from crawler.pacs.numerals import Ints
from crawler.testing.numbers import Reals, unit_hash

DAY_SECONDS = 86_400
_WEEK = np.array([1.12, 1.1, 1.05, 1.06, 0.98, 0.22, 0.18])
"""Load of Monday to Sunday against a weekday's mean."""
_ACUTE = np.array([9, 7, 6, 6, 7, 9, 14, 32, 58, 62, 60, 54, 42, 44, 46, 42, 36, 32, 29, 27, 24, 20, 16, 12], float)
_CLINIC = np.array([0, 0, 0, 0, 0, 0, 2, 34, 70, 76, 74, 62, 44, 48, 52, 42, 26, 12, 4, 1, 0, 0, 0, 0], float)
_PROFILES = tuple(np.concatenate(([0.0], np.cumsum(hours))) / hours.sum() for hours in (_CLINIC, _ACUTE))


def days_between(first: date, last: date) -> list[date]:
    """Give the days from first to last, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def counts_by_day(days: list[date], total: int, seed: int) -> Ints:
    """Spread `total` studies over days: weekdays, a Christmas lull, slow growth, some noise; the sum is exact."""
    if not days:
        return np.zeros(0, np.int64)
    ordinals = np.array([day.toordinal() for day in days])
    weights = _WEEK[(ordinals - 1) % 7] * (0.88 + 0.24 * unit_hash(ordinals, seed))
    weights *= 1 + 0.08 * np.arange(len(days)) / len(days)
    weights[[(day.month, day.day) in _HOLIDAYS for day in days]] *= 0.25
    ends = np.round(np.cumsum(weights) / weights.sum() * total).astype(np.int64)
    counts: Ints = np.diff(ends, prepend=0)
    return counts


_HOLIDAYS = {(1, 1), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31)}


def seconds_of_day(draws: Reals, acute: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Reals:
    """Place studies in their day: elective ones in office hours with a peak from 8 to 11, acute ones also at night."""
    hours = np.arange(25.0)
    clinic, busy = (np.interp(draws, profile, hours) for profile in _PROFILES)
    seconds: Reals = np.where(acute, busy, clinic) * 3600 % DAY_SECONDS
    return seconds
