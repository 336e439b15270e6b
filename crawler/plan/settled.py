"""Since when all that lies below a study is known, as far as the ledger says. Pure.

A complete answer below STUDY level says of each study of its window that it was asked below then, or that it had not
changed since it last was. So a study whose newest version is older than that need not be asked below again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time

from crawler.model import UNDATED, Coverage, Level, WindowState
from crawler.plan.spans import DAY, Span, span_of, subtract


@dataclass(frozen=True, slots=True)
class Settled:
    """Spans of the axis that are known below STUDY level, disjoint and ascending, each with the moment since when."""

    since: Sequence[tuple[Span, datetime]] = ()
    undated_since: datetime | None = None
    _starts: list[int] = field(default_factory=list)

    @staticmethod
    def of(rows: Iterable[Coverage], now: datetime) -> Settled:
        """Read it from one PACS's ledger rows of one level. The newest row about a second counts.

        Rows of the future tell of a clock that was wrong, and nothing else.
        """
        newest = sorted((row for row in rows if row.asked_at <= now), key=lambda row: row.asked_at, reverse=True)
        undated = next((row for row in newest if row.window.undated), None)
        taken: list[Span] = []
        found: list[tuple[Span, datetime]] = []
        for row in newest:
            is_complete = row.state is WindowState.COMPLETE
            if row.window.undated or (is_complete and row.window.key is not None):
                continue
            span = span_of(row.window)
            free = subtract(span, taken)
            if free:
                taken = _joined([*taken, span])
            if is_complete:
                found += [(one, row.asked_at) for one in free]
        found.sort()
        proven = undated is not None and undated.window == UNDATED and undated.state is WindowState.COMPLETE
        since = undated.asked_at if undated and proven else None
        return Settled(found, since, [span.first for span, _ in found])

    def at(self, day: date | None, clock: time | None) -> datetime | None:
        """Say since when what lies below a study of this StudyDate and StudyTime is known; None where it is not."""
        if day is None:
            return self.undated_since
        first = day.toordinal() * DAY
        moment = Span(first, first + DAY - 1)
        if clock is not None:
            second = first + clock.hour * 3600 + clock.minute * 60 + clock.second
            moment = Span(second, second)
        place = bisect_right(self._starts, moment.first) - 1
        if place < 0 or not self.since[place][0].holds(moment):
            return None
        return self.since[place][1]


def deepest(known: Iterable[Settled], day: date | None, clock: time | None) -> datetime | None:
    """Say since when a study is known at all of these levels."""
    moments = [one.at(day, clock) for one in known]
    found = [moment for moment in moments if moment is not None]
    return min(found) if found and len(found) == len(moments) else None


def by_level(rows: Iterable[Coverage], levels: Sequence[Level], now: datetime) -> dict[Level, Settled]:
    """Read the ledger rows of several levels."""
    everything = list(rows)
    return {level: Settled.of((row for row in everything if row.level is level), now) for level in levels}


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Join spans that meet or overlap."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.first <= joined[-1].last + 1:
            joined[-1] = Span(joined[-1].first, max(joined[-1].last, span.last))
        else:
            joined.append(span)
    return joined
