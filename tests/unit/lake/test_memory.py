"""What a sweep knows of the studies of its days: the same from those kept at hand as from the whole table."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from crawler.columns import schema
from crawler.lake import memory
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


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with two studies a day, and two of no day."""
    folder = tmp_path_factory.mktemp("lake")
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
    with LakeWriter.open(folder) as writer:
        writer.stage(Level.STUDY, "main", "s1", pa.Table.from_pylist(rows, schema=schema(Level.STUDY)))
        writer.commit()
    return folder


def test_studies_kept_at_hand_are_those_of_the_table(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GATHERED", 0)
    plain = Memory(open_lake(lake), "main", 1, (None, None))
    truths = [plain.studies(window) for window in WINDOWS]
    monkeypatch.undo()
    kept = [Memory(open_lake(lake), "main", 1, (FIRST, end)) for end in (LAST, None)]
    for window, truth in zip(WINDOWS, truths, strict=True):
        assert truth
        assert [one.studies(window) for one in kept] == [truth, truth]
    for one in (plain, *kept):
        one.close()


def test_where_not_all_days_are_kept_at_hand_those_are_that_come_next(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "GATHERED", 6)
    opened = open_lake(lake)
    kept = Memory(opened, "main", 1, (FIRST, LAST))
    assert len(kept.studies(Window(LAST, LAST))) == 2
    opened.connection.execute("DROP VIEW studies CASCADE")
    for day in (4, 3):
        assert len(kept.studies(Window(date(2024, 3, day), date(2024, 3, day)))) == 2
    with pytest.raises(duckdb.CatalogException):
        kept.studies(Window(date(2024, 3, 2), date(2024, 3, 2)))
    kept.close()
