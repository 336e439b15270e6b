"""No study is lost in silence, whatever the PACS does: sweeps under drawn mixtures of quirks, against the truth.

The lake equals the archive, or what it lacks lies where the ledger says `not complete`. `make test` draws the same 20
schedules each time, `make soak` 10,000 others; PACSLAKE_SCHEDULES draws so many others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings

from crawler.plan.sweep import MOST_SINGLE_DAYS, MOST_TESTS_OF_UNDATED
from crawler.testing.archive import Archive
from crawler.testing.quirks import OverCap, Quirks
from tests.acceptance import schedules as replay
from tests.acceptance.schedules import Schedule, impatient, judge, schedules

SOAK = os.environ.get("PACSLAKE_SCHEDULES")
DAY, TIME = date(2024, 1, 1), frozenset({"StudyTime"})
MOST_QUERIES = MOST_SINGLE_DAYS + 25 * MOST_TESTS_OF_UNDATED + 500
"""No mixture of quirks needs more for a few hundred studies, even where ranges are ignored and as many days as may be
are tested by their hours; more is a storm."""


@pytest.fixture(autouse=True, scope="module")
def _impatient() -> Iterator[None]:
    with impatient():
        yield


@settings(max_examples=int(SOAK or 20), derandomize=SOAK is None, suppress_health_check=list(HealthCheck))
@given(schedules())
@example(
    Schedule(
        Archive(0, DAY, DAY, busy_day=DAY, busy=40),
        Quirks(cap=10, over_cap=OverCap.NOTHING),
        days=(DAY, DAY + timedelta(2)),
    )
)
@example(Schedule(Archive(21, DAY, DAY), Quirks(cap=10, over_cap=OverCap.NOTHING, omits=TIME), days=(DAY, DAY)))
@example(
    Schedule(
        Archive(4, DAY, DAY + timedelta(6), busy_day=DAY + timedelta(3), busy=40),
        Quirks(cap=10, ignores_ranges=True),
        days=(None, DAY + timedelta(3)),
        associations=2,
        sweeps=2,
    )
)
@example(Schedule(Archive(16, DAY, DAY), Quirks(ignores_ranges=True), days=(DAY, None), sweeps=2))
def test_nothing_is_lost_in_silence(schedule: Schedule) -> None:
    judgement = judge(schedule)
    assert not judgement.lost, f"{judgement.lost[:5]} and {len(judgement.lost)} in all; exit code {judgement.code}"
    assert judgement.queries <= MOST_QUERIES


def test_a_loss_in_silence_would_be_seen() -> None:
    days = (date(2024, 1, 1), date(2024, 1, 9))
    held, truth = Archive(40, *days, undated=1), Archive(40, *days, undated=3, busy_day=days[1], busy=2)
    for range_ in (days, (None, None)):
        judgement = judge(Schedule(held, Quirks(), days=range_), truth)
        assert judgement.missing == (2 if range_ == days else 4)
        assert any("of 2024-01-09 is missing" in one for one in judgement.lost)
        assert any("of no day is missing" in one for one in judgement.lost) == (range_ != days)


def test_days_found_empty_one_by_one_are_not_asked_for_again() -> None:
    first = date.today() - timedelta(40)
    pacs = Archive(0, busy_day=first, busy=3)
    once = Schedule(pacs, Quirks(ignores_ranges=True), levels=("study", "series"), days=(first, None))
    asked = judge(once)
    assert asked.code == 3
    again = judge(replace(once, sweeps=2))
    assert not again.lost
    assert again.queries < asked.queries + 10 < 70


def test_what_is_printed_of_a_schedule_makes_it_again() -> None:
    quirks = Quirks(cap=50, over_cap=OverCap.REFUSE_A700, ignores=frozenset({"StudyTime"}))
    schedule = Schedule(Archive(7, undated=2), quirks, ("study", "series"), (date(2024, 1, 1), None), sweeps=2)
    assert eval(repr(schedule), vars(replay)) == schedule


@pytest.mark.parametrize("model", ["study", "patient"])
@pytest.mark.parametrize(
    ("levels", "series_per_study"), [(("study", "series"), 20.0), (("study", "series", "image"), 2.0)]
)
def test_more_series_or_images_than_the_cap_are_on_record(
    levels: tuple[str, ...], series_per_study: float, model: str
) -> None:
    """No day has many studies, so that nothing else tells of the cap."""
    held = Archive(3, date(2024, 1, 1), date(2024, 1, 30), seed=7, series_per_study=series_per_study)
    judgement = judge(Schedule(held, Quirks(cap=10), levels, model=model))
    assert judgement.missing > 0
    assert judgement.lost == []
    assert judgement.code == 4
