"""What is due, whatever the clock does: no slot left out, none done twice, a long sleep caught up once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.plan.due import AHEAD, Schedule, Times, due, every, last_done, newest_slot, spread, upcoming
from crawler.settings import JobSettings
from jobs.scheduler import schedules

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia")
CRONS = (
    "0 22 * * *",
    "30 2 * * *",
    "*/15 * * * *",
    "0 */4 * * *",
    "5 1,2,3 * * *",
    "0 3 29 2 *",
    "0 9 * * 1-5",
    "0 0 1 * *",
)
INTERVALS = tuple(timedelta(seconds=seconds) for seconds in (600, 900, 3600, 7 * 3600, 86400))
MOMENTS = st.datetimes(datetime(2023, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC))


def cron(line: str, zone: str = "UTC") -> Times:
    job = JobSettings.model_validate({"kind": "sweep", "cron": line})
    return schedules({"job": job}, ZoneInfo(zone), "here")[0].next_after


TIMES = st.builds(cron, st.sampled_from(CRONS), st.sampled_from(ZONES)) | st.builds(every, st.sampled_from(INTERVALS))


class Service:
    """Does a job whenever it is due, and keeps a ledger, as the real one does."""

    def __init__(self, times: Times, now: datetime) -> None:
        self.schedule = Schedule("job", times)
        self.done = [now]

    def look(self, now: datetime) -> list[datetime]:
        found = [one.slot for one in due([self.schedule], {"job": self.done}, now)]
        self.done += found
        return found


@given(TIMES, MOMENTS)
def test_slots_ascend_and_none_is_left_out(times: Times, moment: datetime) -> None:
    first = times(moment)
    assert first is not None
    second = times(first)
    assert second is not None
    assert moment < first < second
    assert times(first - timedelta(microseconds=1)) == first
    assert times(moment + (first - moment) / 2) == first


@given(TIMES, MOMENTS, st.lists(st.integers(1, 5 * 86400), min_size=1, max_size=20))
def test_a_service_that_looks_now_and_then_does_each_slot_that_passed_once_or_the_newest_of_several(
    times: Times, begun: datetime, steps: list[int]
) -> None:
    service, now = Service(times, begun), begun
    for step in steps:
        before, now = now, now + timedelta(seconds=step)
        passed = []
        slot = times(before)
        while slot is not None and slot <= now:
            passed.append(slot)
            slot = times(slot)
        assert service.look(now) == passed[-1:]
        assert service.look(now) == []


@given(TIMES, MOMENTS, st.lists(st.tuples(st.integers(0, 86400), st.integers(-86400, 86400)), max_size=30))
def test_a_clock_that_goes_back_and_forth_within_a_day_skips_and_doubles_nothing(
    times: Times, begun: datetime, steps: list[tuple[int, int]]
) -> None:
    service, right, done = Service(times, begun), begun, Counter[datetime]()
    for step, wrong_by in [*steps, (2 * 86400, 0)]:
        right += timedelta(seconds=step)
        done.update(service.look(right + timedelta(seconds=wrong_by)))
        done.update(service.look(right))
    assert all(count == 1 for count in done.values())
    assert newest_slot(times, begun, right) == max(done, default=None)


@settings(max_examples=30)
@given(TIMES, MOMENTS, st.integers(2, 20000))
def test_a_clock_that_once_stood_far_in_the_future_silences_a_job_for_a_day_at_most(
    times: Times, begun: datetime, days: int
) -> None:
    service = Service(times, begun)
    service.look(begun + timedelta(days=days))
    now = begun
    expected = newest_slot(times, begun, begun + timedelta(days=90))
    for _ in range(90):
        now += AHEAD
        service.look(now)
    assert expected is None or service.done[-1] == expected


@given(MOMENTS, st.permutations(CRONS), st.integers(0, 40))
def test_of_several_jobs_the_longest_due_comes_first_and_each_once(now: datetime, lines: list[str], days: int) -> None:
    jobs = [Schedule(line, cron(line, "Europe/Berlin")) for line in lines]
    done = {line: [now - timedelta(days=days)] for line in lines}
    found = due(jobs, done, now)
    assert [one.slot for one in found] == sorted(one.slot for one in found)
    assert len({one.job for one in found}) == len(found)


@given(TIMES, MOMENTS, st.integers(0, 40), st.timedeltas(timedelta(), timedelta(hours=20)))
def test_the_next_moment_is_the_one_at_which_something_is_due(
    times: Times, now: datetime, days: int, delay: timedelta
) -> None:
    jobs, done = [Schedule("job", times, delay)], {"job": [now - timedelta(days=days)]}
    if not due(jobs, done, now):
        moment = upcoming(jobs, done, now)
        assert moment is not None
        assert moment > now
        assert not due(jobs, done, moment - timedelta(microseconds=1))
        assert due(jobs, done, moment)


@given(st.timedeltas(timedelta(), timedelta(days=1)), st.text(), st.text())
def test_jitter_is_a_part_of_what_was_allowed_and_always_the_same(jitter: timedelta, machine: str, job: str) -> None:
    assert timedelta() <= spread(jitter, machine, job) <= jitter
    assert spread(jitter, machine, job) == spread(jitter, machine, job)


@given(st.lists(MOMENTS), MOMENTS)
def test_a_job_was_last_done_for_what_was_written_last_and_is_not_far_ahead(
    slots: list[datetime], now: datetime
) -> None:
    last = last_done(slots, now)
    credible = [slot for slot in slots if slot <= now + AHEAD]
    assert last == (credible[-1] if credible else None)
