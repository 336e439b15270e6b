"""Day ranges: what is left after taking away what is covered."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from crawler.plan.days import BEGINNING, END, Days, days_of, subtract

ranges = st.tuples(st.integers(1, 60), st.integers(1, 60)).map(lambda ends: Days(min(ends), max(ends)))


def members(days: list[Days]) -> list[int]:
    return [day for part in days for day in range(part.first, part.last + 1)]


@given(ranges, st.lists(ranges, max_size=8))
def test_what_is_left_is_exactly_what_nobody_covered(whole: Days, covered: list[Days]) -> None:
    left = subtract(whole, covered)
    assert members(left) == sorted(set(members([whole])) - set(members(covered)))


@given(ranges, st.lists(ranges, max_size=8))
def test_parts_left_do_not_touch(whole: Days, covered: list[Days]) -> None:
    left = subtract(whole, covered)
    assert all(one.last + 1 < other.first for one, other in pairwise(left))


def test_open_ends_survive_the_way_to_a_window_and_back() -> None:
    for ends in [(None, None), (date(2024, 1, 1), None), (None, date(2024, 1, 1))]:
        window = days_of(*ends).window
        assert (window.date_from, window.date_to) == ends


def test_open_ends_are_the_ends_of_the_calendar() -> None:
    assert days_of(None, None) == Days(BEGINNING, END)
