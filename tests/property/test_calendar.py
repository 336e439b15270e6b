"""What the ledger proves, against a model that paints each row on every hour of every day, oldest first."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from crawler.model import UNDATED, Coverage, Level, Window, WindowState
from crawler.plan.calendar import UNDATED_DAY, Run, Verdict, asked_days, runs_of, wanted_days, within
from crawler.plan.days import END, Days

FIRST = date(2024, 3, 1)
DAYS = 8
TODAY = FIRST + timedelta(days=6)
"""The last days of the model lie ahead."""
BEGAN = datetime(2024, 3, 2, 12, tzinfo=UTC)
QUARTERS = ("000000", "060000", "120000", "180000")
LEVELS = (Level.STUDY, Level.SERIES)

days = st.integers(0, DAYS - 1).map(lambda number: FIRST + timedelta(days=number))
states = st.sampled_from([WindowState.COMPLETE, WindowState.COMPLETE, WindowState.CAPPED, WindowState.INTERRUPTED])


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """Give days, hours of a day, a modality of either, or the undated studies; ends may be open."""
    key = draw(st.sampled_from([None, None, None, "ModalitiesInStudy=CT", "PatientName=A*&ModalitiesInStudy=CT"]))
    match draw(st.sampled_from(["days", "days", "hours", "undated"])):
        case "hours":
            day = draw(days)
            begin, end = sorted([draw(st.integers(0, 3)), draw(st.integers(0, 3))])
            return Window(day, day, QUARTERS[begin], f"{end * 6 + 5:02}5959", key)
        case "undated":
            return UNDATED if key is None else Window(key=f"{UNDATED.key}&{key}")
    first, last = sorted([draw(days), draw(days)])
    return Window(draw(st.sampled_from([first, first, None])), draw(st.sampled_from([last, last, None])), key=key)


@st.composite
def ledgers(draw: st.DrawFn) -> list[Coverage]:
    """Give rows in the order in which they were settled, some of them asked while their days went on."""
    rows = []
    moment = BEGAN
    for _ in range(draw(st.integers(0, 9))):
        moment += timedelta(hours=draw(st.integers(1, 12)))
        level, window, state = draw(st.sampled_from(LEVELS)), draw(windows()), draw(states)
        rows.append(Coverage("main", level, window, state, 5, "s", moment, took_ms=1000, reason=state.value))
    return rows


def is_proven(rows: list[Coverage], day: date | None) -> bool:
    """Say whether a day is proven at the one level of these rows; None stands for the studies without a day."""
    newest = {row.window: row for row in rows}
    hours = [False] * 24
    for row in sorted(newest.values(), key=lambda row: row.asked_at):
        window, keys = row.window, set((row.window.key or "").split("&")) - {""}
        if ("StudyDate=" in keys) is not (day is None):
            continue
        if day and not (window.date_from or date.min) <= day <= (window.date_to or date.max):
            continue
        complete = row.state is WindowState.COMPLETE
        if complete and keys - {"StudyDate="}:
            continue
        asked_on = row.asked_at.date()
        too_early = day is not None and asked_on < TODAY and asked_on <= day <= TODAY
        for hour in range(int((window.time_from or "00")[:2]), int((window.time_to or "23")[:2]) + 1):
            hours[hour] = complete and not too_early
    return all(hours)


def known_days(runs: list[Run]) -> dict[date | None, Verdict]:
    """Give what is known of each day of the model, and of no day."""
    found = {run.days.first: run.verdict for run in runs if run.days.first == UNDATED_DAY}
    known: dict[date | None, Verdict] = {None: found[UNDATED_DAY]}
    for run in within(runs, Days(FIRST.toordinal(), FIRST.toordinal() + DAYS - 1)):
        known.update(dict.fromkeys(map(date.fromordinal, range(run.days.first, run.days.last + 1)), run.verdict))
    return known


@given(ledgers())
def test_a_day_is_proven_when_the_newest_answers_prove_each_of_its_hours(rows: list[Coverage]) -> None:
    for level in LEVELS:
        known = known_days(runs_of(rows, [level], TODAY))
        assert len(known) == DAYS + 1
        of_level = [row for row in rows if row.level is level]
        for day, verdict in known.items():
            assert verdict.proven == is_proven(of_level, day)


@given(ledgers())
def test_all_levels_must_prove_it_and_the_first_that_does_not_says_why(rows: list[Coverage]) -> None:
    study, series = (known_days(runs_of(rows, [level], TODAY)) for level in LEVELS)
    for day, verdict in known_days(runs_of(rows, LEVELS, TODAY)).items():
        doubt = study[day] if not study[day].proven else series[day]
        assert verdict.says == (study[day] if doubt.proven else doubt).says


@given(ledgers(), st.randoms())
def test_runs_leave_no_hole_and_do_not_depend_on_the_order_of_rows(rows: list[Coverage], chance: random.Random) -> None:
    runs = runs_of(rows, LEVELS, TODAY)
    assert (runs[0].days.first, runs[-1].days.last) == (UNDATED_DAY, END)
    assert all(one.days.last + 1 == other.days.first for one, other in pairwise(runs))
    shuffled = chance.sample(rows, len(rows))
    assert runs_of(shuffled, LEVELS, TODAY) == runs


@given(ledgers())
def test_the_days_that_were_asked_for_begin_and_end_with_an_answer(rows: list[Coverage]) -> None:
    runs = runs_of(rows, LEVELS, TODAY)
    asked, wanted = asked_days(runs, [], TODAY), wanted_days(runs, [], TODAY)
    if asked is None:
        return
    ends = within(runs, asked)
    assert ends[0].verdict.asked
    assert ends[-1].verdict.asked
    assert wanted is not None
    assert wanted.first <= asked.first <= asked.last <= wanted.last
