"""What is known of each day, drawn as a calendar: a mark and a colour for each day, months or years as rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import groupby

import click

from crawler.model import STATE_MARKS, WindowState
from crawler.plan.calendar import Run
from crawler.plan.days import Days

State = WindowState | None

_COLORS: dict[State, str] = {
    WindowState.CAPPED: "magenta",
    WindowState.FILTER_IGNORED: "magenta",
    WindowState.SUSPICIOUS_ZERO: "cyan",
    WindowState.REFUSED: "red",
    WindowState.INTERRUPTED: "yellow",
    None: "bright_black",
    WindowState.COMPLETE: "green",
}

MARKS = {state: (sign, _COLORS[state]) for state, sign in STATE_MARKS.items()}
"""The mark and colour of each state, what should trouble a reader most in front."""

MOST_MONTHS = 36
"""A longer time is drawn with years as rows, and days only of the months that are not complete."""

NARROWEST = 39
"""Cells that a row of days needs."""

_MONTHS = "JFMAMJJASOND"
_RULER = "         1   5    10   15   20   25   30"


def draw(runs: Iterable[Run], days: Days, width: int) -> Iterator[str]:
    """Draw these days, which the runs leave no hole in, in lines of at most `width` cells."""
    known = {
        day: run.verdict.state
        for run in runs
        for day in range(max(run.days.first, days.first), min(run.days.last, days.last) + 1)
    }
    months = [list(members) for _, members in groupby(known, key=_month_of)]
    if len(months) > MOST_MONTHS or width < NARROWEST:
        yield from _years(months, known)
        months = [month for month in months if not _is_proven(month, known)]
        if not months or len(months) > MOST_MONTHS or width < NARROWEST:
            return
        yield ""
    yield _RULER
    for month in months:
        yield _month(month, known, width)


def legend(states: Iterable[State]) -> str:
    """Explain the marks of these states."""
    found = set(states)
    return "  ".join(f"{mark(state)} {name_of(state)}" for state in reversed(MARKS) if state in found)


def mark(state: State, times: int = 1) -> str:
    """Give the mark of a state in its colour, several times side by side."""
    sign, color = MARKS[state]
    return click.style(sign * times, fg=color)


def name_of(state: State) -> str:
    """Give a state's name for a person."""
    return "never asked" if state is None else state.value.replace("_", " ")


def _month_of(day: int) -> tuple[int, int]:
    there = date.fromordinal(day)
    return there.year, there.month


def _month(days: list[int], known: Mapping[int, State], width: int) -> str:
    """Draw one month: `2024-02  ███C█ ...  28 of 29`."""
    year, month = _month_of(days[0])
    before = date.fromordinal(days[0]).day - 1
    signs = "".join(mark(state, len(list(same))) for state, same in groupby(known[day] for day in days))
    line = f"{year:04}-{month:02}  {' ' * before}{signs}"
    share = _share(days, known)
    if not share or width < NARROWEST + len("  28 of 29"):
        return line
    return f"{line}{' ' * (31 - before - len(days))}  {share}"


def _share(days: list[int], known: Mapping[int, State]) -> str:
    """Say how many of these days are proven, when not all are."""
    proven = sum(known[day] is WindowState.COMPLETE for day in days)
    return "" if proven == len(days) else f"{proven} of {len(days)}"


def _years(months: list[list[int]], known: Mapping[int, State]) -> Iterator[str]:
    """Draw years as rows; a month shows what is worst in it. Years of which one thing is known are one line."""
    yield "             " + " ".join(_MONTHS)
    years = [list(members) for _, members in groupby(months, key=lambda month: _month_of(month[0])[0])]
    for (length, states), same in groupby(
        years, key=lambda year: (len(year), frozenset(known[day] for month in year for day in month))
    ):
        group = list(same)
        if length == 12 and len(states) == 1 and len(group) > 3:
            first, last = _month_of(group[0][0][0])[0], _month_of(group[-1][0][0])[0]
            [state] = states
            signs = " ".join([mark(state)] * 12)
            yield f"{first:04} - {last:04}  {signs}{'' if state is WindowState.COMPLETE else '  none'}"
        else:
            yield from (_year(year, known) for year in group)


def _is_proven(month: list[int], known: Mapping[int, State]) -> bool:
    return all(known[day] is WindowState.COMPLETE for day in month)


def _year(months: list[list[int]], known: Mapping[int, State]) -> str:
    year, first = _month_of(months[0][0])
    signs = [mark(next(state for state in MARKS if state in {known[day] for day in month})) for month in months]
    gap = "  " * (first - 1)
    after = "  " * (12 - (first - 1) - len(months))
    share = _share([day for month in months for day in month], known)
    line = f"{year:04}         {gap}{' '.join(signs)}"
    return f"{line}{after}  {share}" if share else line
