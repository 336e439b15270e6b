"""Spans of wall-clock time to the second, with open ends: the axis along which an archive is cut into windows. Pure.

A second is counted as 86,400 times the day's proleptic ordinal plus the second of that day, so that days with a clock
change have 86,400 seconds like any other: StudyTime is what the clock on the wall showed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from crawler.model import Window

DAY = 86_400
BEGINNING = date.min.toordinal() * DAY
END = date.max.toordinal() * DAY + DAY - 1


class Span(NamedTuple):
    """Seconds from `first` to `last`, both included; `BEGINNING` and `END` stand for open ends."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """How many seconds it holds."""
        return self.last - self.first + 1

    @property
    def is_whole_days(self) -> bool:
        """Whether it begins and ends with a day."""
        return self.first % DAY == 0 and self.last % DAY == DAY - 1

    @property
    def days(self) -> int:
        """How many days it touches."""
        return self.last // DAY - self.first // DAY + 1

    @property
    def window(self) -> Window:
        """The window of these seconds. What is not whole days must lie inside one (PS3.4 C.2.2.2.5)."""
        date_from = None if self.first == BEGINNING else date.fromordinal(self.first // DAY)
        date_to = None if self.last == END else date.fromordinal(self.last // DAY)
        if self.is_whole_days:
            return Window(date_from, date_to)
        return Window(date_from, date_to, clock(self.first % DAY), clock(self.last % DAY))

    def holds(self, other: Span) -> bool:
        """Whether all of `other` lies in it."""
        return self.first <= other.first and other.last <= self.last


def clock(second: int) -> str:
    """Write a second of the day as TM does, 093000 say."""
    return f"{second // 3600:02}{second // 60 % 60:02}{second % 60:02}"


def second_of_day(text: str) -> int:
    """Read what `clock` wrote."""
    return int(text[:2]) * 3600 + int(text[2:4]) * 60 + int(text[4:6])


def days_of(date_from: date | None, date_to: date | None) -> Span:
    """Give the whole days from `date_from` to `date_to`, None meaning an open end."""
    return Span(
        BEGINNING if date_from is None else date_from.toordinal() * DAY,
        END if date_to is None else date_to.toordinal() * DAY + DAY - 1,
    )


def span_of(window: Window) -> Span:
    """Give the seconds that a window stands for, its further key left out of account."""
    days = days_of(window.date_from, window.date_to)
    return Span(
        days.first + (second_of_day(window.time_from) if window.time_from else 0),
        days.last if window.time_to is None else days.last - DAY + 1 + second_of_day(window.time_to),
    )


def subtract(whole: Span, taken: Iterable[Span]) -> list[Span]:
    """Give what of `whole` no span of `taken` holds: disjoint spans in ascending order."""
    left = []
    first = whole.first
    for one in sorted(taken):
        if one.first > whole.last:
            break
        if one.first > first:
            left.append(Span(first, one.first - 1))
        first = max(first, one.last + 1)
    if first <= whole.last:
        left.append(Span(first, whole.last))
    return [part for one in left for part in _at_midnights(one)]


def _at_midnights(span: Span) -> list[Span]:
    """Cut a span where parts of days meet whole ones, since a window is either."""
    first_whole = -(-span.first // DAY) * DAY
    last_whole = (span.last + 1) // DAY * DAY - 1
    if first_whole > last_whole:
        middle = first_whole
        parts = [Span(span.first, middle - 1), Span(middle, span.last)] if span.first < middle <= span.last else [span]
    else:
        parts = [Span(span.first, first_whole - 1), Span(first_whole, last_whole), Span(last_whole + 1, span.last)]
    return [part for part in parts if part.first <= part.last]
