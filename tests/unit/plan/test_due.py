"""Cron lines on the wall clock: clock changes, leap days, and the days of the week as everybody counts them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from crawler.errors import UserError
from crawler.plan.cron import translated
from crawler.plan.due import Schedule, due, every, overdue
from crawler.settings import JobSettings
from jobs.scheduler import schedules


def schedule(cron: str, zone: str = "UTC") -> Schedule:
    job = JobSettings.model_validate({"kind": "sweep", "cron": cron})
    return schedules({"job": job}, ZoneInfo(zone), "here")[0]


def slots(cron: str, zone: str, begin: str, count: int) -> list[str]:
    """Give so many slots after a moment as the wall clock shows them, with the offset."""
    times, moment, found = schedule(cron, zone).next_after, datetime.fromisoformat(begin).replace(tzinfo=UTC), []
    for _ in range(count):
        following = times(moment)
        assert following is not None
        moment = following
        found.append(moment.astimezone(ZoneInfo(zone)).isoformat(" ", "minutes"))
    return found


def test_a_time_that_the_clock_change_leaves_out_comes_an_hour_later() -> None:
    assert slots("30 2 * * *", "Europe/Berlin", "2026-03-28", 3) == [
        "2026-03-28 02:30+01:00",
        "2026-03-29 03:30+02:00",
        "2026-03-30 02:30+02:00",
    ]


def test_a_time_that_the_clock_change_repeats_comes_once() -> None:
    assert slots("30 2 * * *", "Europe/Berlin", "2026-10-24", 3) == [
        "2026-10-24 02:30+02:00",
        "2026-10-25 02:30+02:00",
        "2026-10-26 02:30+01:00",
    ]


def test_quarters_of_an_hour_are_wall_clock_times_too() -> None:
    assert slots("*/30 1-3 * * *", "Europe/Berlin", "2026-03-29 00:00", 4) == [
        "2026-03-29 01:30+01:00",
        "2026-03-29 03:00+02:00",
        "2026-03-29 03:30+02:00",
        "2026-03-30 01:00+02:00",
    ]
    assert slots("*/30 * * * *", "Europe/Berlin", "2026-10-25 00:00", 3) == [
        "2026-10-25 02:30+02:00",
        "2026-10-25 03:00+01:00",
        "2026-10-25 03:30+01:00",
    ]


def test_a_leap_day_comes_every_four_years() -> None:
    assert slots("0 3 29 2 *", "UTC", "2026-01-01", 2) == ["2028-02-29 03:00+00:00", "2032-02-29 03:00+00:00"]


def test_a_week_asleep_is_caught_up_once_in_order() -> None:
    jobs = [
        Schedule(name, schedule(cron, "Europe/Berlin").next_after)
        for name, cron in (("upkeep", "0 6 * * *"), ("nightly", "0 22 * * *"), ("weekly", "0 4 * * 0"))
    ]
    fell_asleep = datetime(2026, 3, 23, 20, 59, tzinfo=UTC)  # a Monday, at 21:59; the clock is changed on Sunday
    done = {job.job: [fell_asleep] for job in jobs}
    woke = fell_asleep + timedelta(days=7)
    found = [(one.job, one.slot.isoformat(" ", "minutes")) for one in due(jobs, done, woke)]
    assert found == [
        ("weekly", "2026-03-29 02:00+00:00"),
        ("upkeep", "2026-03-30 04:00+00:00"),
        ("nightly", "2026-03-30 20:00+00:00"),
    ]


def test_what_the_ledger_does_not_know_is_not_due() -> None:
    assert due([schedule("* * * * *")], {}, datetime(2026, 1, 1, tzinfo=UTC)) == []


@pytest.mark.parametrize(
    ("cron", "same"),
    [
        ("0 22 * * *", "0 22 * * *"),
        ("0 22 * * 1-5", "0 22 * * mon,tue,wed,thu,fri"),
        ("0 22 * * 0", "0 22 * * sun"),
        ("0 22 * * 7", "0 22 * * sun"),
        ("0 22 * * 6,0", "0 22 * * sun,sat"),
        ("0 22 * * SAT-mon", "0 22 * * sun,mon,sat"),
        ("0 22 * * 5-0", "0 22 * * sun,fri,sat"),
        ("0 22 * * 1-7", "0 22 * * sun,mon,tue,wed,thu,fri,sat"),
        ("0 22 * * */2", "0 22 * * sun,tue,thu,sat"),
        ("0 22 * * 1/2", "0 22 * * mon,wed,fri"),
        ("0 22 * * 0-6/3", "0 22 * * sun,wed,sat"),
    ],
)
def test_days_of_the_week_are_counted_as_cron_does(cron: str, same: str) -> None:
    assert translated(cron) == same


def test_monday_to_friday_is_that() -> None:
    days = [slot[:10] for slot in slots("0 22 * * 1-5", "UTC", "2026-11-20", 2)]
    assert days == ["2026-11-20", "2026-11-23"]


@pytest.mark.parametrize(
    ("cron", "sentence"),
    [
        ("0 22 * * 8", "must have days of the week as 1-5 or mon-fri, not 8"),
        ("0 22 * * mo", "must have days of the week as 1-5 or mon-fri, not mo"),
        ("0 22 * * 1-5/0", "must have days of the week as 1-5 or mon-fri, not 1-5/0"),
        ("0 22 1 * 1", "must not name days of the month and of the week at once: write two jobs"),
        ("0 25 * * *", "is no cron line: "),
        ("61 * * * *", "is no cron line: "),
        ("x * * * *", "is no cron line: "),
        ("0 0 30 2 *", "names a day that never comes: '0 0 30 2 *'"),
    ],
)
def test_a_cron_line_that_means_nothing_is_one_sentence(cron: str, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        schedule(cron)
    assert str(caught.value).startswith(f"jobs.job.cron {sentence}")
    assert "\n" not in str(caught.value)


def test_a_job_is_overdue_since_the_first_slot_that_it_missed() -> None:
    now = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
    hourly = Schedule("job", every(timedelta(hours=1)), delay=timedelta(minutes=10))
    assert overdue([hourly], {"job": [now - timedelta(days=2)]}, now) == {
        "job": timedelta(days=1, hours=23, minutes=20)
    }
    assert overdue([hourly], {"job": [now - timedelta(minutes=30)]}, now) == {}
    assert overdue([hourly], {}, now) == {}
