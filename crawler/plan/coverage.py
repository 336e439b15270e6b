"""Which ledger rows still count when a sweep goes on where another process left it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from crawler.model import Coverage, Level, Window, WindowState
from crawler.plan.doubts import SMALLEST_CAP, UNTIMED, untimed
from crawler.plan.spans import DAY, Span, span_of, subtract

FRESH = timedelta(hours=24)
KEEPS = timedelta(days=30)
SETTLING = timedelta(days=7)
"""Studies of the last days still grow and arrive late, so that answers about them go stale first."""


def covered(rows: Iterable[Coverage], levels: Sequence[Level], now: datetime) -> list[Window]:
    """Give the windows that are complete at every level and not yet stale.

    An answer holds for 24 hours; one about days that lay a week back when it was asked for holds for 30 days. A day of
    which only some hours are complete is asked for as a whole again, which tells of studies without a time too. So are
    the windows with the most rows, for those that go on to test: nothing else tells that they were not capped.
    """
    rows = list(rows)
    complete: defaultdict[Window, set[Level]] = defaultdict(set)
    for row in rows:
        if row.state is WindowState.COMPLETE and _holds(row, now):
            complete[row.window].add(row.level)
    found = [window for window, proven in complete.items() if proven.issuperset(levels)]
    counts = {row.window: row.rows for row in rows if row.level is levels[0] and row.window.key is None}
    most = max([SMALLEST_CAP, *(counts.get(window, 0) for window in found)])
    found = [window for window in found if counts.get(window, 0) < most]
    partial = {day for day, hours in _by_hours(found).items() if subtract(_span(day), hours)}
    return [window for window in found if _hours_of(window) not in partial]


def days_by_hours(done: Iterable[Window], rows: Iterable[Coverage]) -> frozenset[int]:
    """Give the days that only their hours cover, as ordinals, less those that a row says to lack no untimed study."""
    known = {row.window for row in rows if row.window.key == UNTIMED}
    windows = list(done)
    whole = [span_of(one) for one in windows if one.key is None and not one.time_from]
    days = {day for day in _by_hours(windows) if subtract(_span(day), whole)}
    return frozenset(day for day in days if untimed(day) not in known)


def _by_hours(windows: Iterable[Window]) -> dict[int, list[Span]]:
    found: defaultdict[int, list[Span]] = defaultdict(list)
    for window in windows:
        if (day := _hours_of(window)) is not None:
            found[day].append(span_of(window))
    return found


def _hours_of(window: Window) -> int | None:
    """Give the day of which a window is a part; None of other windows."""
    has_hours = window.time_from is not None and window.key is None and window.date_from is not None
    return span_of(window).first // DAY if has_hours else None


def _span(day: int) -> Span:
    return Span(day * DAY, day * DAY + DAY - 1)


def _holds(row: Coverage, now: datetime) -> bool:
    age = now - row.asked_at
    if age <= FRESH:
        return True
    if row.window.undated:
        return False
    last_day = row.window.date_to
    settled = last_day is not None and last_day < (row.asked_at - SETTLING).date()
    return settled and age <= KEEPS
