"""Allowed hours are those that the clock on the wall shows, at each minute of weeks in which clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crawler.plan.hours import DAY, Hours, Spans
from crawler.settings.hours import AllowedHours

VIENNA, LORD_HOWE, BEIRUT = ZoneInfo("Europe/Vienna"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Beirut")
"""Clocks that change by an hour at night, by half an hour, and at midnight."""

CLOCKS_CHANGE = [
    (VIENNA, datetime(2026, 3, 29, 1, tzinfo=UTC)),
    (VIENNA, datetime(2026, 10, 25, 1, tzinfo=UTC)),
    (LORD_HOWE, datetime(2026, 4, 4, 15, tzinfo=UTC)),
    (BEIRUT, datetime(2026, 3, 28, 22, tzinfo=UTC)),
    (BEIRUT, datetime(2026, 10, 24, 21, tzinfo=UTC)),
]
HOLIDAY = date(2026, 3, 31)


def hours(zone: ZoneInfo, **told: str) -> Hours:
    allowed = AllowedHours.model_validate(told)
    return Hours(zone, allowed.week, allowed.holidays, frozenset({HOLIDAY}))


def on_the_wall(hours: Hours, moment: datetime) -> bool:
    """Look at the wall clock, and for a span that holds what it shows, begun today or yesterday."""
    wall = moment.astimezone(hours.zone).replace(tzinfo=None)
    for back in (0, 1):
        midnight = datetime.combine(wall.date() - timedelta(days=back), datetime.min.time())
        holiday = hours.on_holidays is not None and midnight.date() in hours.holidays
        spans: Spans = (hours.on_holidays or ()) if holiday else hours.week[midnight.weekday()]
        if any(timedelta(minutes=a) <= wall - midnight < timedelta(minutes=b) for a, b in spans):
            return True
    return False


spans = st.lists(
    st.tuples(st.integers(0, DAY - 1), st.integers(1, DAY - 1)).map(lambda one: (one[0], one[0] + one[1])), max_size=2
).map(tuple)


@settings(max_examples=25)
@example(CLOCKS_CHANGE[2], [(), (), (), (), (), (), ((0, 91),)], None)
@given(st.sampled_from(CLOCKS_CHANGE), st.lists(spans, min_size=7, max_size=7), st.none() | spans)
def test_every_minute_around_a_change_of_clocks_is_judged_by_the_wall_clock(
    changing: tuple[ZoneInfo, datetime], week: list[Spans], on_holidays: Spans | None
) -> None:
    zone, change = changing
    allowed = Hours(zone, tuple(week), on_holidays, frozenset({change.date()}))
    begin = change - timedelta(hours=30)
    truth = [on_the_wall(allowed, begin + timedelta(minutes=minute)) for minute in range(60 * 60)]
    assert truth[::7] == [allowed.allow(begin + timedelta(minutes=minute)) for minute in range(0, 60 * 60, 7)]
    moment, last = begin, begin + timedelta(minutes=60 * 60 - 1)
    while (following := allowed.next_change(moment)) is not None and following <= last:
        first, end = ((one - begin) // timedelta(minutes=1) for one in (moment, following))
        assert set(truth[first:end]) == {allowed.allow(moment)}
        assert truth[end] is not truth[first]
        moment = following
    assert len(set(truth[(moment - begin) // timedelta(minutes=1) :])) == 1


@pytest.mark.parametrize(
    ("from_utc", "to_utc"),
    [
        ("2026-03-27T17:00", "2026-03-28T06:00"),  # a Friday night like any other
        ("2026-03-29T16:00", "2026-03-30T05:00"),
        ("2026-10-24T16:00", "2026-10-25T06:00"),  # has an hour more
        ("2026-03-28T17:00", "2026-03-29T05:00"),  # has an hour less
    ],
)
def test_nights_of_vienna_last_from_six_to_seven_whatever_the_clocks_do(from_utc: str, to_utc: str) -> None:
    night = hours(VIENNA, weekdays="18:00-07:00", saturday="18:00-07:00", sunday="18:00-07:00")
    begin, end = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (from_utc, to_utc))
    assert night.next_change(begin - timedelta(hours=1)) == begin
    assert night.next_change(begin) == end
    assert not night.allow(begin - timedelta(seconds=1))
    assert night.allow(end - timedelta(seconds=1))
    assert not night.allow(end)


def test_an_hour_that_comes_twice_is_judged_twice_alike() -> None:
    early = hours(VIENNA, sunday="00:00-02:30")
    moment = datetime(2026, 10, 24, 22, tzinfo=UTC)
    edges = [moment]
    for _ in range(3):
        edges += [edge] if (edge := early.next_change(edges[-1])) else []
    assert [f"{edge:%H:%M}" for edge in edges] == ["22:00", "00:30", "01:00", "01:30"]


def test_a_holiday_has_its_own_hours_and_the_night_before_goes_on_into_it() -> None:
    closed = hours(VIENNA, weekdays="18:00-07:00", holidays="none")  # the holiday is a Tuesday
    monday, tuesday = (datetime(2026, 3, day, 18, tzinfo=VIENNA) for day in (30, 31))
    assert closed.next_change(monday) == datetime(2026, 3, 31, 7, tzinfo=VIENNA)
    assert not closed.allow(tuesday)
    assert closed.next_allowed(tuesday) == datetime(2026, 4, 1, 18, tzinfo=VIENNA)
    whole = hours(VIENNA, weekdays="18:00-07:00", holidays="all")
    assert whole.next_change(monday) == datetime(2026, 4, 1, tzinfo=VIENNA)


def test_hours_that_never_begin_or_never_end_are_said_to() -> None:
    always = hours(VIENNA, weekdays="all", saturday="all", sunday="all")
    assert always.next_change(datetime(2026, 1, 1, tzinfo=UTC)) is None
    never = Hours(VIENNA, ((),) * 7)
    assert never.next_allowed(datetime(2026, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize("days", range(7))
def test_hours_begin_before_the_clocks_change_however_long_before_one_asks(days: int) -> None:
    begin = datetime(2026, 4, 5, tzinfo=LORD_HOWE)
    closed_for_weeks = Hours(LORD_HOWE, ((),) * 7, ((0, 91),), frozenset({begin.date()}))
    asked_at = begin - timedelta(days=days, hours=12)
    for back in (asked_at, asked_at - timedelta(days=7), asked_at - timedelta(days=14)):
        assert closed_for_weeks.next_change(back) == begin
