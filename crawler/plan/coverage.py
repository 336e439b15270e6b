"""Which ledger rows still count when a sweep goes on where another process left it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from crawler.model import Coverage, Level, Window, WindowState

FRESH = timedelta(hours=24)
KEEPS = timedelta(days=30)
SETTLING = timedelta(days=7)
"""Studies of the last days still grow and arrive late, so that answers about them go stale first."""


def covered(rows: Iterable[Coverage], levels: Sequence[Level], now: datetime) -> list[Window]:
    """Give the windows that are complete at every level and not yet stale.

    An answer holds for 24 hours; one about days that lay a week back when it was asked for holds for 30 days.
    """
    complete: defaultdict[Window, set[Level]] = defaultdict(set)
    for row in rows:
        if row.state is WindowState.COMPLETE and _holds(row, now):
            complete[row.window].add(row.level)
    return [window for window, proven in complete.items() if proven.issuperset(levels)]


def _holds(row: Coverage, now: datetime) -> bool:
    age = now - row.asked_at
    if age <= FRESH:
        return True
    if row.window.undated:
        return False
    last_day = row.window.date_to
    settled = last_day is not None and last_day < (row.asked_at - SETTLING).date()
    return settled and age <= KEEPS
