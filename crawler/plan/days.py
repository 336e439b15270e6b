"""Arithmetic on day ranges with open ends: what of a range is not covered yet. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from crawler.model import Window

BEGINNING = date.min.toordinal()
END = date.max.toordinal()


class Days(NamedTuple):
    """Days as proleptic ordinals, both ends included; `BEGINNING` and `END` stand for open ends."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """How many days it holds."""
        return self.last - self.first + 1

    @property
    def window(self) -> Window:
        """The window that asks for all of these days."""
        return Window(
            date_from=None if self.first == BEGINNING else date.fromordinal(self.first),
            date_to=None if self.last == END else date.fromordinal(self.last),
        )


def days_of(date_from: date | None, date_to: date | None) -> Days:
    """Give the days from `date_from` to `date_to`, None meaning an open end."""
    return Days(
        BEGINNING if date_from is None else date_from.toordinal(),
        END if date_to is None else date_to.toordinal(),
    )


def subtract(whole: Days, covered: Iterable[Days]) -> list[Days]:
    """Give what of `whole` no range of `covered` holds: disjoint ranges in ascending order."""
    gaps = []
    first = whole.first
    for taken in sorted(covered):
        if taken.first > whole.last:
            break
        if taken.first > first:
            gaps.append(Days(first, taken.first - 1))
        first = max(first, taken.last + 1)
    if first <= whole.last:
        gaps.append(Days(first, whole.last))
    return gaps
