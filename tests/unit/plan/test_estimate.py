"""What further days will cost, going by what others did."""

from __future__ import annotations

from datetime import UTC, date, datetime

from crawler.model import UNDATED, Coverage, Level, Window, WindowState
from crawler.plan.days import days_of
from crawler.plan.estimate import Cost, cost_of, cost_of_a_day

LEVELS = (Level.STUDY, Level.SERIES)
WEEK = Window(date(2024, 1, 1), date(2024, 1, 7))
EMPTY = Window(date(1970, 1, 1), date(2023, 12, 31))


def row(window: Window, level: Level, rows: int, took_ms: int, queries: int) -> Coverage:
    asked_at = datetime(2024, 6, 1, tzinfo=UTC)
    return Coverage("main", level, window, WindowState.COMPLETE, rows, "s", asked_at, took_ms, queries=queries)


def test_a_day_costs_what_days_with_studies_did() -> None:
    rows = [
        row(WEEK, Level.STUDY, 70, 14_000, 1),
        row(WEEK, Level.SERIES, 420, 13_000, 69),
        row(WEEK, Level.IMAGE, 9_000, 60_000, 420),
        row(EMPTY, Level.STUDY, 0, 5, 1),
        row(UNDATED, Level.STUDY, 3, 9_000, 1),
        row(Window(None, date(1969, 12, 31)), Level.STUDY, 2, 9_000, 1),
    ]
    assert cost_of_a_day(rows, LEVELS) == Cost(queries=10, studies=10, seconds=2)
    assert cost_of_a_day(rows[3:], LEVELS) is None


def test_a_range_costs_as_much_as_its_days_and_one_query_at_least() -> None:
    a_day = Cost(queries=0.25, studies=10, seconds=2)
    assert cost_of(days_of(date(2024, 1, 1), date(2024, 1, 8)), a_day) == Cost(2, 80, 16)
    assert cost_of(days_of(date(2024, 1, 1), date(2024, 1, 1)), a_day) == Cost(1, 10, 2)
    assert cost_of(days_of(None, date(2024, 1, 1)), a_day) == Cost(1, 10, 2)
