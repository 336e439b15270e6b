"""Days as cells of a calendar's year."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crawler.serve.reports import PacsCoverage, Range
from crawler.serve.web.calendar import MARKS, Year, months, years

TODAY = date(2026, 3, 5)
states = st.sampled_from(list(MARKS))


def known(*ranges: tuple[date | None, date | None, str], since: date | None = None) -> PacsCoverage:
    made = [
        Range(state=state, level=None, reason=None, date_from=first, date_to=last, days=None, command=None)
        for first, last, state in ranges
    ]
    nowhere = {"date_from": None, "date_to": None, "undated": None}
    shown = {"telling_from": since, "telling_to": since}
    return PacsCoverage.model_validate(
        {"pacs": "main", "proven": False, "levels": ["study"], "ranges": made, **nowhere, **shown}
    )


@given(st.lists(st.tuples(st.integers(1, 500), states), min_size=1, max_size=8))
def test_every_day_is_one_cell_and_is_counted_once(parts: list[tuple[int, str]]) -> None:
    day, ranges = date(2022, 12, 20), []
    truth: dict[date, str] = {}
    for length, state in parts:
        last = day + timedelta(days=length - 1)
        ranges.append((day, last, state))
        truth |= {day + timedelta(days=number): state for number in range(length)}
        day = last + timedelta(days=1)
    coverage = known(*ranges)
    sums = years(coverage, TODAY)
    cells = [cell for one in sums for _, days in months(coverage, one.year, TODAY) for cell in days if cell]
    assert {cell.day: cell.state for cell in cells} == truth
    assert len(cells) == len(truth) == sum(sum(one.days.values()) for one in sums)
    assert [one.year for one in sums] == sorted({day.year for day in truth}, reverse=True)


def test_open_ends_are_drawn_up_to_what_is_known() -> None:
    coverage = known((None, date(2026, 2, 28), "complete"), (date(2026, 3, 1), None, "capped"))
    assert years(coverage, TODAY) == [Year(2026, {"complete": 1, "capped": 5})]
    assert not years(coverage, TODAY)[0].is_proven


def test_what_is_complete_from_end_to_end_is_drawn_from_its_first_study() -> None:
    coverage = known((None, None, "complete"), since=date(2025, 12, 30))
    assert years(coverage, TODAY) == [Year(2026, {"complete": 64}), Year(2025, {"complete": 2})]


def test_a_cell_stands_under_its_day_of_the_month() -> None:
    [(name, days)] = months(known((date(2024, 2, 29), date(2024, 2, 29), "complete")), 2024, TODAY)
    assert name == "Feb"
    assert [number for number, cell in enumerate(days, start=1) if cell] == [29]
