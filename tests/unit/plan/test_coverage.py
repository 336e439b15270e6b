"""What a sweep that goes on need not ask again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from crawler.model import Coverage, Level, Window, WindowState
from crawler.plan.coverage import covered

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
OLD = Window(date(2020, 1, 1), date(2020, 1, 31))
RECENT = Window(date(2024, 5, 1), date(2024, 5, 30))


def row(
    window: Window, level: Level, state: WindowState = WindowState.COMPLETE, age: timedelta = timedelta()
) -> Coverage:
    return Coverage("main", level, window, state, rows=1, sweep_id="s", asked_at=NOW - age, took_ms=1)


def test_a_window_counts_when_every_level_is_complete() -> None:
    rows = [row(OLD, Level.STUDY), row(OLD, Level.SERIES), row(RECENT, Level.STUDY)]
    assert covered(rows, [Level.STUDY, Level.SERIES], NOW) == [OLD]


def test_no_other_state_counts() -> None:
    for state in set(WindowState) - {WindowState.COMPLETE}:
        assert covered([row(OLD, Level.STUDY, state)], [Level.STUDY], NOW) == []


def test_recent_days_go_stale_after_a_day_and_old_ones_after_a_month() -> None:
    days = timedelta(days=3)
    rows = [row(OLD, Level.STUDY, age=days), row(RECENT, Level.STUDY, age=days)]
    assert covered(rows, [Level.STUDY], NOW) == [OLD]
    assert covered([row(OLD, Level.STUDY, age=timedelta(days=31))], [Level.STUDY], NOW) == []


def test_an_open_end_is_never_old() -> None:
    rows = [row(Window(date(2024, 6, 2), None), Level.STUDY, age=timedelta(days=2))]
    assert covered(rows, [Level.STUDY], NOW) == []
