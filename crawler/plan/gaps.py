"""What is still to be asked for, as spans of time, and how windows are cut from it: newest first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

from crawler.model import Window
from crawler.plan.spans import BEGINNING, DAY, END, Span, clock, subtract

DAWN = date(1970, 1, 1).toordinal() * DAY
"""No image archive holds much before this day: all that is older is asked for at once."""

OLD = date(1900, 1, 1).toordinal() * DAY
"""Where the open beginning is cut when it must be: DICOM is younger, and so are patients."""

SOON = 366 * DAY
"""Where the open end is cut when it must be, counted from today: appointments lie this far ahead."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A span to be asked for in windows of at most `limit` seconds; None leaves that to whoever asks."""

    span: Span
    limit: int | None = None


class Gaps:
    """The spans that are due. What lies ahead of today and what is very old are windows of their own."""

    def __init__(self, whole: Span, done: Iterable[Span], today: date) -> None:
        self.today_ends = today.toordinal() * DAY + DAY - 1
        self.limit = DAY
        """The limit of what was put back last."""
        self.longest = END
        """No window is longer than this."""
        self._gaps = [Gap(span) for span in subtract(whole, done)]

    def __bool__(self) -> bool:
        return bool(self._gaps)

    def is_ahead(self, span: Span) -> bool:
        """Whether a span lies behind today."""
        return span.first > self.today_ends

    def is_far_ahead(self, span: Span) -> bool:
        """Whether a span lies where only few appointments do."""
        return span.first > self.today_ends + SOON // 12

    @property
    def days(self) -> int:
        """How many days between 1970 and today are due."""
        past = (Span(max(gap.span.first, DAWN), min(gap.span.last, self.today_ends)) for gap in self._gaps)
        return sum(max(0, span.length) for span in past) // DAY

    def take(self, length: int) -> Span | None:
        """Cut a window of about `length` seconds off the newest end; None when nothing is due."""
        if not self._gaps:
            return None
        gap = self._gaps.pop()
        taken = self._cut(gap, min(length, gap.limit or length, self.longest))
        self._gaps.extend(Gap(rest, gap.limit) for rest in subtract(gap.span, [taken]))
        return taken

    def cut(self, span: Span, middle: int) -> None:
        """Have a span asked for again in two parts, the newer of which begins with the second `middle`."""
        self._gaps += [Gap(Span(span.first, middle - 1), span.length), Gap(Span(middle, span.last), span.length)]

    def sample(self, span: Span, most: int) -> bool:
        """Have a long span asked for again: days of it by themselves, spread evenly, and the days between them.

        No more than `most` by themselves; False where what lies between 1970 and today is no longer than that.
        """
        first, last = max(span.first, DAWN), min(span.last, self.today_ends)
        apart = -(-(last + 1 - first) // (most * DAY)) * DAY
        if apart <= DAY:
            return False
        days = [Span(day, day + DAY - 1) for day in range(last + 1 - DAY, first - 1, -apart)]
        self._gaps += [Gap(part) for part in sorted((*days, *subtract(span, days)))]
        return True

    def put_back(self, span: Span, parts: int, smallest: int) -> bool:
        """Have a span asked for in about so many parts, none under `smallest` seconds; False when it has none."""
        cuts = [cut for cut in (OLD, self.today_ends + 1 + SOON) if span.first < cut <= span.last]
        if span.first == BEGINNING or span.last == END:
            if not cuts:
                return False
            edges = [span.first, *cuts, span.last + 1]
            self._gaps.extend(Gap(Span(low, high - 1)) for low, high in pairwise(edges))
            self.limit = DAY
            return True
        limit = -(-span.length // parts)
        if span.length > DAY:
            limit = max(DAY, limit // DAY * DAY)
        if not smallest <= limit < span.length:
            return False
        self._gaps.append(Gap(span, limit))
        self.limit = limit
        return True

    def drop(self, span: Span) -> None:
        """Ask for nothing of this span any more."""
        kept = [(gap, rest) for gap in self._gaps for rest in subtract(gap.span, [span])]
        self._gaps = [replace(gap, span=rest) for gap, rest in kept]

    def _cut(self, gap: Gap, length: int) -> Span:
        span = gap.span
        if span.first <= self.today_ends < span.last:
            return Span(self.today_ends + 1, span.last)
        if gap.limit is None and (span.first > self.today_ends or span.last < DAWN):
            return span
        first = max(span.first, DAWN) if gap.limit is None else span.first
        if span.is_whole_days and length >= DAY:
            length = length // DAY * DAY
        return Span(max(first, span.last - length + 1), span.last)


def widened(span: Span, ends: Set[str]) -> Window:
    """Give the query for a span: a day or a second wider at each end that is not known to belong to its range.

    Some PACS leave the ends of a range out. A single day is asked for as such and needs no widening; the ends of a day
    are left open, which finds midnight, and on some PACS the studies without a time as well.
    """
    if not span.is_whole_days:
        first, last = span.first % DAY, span.last % DAY
        low = clock(first - 1) if first else None
        high = clock(last + 1) if last < DAY - 1 else None
        return replace(span.window, time_from=low, time_to=high)
    if span.days == 1:
        return span.window
    first = span.first if "low" in ends or span.first == BEGINNING else span.first - DAY
    last = span.last if "high" in ends or span.last == END else span.last + DAY
    return Span(first, last).window
