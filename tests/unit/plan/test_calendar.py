"""What proves a day, case by case."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from crawler.model import UNDATED, Coverage, Level, SweepRecord, SweepState, Window, WindowState
from crawler.plan.calendar import (
    IN_PART,
    NEVER,
    SINCE,
    TOO_EARLY,
    UNDATED_DAY,
    asked_days,
    joined,
    runs_of,
    wanted_days,
    within,
)
from crawler.plan.days import BEGINNING, END, Days, days_of

TODAY = date(2024, 6, 1)
DAY = date(2024, 5, 20)
NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)
COMPLETE, CAPPED = WindowState.COMPLETE, WindowState.CAPPED
STUDY = [Level.STUDY]


def row(window: Window, state: WindowState = COMPLETE, *, after: int = 0, asked_at: datetime = NOON) -> Coverage:
    moment = asked_at + timedelta(minutes=after)
    return Coverage(
        "main", Level.STUDY, window, state, 7, "s", moment, 100, reason=None if state is COMPLETE else "why"
    )


def verdict(*rows: Coverage, day: date = DAY) -> tuple[WindowState | None, str | None]:
    runs = within(runs_of(rows, STUDY, TODAY), days_of(day, day))
    assert len(runs) == 1
    return runs[0].verdict.state, runs[0].verdict.reason


def part(begin: str, end: str, key: str | None = None) -> Window:
    return Window(DAY, DAY, begin, end, key)


WHOLE = Window(DAY, DAY)
MONTH = Window(date(2024, 5, 1), date(2024, 5, 31))
MORNING, EVENING = part("000000", "115959"), part("120000", "235959")


def test_the_newest_answer_counts() -> None:
    assert verdict() == (None, NEVER)
    assert verdict(row(MONTH)) == (COMPLETE, None)
    assert verdict(row(MONTH), row(WHOLE, CAPPED, after=1)) == (CAPPED, "why")
    assert verdict(row(MONTH, after=1), row(WHOLE, CAPPED)) == (COMPLETE, None)


def test_hours_prove_a_day_together() -> None:
    assert verdict(row(MORNING), row(EVENING)) == (COMPLETE, None)
    assert verdict(row(MORNING)) == (WindowState.INTERRUPTED, IN_PART)
    assert verdict(row(MORNING), row(EVENING, CAPPED)) == (CAPPED, "why")
    assert verdict(row(MONTH), row(EVENING, CAPPED, after=1)) == (CAPPED, "why")
    assert verdict(row(part("000000", "115958")), row(EVENING)) == (WindowState.INTERRUPTED, IN_PART)


def test_hours_lack_the_studies_without_a_time_until_the_whole_day_is_answered() -> None:
    untimed = row(Window(DAY, DAY, key="StudyTime="), CAPPED, after=1)
    assert verdict(row(MORNING), row(EVENING), untimed) == (CAPPED, "why")
    assert verdict(row(MORNING), row(EVENING), untimed, row(WHOLE, after=2)) == (COMPLETE, None)


def test_a_further_key_proves_nothing_but_can_show_that_something_is_missing() -> None:
    scans = part("000000", "235959", "ModalitiesInStudy=CT")
    assert verdict(row(scans)) == (WindowState.INTERRUPTED, IN_PART)
    assert verdict(row(MONTH), row(scans, CAPPED, after=1)) == (CAPPED, "why")
    assert verdict(row(MONTH), row(scans, CAPPED, after=1), row(scans, after=2)) == (COMPLETE, None)
    assert verdict(row(scans, CAPPED), row(WHOLE, after=1)) == (COMPLETE, None)


def test_a_day_that_was_not_over_is_not_proven_once_it_is() -> None:
    yesterday = TODAY - timedelta(days=1)
    open_end = Window(date(2024, 5, 1), None)
    early = row(open_end, asked_at=NOON - timedelta(days=2))
    assert verdict(early, day=TODAY - timedelta(days=3)) == (COMPLETE, None)
    assert verdict(early, day=TODAY - timedelta(days=2)) == (None, TOO_EARLY)
    assert verdict(early, day=yesterday) == (None, SINCE)
    assert verdict(early, day=TODAY + timedelta(days=1)) == (COMPLETE, None)
    assert verdict(row(open_end), day=TODAY) == (COMPLETE, None)


def test_undated_studies_have_a_place_of_their_own() -> None:
    def undated(*rows: Coverage) -> WindowState | None:
        (run,) = within(runs_of(rows, STUDY, TODAY), Days(UNDATED_DAY, UNDATED_DAY))
        return run.verdict.state

    assert undated(row(Window())) is None
    assert undated(row(UNDATED)) is COMPLETE
    assert undated(row(UNDATED), row(Window(key="StudyDate=&ModalitiesInStudy=CT"), CAPPED, after=1)) is CAPPED


def test_the_range_in_question_is_what_sweeps_were_to_ask_for() -> None:
    runs = runs_of([row(MONTH)], STUDY, TODAY)
    assert asked_days(runs, [], TODAY) == days_of(MONTH.date_from, MONTH.date_to)
    broken_off = SweepRecord("s", "main", (Level.STUDY,), None, None, SweepState.INTERRUPTED, NOON)
    assert asked_days(runs, [broken_off], TODAY) == days_of(None, TODAY)
    later = TODAY + timedelta(days=9)
    assert asked_days(runs_of([row(MONTH)], STUDY, later), [broken_off], later) == days_of(None, MONTH.date_to)
    assert wanted_days(runs, [broken_off], later) == days_of(None, later)


def test_days_ahead_are_in_question_only_when_they_are_not_proven() -> None:
    ahead = Window(TODAY + timedelta(days=1), None)
    month = days_of(MONTH.date_from, MONTH.date_to)
    assert asked_days(runs_of([row(MONTH), row(ahead)], STUDY, TODAY), [], TODAY) == month
    refused = runs_of([row(MONTH), row(ahead, WindowState.REFUSED)], STUDY, TODAY)
    assert asked_days(refused, [], TODAY) == Days(month.first, END)


def test_neighbours_that_say_the_same_are_joined() -> None:
    weeks = [Window(date(2024, 5, 6 + 7 * week), date(2024, 5, 12 + 7 * week)) for week in range(3)]
    before, three_weeks, _ = joined(within(runs_of(map(row, weeks), STUDY, TODAY), Days(BEGINNING, END)))
    assert before.days.last + 1 == three_weeks.days.first == date(2024, 5, 6).toordinal()
    assert (three_weeks.days.length, three_weeks.verdict.rows) == (21, 21)
