"""So many nights go round the whole archive, the studies without a date included, and nothing is asked for twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from crawler.model import UNDATED, Coverage, Level, Window, WindowState
from crawler.plan.settled import Settled
from crawler.plan.stalest import stalest, undated_is_stale

FIRST, NOW = date(2024, 1, 1), datetime(2024, 6, 1, tzinfo=UTC)


def answered(window: Window, at: datetime, state: WindowState = WindowState.COMPLETE) -> Coverage:
    return Coverage("main", Level.STUDY, window, state, rows=1, sweep_id="s", asked_at=at, took_ms=1)


def archive(windows: int, state: WindowState = WindowState.COMPLETE) -> list[Coverage]:
    """One sweep of everything: so many windows of two days, and the undated studies last."""
    days = [FIRST + timedelta(days=2 * number) for number in range(windows)]
    rows = [answered(Window(day, day + timedelta(days=1)), NOW + timedelta(minutes=day.toordinal())) for day in days]
    return [*rows, answered(UNDATED, NOW + timedelta(days=900), state)]


def night(rows: Sequence[Coverage], nights: int, at: datetime) -> list[Coverage]:
    """Answer what is due tonight, in windows of the same length as before."""
    settled = Settled.of(rows, at)
    due = [first for days in stalest(settled, nights) for first in range(days.first, days.last + 1, 2)]
    windows = [Window(date.fromordinal(first), date.fromordinal(first + 1)) for first in due]
    return [answered(one, at) for one in (*windows, *([UNDATED] if undated_is_stale(rows, settled, nights) else []))]


@pytest.mark.parametrize("windows", [0, 1, 7, 40, 59])
@pytest.mark.parametrize("nights", [1, 3, 30])
def test_a_round_asks_for_every_window_and_for_the_undated_studies(windows: int, nights: int) -> None:
    rows, again = archive(windows), list[Coverage]()
    for number in range(nights):
        again += night([*rows, *again], nights, NOW + timedelta(days=1000 + number))
    times = Counter(row.window for row in again)
    assert times.keys() == {row.window for row in rows}
    if windows >= nights:
        assert times[UNDATED] == 1


def test_undated_studies_that_could_never_be_proven_are_left_alone() -> None:
    rows = archive(3, WindowState.CAPPED)
    assert not undated_is_stale(rows, Settled.of(rows, NOW + timedelta(days=1000)), 1)
    proven_once = [replace(rows[-1], state=WindowState.COMPLETE, asked_at=NOW), *rows]
    assert undated_is_stale(proven_once, Settled.of(rows, NOW + timedelta(days=1000)), 1)
