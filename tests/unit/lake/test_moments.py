"""Moments as people type them, and formats that this release knows."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from crawler.errors import NewerLakeError, UserError
from crawler.lake.format import FORMAT, refuse_newer
from crawler.lake.moments import beginning_of, end_of


@pytest.mark.parametrize(
    ("typed", "first", "last"),
    [
        ("2026-03-01", datetime(2026, 3, 1), datetime(2026, 3, 1, 23, 59, 59, 999999)),
        (date(2026, 3, 1), datetime(2026, 3, 1), datetime(2026, 3, 1, 23, 59, 59, 999999)),
        ("2026-03-01T18:30", datetime(2026, 3, 1, 18, 30), datetime(2026, 3, 1, 18, 30)),
        ("2026-03-01 18:30:05.25", datetime(2026, 3, 1, 18, 30, 5, 250000), datetime(2026, 3, 1, 18, 30, 5, 250000)),
        ("2026-03-01T00:30+01:00", datetime(2026, 2, 28, 23, 30), datetime(2026, 2, 28, 23, 30)),
        (
            datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=1))),
            datetime(2026, 3, 1),
            datetime(2026, 3, 1),
        ),
    ],
)
def test_a_day_is_all_of_it_and_a_moment_is_utc(typed: str | date, first: datetime, last: datetime) -> None:
    assert (beginning_of(typed), end_of(typed)) == (first, last)


@pytest.mark.parametrize("typed", ["", "yesterday", "2026-02-30", "1.3.2026"])
def test_anything_else_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(UserError, match="as 2026-03-01,"):
        end_of(typed)


def test_a_format_that_is_not_ours_is_refused_and_one_that_is_not_said_is_old() -> None:
    refuse_newer(Path("lake"), None)
    refuse_newer(Path("lake"), str(FORMAT))
    with pytest.raises(NewerLakeError, match="install the release that wrote it"):
        refuse_newer(Path("lake"), FORMAT + 1)
