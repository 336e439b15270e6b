"""What an answer shows of the PACS."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from crawler import columns
from crawler.model import Level, Window
from crawler.plan.sight import see

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 9)


def rows(*days: date | None) -> pa.Table:
    schema = columns.schema(Level.STUDY)
    uids = pa.array([f"1.2.{number}" for number in range(len(days))])
    known = {"StudyInstanceUID": uids, "StudyDate": pa.array(days, pa.date32())}
    return pa.table([known.get(one.name, pa.nulls(len(days), one.type)) for one in schema], schema=schema)


def test_only_studies_of_the_first_and_last_day_show_that_these_belong_to_a_range() -> None:
    window = Window(FIRST, LAST)
    seen = see(rows(None, None, FIRST, date(2024, 1, 4)), window, window)
    assert (seen.on_first_day, seen.on_last_day, seen.undated, seen.dated) == (1, 0, 2, 2)
