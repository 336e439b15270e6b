"""`instances` shows what a file tells and the PACS did not, at no cost for questions that do not ask for it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crawler.attributes import Told, resolve
from crawler.columns import schema
from crawler.lake.query import Lake, open_lake
from crawler.lake.schema import stored_schema
from crawler.lake.writer import LakeWriter
from crawler.model import Level

POSITION = resolve(Told("ImagePositionPatient"), Level.IMAGE)
FAMILY = {"SOPInstanceUID": "1.5.1", "SeriesInstanceUID": "1.5", "StudyInstanceUID": "1.2"}
LATER = {**FAMILY, "SOPInstanceUID": "1.5.2"}
FILE = {**FAMILY, "path": "a", "outcome": "stored", "received_at": datetime(2024, 2, 1)}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A PACS told Rows of one instance alone; the files of both are here, one with other bytes too."""
    told: list[dict[str, Any]] = [
        {**FAMILY, "Rows": 256, "ImageType": [], "ImagePositionPatient": None},
        {**LATER, "Rows": None, "ImageType": None, "ImagePositionPatient": None},
    ]
    said: dict[str, Any] = {"Rows": 512, "ImageType": ["ORIGINAL"], "ImagePositionPatient": [1.0, 2.0, 3.0]}
    files = [
        {**FILE, **said, "Columns": 512},
        {**FILE, **LATER, **said, "path": "b"},
        {**FILE, **LATER, **said, "path": "b-1", "outcome": "other", "Rows": 9999},
        {**FILE, **LATER, **said, "path": "b-1", "outcome": "again", "Rows": 9999},
        {**FILE, "SeriesInstanceUID": "1.6", "SOPInstanceUID": "1.6.1", "path": "c", "pacs": None},
    ]
    rows = [{"faults": [], "raw": [], **row} for row in told]
    with LakeWriter.open(tmp_path) as writer:
        writer.stage(Level.IMAGE, "main", "s1", pa.Table.from_pylist(rows, schema(Level.IMAGE, (POSITION,))))
        writer.commit()
        writer.append("file", pa.Table.from_pylist(files, stored_schema("file")))
        writer.commit()
        again = writer.stage(Level.IMAGE, "main", "s2", pa.Table.from_pylist(rows, schema(Level.IMAGE, (POSITION,))))
        assert (again.unchanged, again.updated) == (2, 0)
    return open_lake(tmp_path)


def test_what_the_pacs_did_not_tell_comes_from_the_file(lake: Lake) -> None:
    wanted = 'SELECT SOPInstanceUID, "Rows", "Columns", ImageType, ImagePositionPatient FROM {} ORDER BY 1'
    assert lake.sql(wanted.format("instances")).fetchall() == [
        ("1.5.1", 256, 512, [], [1.0, 2.0, 3.0]),
        ("1.5.2", 512, None, ["ORIGINAL"], [1.0, 2.0, 3.0]),
    ]
    assert lake.sql(wanted.format("instances_history")).fetchall() == [
        ("1.5.1", 256, None, [], None),
        ("1.5.2", None, None, None, None),
    ]
    before = lake.as_of("2024-01-31").sql("FROM instances").fetchall()
    assert before == []


def test_questions_that_want_nothing_of_all_files_do_not_read_them(lake: Lake) -> None:
    for question, reads in (
        ("SELECT count(*) FROM instances", False),
        ("SELECT count(DISTINCT SeriesInstanceUID) FROM instances GROUP BY pacs", False),
        ('SELECT count(*) FROM instances WHERE "Rows" = 512', True),
    ):
        [(_, plan)] = lake.sql(f"EXPLAIN {question}").fetchall()
        assert ("Hash Join" in plan or "HASH_JOIN" in plan) == reads, question
