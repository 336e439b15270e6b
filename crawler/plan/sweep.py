"""The sweep machine: hands out the windows that are due and decides what each answer means.

Events in (`answered`), windows and verdicts out. It is the one owner of retrying, splitting and giving up: whoever
drives it only asks the PACS and reports. It owns no clock, no socket and no table. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from crawler.model import UNDATED, Outcome, Window, WindowState
from crawler.plan.days import BEGINNING, END, Days, days_of, subtract

DAWN = date(1970, 1, 1).toordinal()
"""No image archive holds much before this day: all that is older is asked for at once."""

RETRY_AFTER = (1.0, 5.0, 20.0)
"""Seconds to wait before each new try of a window whose answer was cut off."""

GIVE_UP_AFTER = 5
"""So many windows in a row without a full answer, none splittable, and the PACS is left alone."""

GROWTH = 4
"""A window is at most so many times as long as the one whose answer it is sized by."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for a window: how its query ended, after how many rows, and how many of them do not belong."""

    outcome: Outcome
    rows: int = 0
    outside: int = 0


@dataclass(frozen=True, slots=True)
class Accept:
    """The window is settled: this is its state for the ledger."""

    state: WindowState
    reason: str | None = None


COMPLETE = Accept(WindowState.COMPLETE)


@dataclass(frozen=True, slots=True)
class Split:
    """The window is dropped in favour of its parts, which `next` will hand out."""

    parts: tuple[Window, ...]


@dataclass(frozen=True, slots=True)
class Retry:
    """Ask for the same window again after so many seconds."""

    after: float


Verdict = Accept | Split | Retry


@dataclass
class SweepMachine:
    """Plan the days from `date_from` to `date_to` (None: an open end), newest first, less those `covered`.

    Windows adapt their length so that an answer has about `target_rows` rows. Without either day everything is asked
    for, and last of all the studies without a date. Their query matches every study, so that an answer with fewer rows
    than all days together were answered with (`rows_found`, those of `covered` to begin with) proves itself capped.
    """

    date_from: date | None
    date_to: date | None
    today: date
    covered: Iterable[Window] = ()
    target_rows: int = 5000
    rows_found: int = 0
    cap: int | None = None
    """An answer with so many rows is not believed but split; what cannot be split is `capped`."""
    abandoned: str | None = None
    """Why no further window is handed out though some are due, None while all is well."""
    _gaps: list[Days] = field(init=False)
    _undated: bool = field(init=False)
    _parts: list[Window] = field(default_factory=list)
    _tries: Counter[Window] = field(default_factory=Counter)
    _outstanding: set[Window] = field(default_factory=set)
    _length: int = 1
    _failures: int = 0

    def __post_init__(self) -> None:
        covered = list(self.covered)
        dated = [days_of(one.date_from, one.date_to) for one in covered if not one.undated]
        self._gaps = subtract(days_of(self.date_from, self.date_to), dated)
        self._undated = self.date_from is None and self.date_to is None and UNDATED not in covered

    @property
    def finished(self) -> bool:
        """Whether nothing is due and nothing is being asked."""
        return self.exhausted or (self.abandoned is not None and not self._outstanding)

    @property
    def exhausted(self) -> bool:
        """Whether every window that was due has been asked for and settled."""
        return not (self._outstanding or self._parts or self._gaps or self._undated)

    @property
    def days_due(self) -> int:
        """How many days since `DAWN`, or since `date_from`, are still to be handed out."""
        today = self.today.toordinal()
        return sum(max(0, min(gap.last, today) - max(gap.first, DAWN) + 1) for gap in self._gaps)

    def next(self) -> Window | None:
        """Hand out a window, or None when there is none now: `finished`, or wait for what is being asked."""
        if self.abandoned is not None:
            return None
        window = self._parts.pop() if self._parts else self._newest() or self._last()
        if window is not None:
            self._outstanding.add(window)
        return window

    def answered(self, window: Window, answer: Answer) -> Verdict:
        """Decide what the answer to a window means. Every verdict but Retry ends its being asked."""
        if answer.outcome in (Outcome.INTERRUPTED, Outcome.CANCELLED):
            return self._cut_off(window)
        self._outstanding.discard(window)
        match answer.outcome:
            case Outcome.SUCCESS:
                self._failures = 0
                if self.cap is not None and answer.rows >= self.cap and not window.undated:
                    return self._split(window, Accept(WindowState.CAPPED, f"{answer.rows} rows, a cap of this PACS"))
                return self._complete(window, answer)
            case Outcome.TOO_MANY | Outcome.FAILED:
                return self._split(window, Accept(WindowState.REFUSED, answer.outcome.value))
            case _:
                self.abandoned = "the PACS refuses the query"
                return Accept(WindowState.REFUSED, answer.outcome.value)

    def abandon(self, reason: str) -> None:
        """Hand out nothing more: the PACS turned us away outside any answer."""
        self.abandoned = self.abandoned or reason
        self._outstanding.clear()

    def _newest(self) -> Window | None:
        if not self._gaps:
            return None
        gap = self._gaps.pop()
        taken = self._take(gap)
        if taken.first > gap.first:
            self._gaps.append(Days(gap.first, taken.first - 1))
        return taken.window

    def _take(self, gap: Days) -> Days:
        """Cut a window off the newest end of a gap; what lies ahead and what is very old are windows of their own."""
        today = self.today.toordinal()
        if gap.last > today:
            return Days(max(gap.first, today + 1), gap.last)
        if gap.last < DAWN:
            return gap
        return Days(max(gap.first, gap.last - self._length + 1, DAWN), gap.last)

    def _last(self) -> Window | None:
        """Hand out the studies without a date, once all days are settled."""
        if not self._undated or self._outstanding:
            return None
        self._undated = False
        return UNDATED

    def _complete(self, window: Window, answer: Answer) -> Accept:
        if answer.outside:
            return filter_ignored(answer.outside)
        if not window.undated:
            self.rows_found += answer.rows
            self._adapt(window, answer.rows)
        elif answer.rows < self.rows_found:
            return Accept(WindowState.CAPPED, f"{answer.rows} rows for all studies, {self.rows_found} for their days")
        return COMPLETE

    def _adapt(self, window: Window, rows: int) -> None:
        days = days_of(window.date_from, window.date_to)
        if days.first < DAWN or days.last > self.today.toordinal():
            return
        fitting = days.length * self.target_rows // max(rows, 1)
        self._length = max(1, min(fitting, days.length * GROWTH))

    def _cut_off(self, window: Window) -> Verdict:
        tried = self._tries[window]
        if tried < len(RETRY_AFTER) and self.abandoned is None:
            self._tries[window] += 1
            return Retry(RETRY_AFTER[tried])
        self._outstanding.discard(window)
        self._count_failure("the association is lost again and again")
        return Accept(WindowState.INTERRUPTED, "no final response")

    def _split(self, window: Window, smallest: Accept) -> Verdict:
        """Ask for the halves of a window; `smallest` is the verdict on one that has none."""
        parts = halves(window, self.today)
        if parts:
            self._length = 1
            self._parts.extend(parts)
            return Split(parts)
        if smallest.state is WindowState.REFUSED:
            self._count_failure("the PACS refuses even the smallest windows")
        return smallest

    def _count_failure(self, reason: str) -> None:
        self._failures += 1
        if self._failures >= GIVE_UP_AFTER:
            self.abandoned = reason


def filter_ignored(outside: int) -> Accept:
    """Give the verdict on an answer with rows that nobody asked for: the PACS may have left out others just as well."""
    return Accept(WindowState.FILTER_IGNORED, f"{outside} rows do not answer the question")


def halves(window: Window, today: date) -> tuple[Window, ...]:
    """Split a window into two by days, the newer one last; nothing when it is a day or an end of time."""
    days = days_of(window.date_from, window.date_to)
    if days.length == 1 or window.undated:
        return ()
    soon = (today + timedelta(days=366)).toordinal()
    old = date(1900, 1, 1).toordinal()
    if days.first == BEGINNING:
        middle = old - 1
    elif days.last == END:
        middle = soon
    else:
        middle = (days.first + days.last) // 2
    if not days.first <= middle < days.last:
        return ()
    return (Days(days.first, middle).window, Days(middle + 1, days.last).window)
