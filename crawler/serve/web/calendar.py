"""What is proven of each day, as rows of a calendar. Pure."""

from __future__ import annotations

import calendar
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from crawler.model import STATE_MARKS
from crawler.serve.reports import PacsCoverage, Range

NEVER = "never_asked"
MARKS = {state.value if state else NEVER: mark for state, mark in STATE_MARKS.items()}
SAID = {
    "complete": "nothing is missing",
    "capped": "the PACS truncated its answer",
    "filter_ignored": "the PACS ignored the question's days",
    "suspicious_zero": "no study where some are expected",
    "refused": "the PACS would not answer",
    "interrupted": "the answer broke off",
    NEVER: "nobody asked, or not since",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One day."""

    day: date
    state: str
    mark: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Year:
    """How many of a year's days that are in question are in which state."""

    year: int
    days: dict[str, int]

    @property
    def is_proven(self) -> bool:
        """Whether all are."""
        return set(self.days) <= {"complete"}


def years(known: PacsCoverage, today: date) -> list[Year]:
    """Sum each year up, newest first."""
    sums: dict[int, Counter[str]] = {}
    for one in known.ranges:
        first, last = _ends(one, known, today)
        for year in range(first.year, last.year + 1):
            begin, end = max(first, date(year, 1, 1)), min(last, date(year, 12, 31))
            sums.setdefault(year, Counter())[one.state] += (end - begin).days + 1
    return [Year(year, dict(sums[year])) for year in sorted(sums, reverse=True)]


def months(known: PacsCoverage, year: int, today: date) -> Iterator[tuple[str, list[Cell | None]]]:
    """Give each month of a year with 31 cells, None for days that are not in question or do not exist."""
    cells: dict[date, Cell] = {}
    for one in known.ranges:
        first, last = _ends(one, known, today)
        begin, end = max(first, date(year, 1, 1)), min(last, date(year, 12, 31))
        for number in range(begin.toordinal(), end.toordinal() + 1):
            day = date.fromordinal(number)
            cells[day] = Cell(day, one.state, MARKS[one.state], one.reason)
    for month in range(1, 13):
        length = calendar.monthrange(year, month)[1]
        days = [cells.get(date(year, month, day)) if day <= length else None for day in range(1, 32)]
        if any(days):
            yield calendar.month_abbr[month], days


def _ends(one: Range, known: PacsCoverage, today: date) -> tuple[date, date]:
    """Give a range's ends; an open one is drawn from the first day that tells something, up to today."""
    ends = [(known.telling_from, known.telling_to), *((each.date_from, each.date_to) for each in known.ranges)]
    dated = [today, *(day for pair in ends for day in pair if day is not None)]
    return one.date_from or min(dated), one.date_to or max(dated)
