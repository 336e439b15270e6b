"""Spans of time: what is left after taking away what is covered, and the way to a window and back."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from crawler.model import Window
from crawler.plan.spans import BEGINNING, DAY, END, Span, days_of, span_of, subtract

BASE = date(2024, 2, 27).toordinal() * DAY
MARKS = sorted({day * DAY + second for day in range(5) for second in (0, 1, 43_200, DAY - 1)})


def spans_between(marks: list[int]) -> st.SearchStrategy[Span]:
    ends = st.tuples(st.sampled_from(marks), st.sampled_from(marks))
    return ends.map(lambda pair: Span(BASE + min(pair), BASE + max(pair)))


spans = spans_between(MARKS)


def members(parts: list[Span]) -> set[int]:
    return {mark for mark in MARKS if any(part.first <= BASE + mark <= part.last for part in parts)}


@given(spans, st.lists(spans, max_size=6))
def test_what_is_left_is_exactly_what_nobody_took(whole: Span, taken: list[Span]) -> None:
    left = subtract(whole, taken)
    assert members(left) == members([whole]) - members(taken)
    assert sum(part.length for part in left) == length_of(whole, taken)


def length_of(whole: Span, taken: list[Span]) -> int:
    """Count second by second what is left, by intervals between all ends."""
    cuts = sorted({whole.first, whole.last + 1, *(one.first for one in taken), *(one.last + 1 for one in taken)})
    return sum(
        after - before
        for before, after in pairwise(cuts)
        if whole.first <= before <= whole.last and not any(one.first <= before <= one.last for one in taken)
    )


@given(spans, st.lists(spans, max_size=6))
def test_each_part_is_whole_days_or_lies_inside_a_day(whole: Span, taken: list[Span]) -> None:
    for part in subtract(whole, taken):
        assert part.is_whole_days or part.days == 1
        assert span_of(part.window) == part


def test_open_ends_survive_the_way_to_a_window_and_back() -> None:
    for ends in [(None, None), (date(2024, 1, 1), None), (None, date(2024, 1, 1))]:
        assert span_of(days_of(*ends).window) == days_of(*ends)
        assert days_of(*ends).window == Window(*ends)


def test_open_ends_are_the_ends_of_the_calendar() -> None:
    assert days_of(None, None) == Span(BEGINNING, END)
