"""The calendar that a person sees."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.model import Level, WindowState
from crawler.plan.calendar import Run, Verdict
from crawler.plan.days import Days
from jobs.months import MARKS, draw, legend

FIRST = date(2016, 2, 27)
states = st.sampled_from(list(MARKS))


def runs_from(first: date, parts: Sequence[tuple[int, WindowState | None]]) -> list[Run]:
    runs, day = [], first.toordinal()
    for length, state in parts:
        runs.append(Run(Days(day, day + length - 1), Verdict(state, Level.STUDY)))
        day += length
    return runs


def lines(runs: list[Run], width: int = 80) -> list[str]:
    days = Days(runs[0].days.first, runs[-1].days.last)
    return [click.unstyle(line) for line in draw(runs, days, width)]


@given(st.lists(st.tuples(st.integers(1, 500), states), min_size=1, max_size=8), st.integers(37, 120))
def test_no_line_is_wider_than_the_terminal_and_none_ends_in_blanks(
    parts: list[tuple[int, WindowState | None]], width: int
) -> None:
    drawn = lines(runs_from(FIRST, parts), width)
    assert all(len(line) <= max(width, 60) and line == line.rstrip() for line in drawn)


@given(st.lists(st.tuples(st.integers(1, 60), states), min_size=1, max_size=8))
def test_every_day_of_a_short_time_has_its_mark(parts: list[tuple[int, WindowState | None]]) -> None:
    drawn = "".join(line[9:40].replace(" ", "") for line in lines(runs_from(FIRST, parts))[1:])
    assert drawn == "".join(MARKS[state][0] * length for length, state in parts)


def test_a_day_stands_under_its_number() -> None:
    ruler, february, march = lines(runs_from(FIRST, [(3, WindowState.COMPLETE), (30, None), (1, WindowState.CAPPED)]))
    assert february[ruler.index("30") - 1] == "█"
    assert march[ruler.index("30") + 1] == "C"
    assert march[ruler.index("1")] == "·"


def test_a_long_time_is_drawn_by_years_and_the_days_only_of_what_is_not_complete() -> None:
    parts = [(3000, WindowState.COMPLETE), (1, WindowState.REFUSED), (300, WindowState.COMPLETE)]
    drawn = lines(runs_from(date(2010, 1, 1), parts))
    assert drawn == [
        "             J F M A M J J A S O N D",
        "2010 - 2017  █ █ █ █ █ █ █ █ █ █ █ █",
        "2018         █ █ R █ █ █ █ █ █ █ █ █  364 of 365",
        "2019         █",
        "",
        "         1   5    10   15   20   25   30",
        "2018-03  ███████████████████R███████████  30 of 31",
    ]


def test_thousands_of_years_of_which_one_thing_is_known_are_one_line() -> None:
    parts = [(366, WindowState.COMPLETE), ((date(9999, 12, 31) - date(2024, 12, 31)).days, None)]
    drawn = lines(runs_from(date(2024, 1, 1), parts))
    assert drawn == [
        "             J F M A M J J A S O N D",
        "2024         █ █ █ █ █ █ █ █ █ █ █ █",
        "2025 - 9999  · · · · · · · · · · · ·  none",
    ]


@pytest.mark.parametrize("state", MARKS)
def test_marks_differ_without_colour(state: WindowState | None) -> None:
    sign = MARKS[state][0]
    assert [one for one, (other, _) in MARKS.items() if other == sign] == [state]
    assert click.unstyle(legend([state, state])).startswith(f"{sign} ")
