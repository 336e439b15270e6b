"""What a sweep knows of the studies of its days: the same from those kept at hand as from the whole table."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path

import pyarrow as pa

from crawler.columns import schema
from crawler.lake.memory import Memory
from crawler.lake.query import open_lake
from crawler.lake.writer import LakeWriter
from crawler.model import UNDATED, Level, Window

FIRST, LAST = date(2024, 3, 1), date(2024, 3, 5)
WINDOWS = (
    Window(FIRST, LAST),
    Window(date(2024, 3, 2), date(2024, 3, 2)),
    Window(date(2024, 3, 2), date(2024, 3, 2), "101000", "120000"),
    Window(date(2024, 2, 28), date(2024, 3, 2)),
    Window(date(2024, 3, 4), None),
    Window(None, date(2024, 3, 2)),
    UNDATED,
)


def test_studies_kept_at_hand_are_those_of_the_table(tmp_path: Path) -> None:
    days = [date(2024, 2, 29), *(date(2024, 3, day) for day in range(1, 8)), None]
    rows: list[dict[str, object]] = [
        {
            "StudyInstanceUID": f"1.{number}.{hour}",
            "StudyDate": day,
            "StudyTime": time(hour, 30),
            "faults": [],
            "raw": [],
        }
        for number, day in enumerate(days)
        for hour in (9, 11)
    ]
    with LakeWriter.open(tmp_path) as writer:
        writer.stage(Level.STUDY, "main", "s1", pa.Table.from_pylist(rows, schema=schema(Level.STUDY)))
        writer.commit()
        plain = Memory(open_lake(tmp_path), "main", writer.next_row_id, (None, None))
        kept = [Memory(open_lake(tmp_path), "main", writer.next_row_id, (FIRST, end)) for end in (LAST, None)]
    for window in WINDOWS:
        truth = plain.studies(window)
        assert truth
        assert [one.studies(window) for one in kept] == [truth, truth]
    for one in (plain, *kept):
        one.close()
