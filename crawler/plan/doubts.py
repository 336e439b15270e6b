"""What remains in doubt about windows that were settled, until the end of a sweep. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from crawler.model import Window, WindowState
from crawler.plan.answers import COMPLETE, Accept, Answer
from crawler.plan.spans import DAY, Span

UNTIMED = "StudyTime="
"""The key of a day's studies without StudyTime, which no range of times is sure to find and no key asks for alone."""

ROUND = 100
"""Caps are round more often than archives are: 100, 200, 500, 1000."""

SMALLEST_CAP = 10
"""Fewer rows than this are no cap where they cannot be tested."""

EVIDENCE = 300
"""After so many studies of which none lacks StudyTime, there is no reason to suspect that a day has such studies."""


@dataclass
class Doubts:
    """Days asked for by their hours, and answers that were the largest yet and could not be tested."""

    untimed: int = 0
    """Studies without a time, in answers about whole days."""
    whole_days: int = 0
    """Studies in answers about whole days, nothing missing."""
    always_timed: bool = False
    """Whether earlier sweeps found a time in every study."""
    cut_days: set[int] = field(default_factory=set)
    untested: dict[Window, int] = field(default_factory=dict)
    """Windows without parts, and how many dated rows their answers had."""
    with_undated: dict[int, int] = field(default_factory=dict)
    """Days whose answers, of so many rows, had studies without a date among them and were tested by their hours."""
    _whole_by_rows: dict[int, set[int]] = field(default_factory=dict)
    _before: dict[Window, int] = field(default_factory=dict)
    """Windows that an earlier process settled, and how many rows their answers had: fewer than any cap known then."""
    _by_hours: frozenset[int] = frozenset()
    """Days that it asked for by their hours."""

    def go_on(self, by_hours: frozenset[int], rows: Mapping[Window, int]) -> None:
        """Go on where an earlier process covered windows, with so many rows, and some days by their hours."""
        self.cut_days |= by_hours
        self._by_hours = by_hours
        self._before = {window: count for window, count in rows.items() if count >= SMALLEST_CAP}

    @property
    def suspects_untimed(self) -> bool:
        """Whether days that were asked for by their hours may well lack studies without StudyTime."""
        return self.untimed > 0 or not (self.always_timed or self.whole_days >= EVIDENCE)

    @property
    def are_timed(self) -> bool | None:
        """Whether every study seen had a time; None where too few were seen to tell."""
        if self.untimed:
            return False
        return True if self.whole_days >= EVIDENCE else None

    def doubts(self, window: Window) -> bool:
        """Whether a window's answer may be capped, and its rows are not only a few."""
        return self.untested.get(window, 0) >= SMALLEST_CAP

    def note_undated(self, span: Span, answer: Answer) -> None:
        """Note a day that studies without a date may fill: its hours do not tell of those without a time."""
        if answer.sight.undated and span.length == DAY:
            self.with_undated[span.first // DAY] = answer.rows

    def answered_whole(self, span: Span, rows: int) -> list[Window]:
        """Note that days which were cut had been answered whole after all: unless so many rows are a cap; give them."""
        if not span.is_whole_days:
            return []
        days = set(range(span.first // DAY, span.last // DAY + 1)) & self.cut_days
        self.cut_days -= days
        self._whole_by_rows.setdefault(rows, set()).update(days)
        return [untimed(day) for day in sorted(days)]

    def days(self, largest: int, cap: int | None) -> set[int]:
        """Give the days whose studies without a time may be missing, by what is known of the cap now."""
        if not self.suspects_untimed:
            return set()
        suspects = {cap, *(rows for rows in self.untested.values() if rows >= max(largest, SMALLEST_CAP))}
        if largest % ROUND == 0:
            suspects.add(largest)
        doubtful = (days for rows, days in self._whole_by_rows.items() if rows and rows in suspects)
        filled = (day for day, rows in self.with_undated.items() if rows == cap or rows >= largest)
        return self.cut_days.union(*doubtful, filled)

    def left(self, largest: int, cap: int | None) -> list[tuple[Window, Accept]]:
        """Give what is not proven, by what is known of the cap now, each window once."""
        notes = [
            (window, Accept(WindowState.CAPPED, f"{rows} rows, as many as any answer had"))
            for window, rows in (self._before | self.untested).items()
            if rows == cap or (window in self.untested and rows >= max(largest, SMALLEST_CAP))
        ]
        seen = "some have none" if self.untimed else f"{self.whole_days} studies are too few to tell that all have one"
        verdict = Accept(WindowState.CAPPED, f"studies without a time may be missing: {seen}")
        return notes + [(untimed(day), verdict) for day in sorted(self.days(largest, cap))]

    def take(self, largest: int, cap: int | None) -> list[tuple[Window, Accept]]:
        """Say at the end what is not proven, and forget it."""
        notes = self.left(largest, cap)
        if not self.suspects_untimed:  # which an earlier process may have done
            notes += [(untimed(day), COMPLETE) for day in sorted(self._by_hours)]
        self._before, self._by_hours = {}, frozenset()
        self.cut_days, self.untested, self.with_undated, self._whole_by_rows = set(), {}, {}, {}
        return notes


def untimed(day: int) -> Window:
    """Give the window of a day's studies without a time."""
    return replace(Span(day * DAY, day * DAY + DAY - 1).window, key=UNTIMED)
