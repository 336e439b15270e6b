"""Columns that users add: the lake gains them with the first answer that has them, and rewrites nothing."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from crawler.attributes import Told, resolve
from crawler.columns import Attribute, schema
from crawler.errors import UserError
from crawler.lake.query import open_lake
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.property.lake.answers import studies

STUDY = Level.STUDY
AGE = resolve(Told("PatientAge"), STUDY)
TIMES = resolve(Told("RequestAttributesSequence.ScheduledProcedureStepStartTime", name="planned"), STUDY)
ADMITTED = resolve(Told("AdmittingTime"), STUDY)


def answers(added: tuple[Attribute, ...], *rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{"faults": [], "raw": [], **row} for row in rows], schema=schema(STUDY, added))


def stage(lake: Path, *tables: pa.Table) -> list[tuple[int, int, int]]:
    """Stage and commit each table with a writer of its own; give what was inserted, updated and left alone."""
    counts = []
    for table in tables:
        with LakeWriter.open(lake) as writer:
            staged = writer.stage(STUDY, "main", "s1", table)
            writer.commit()
        counts.append((staged.inserted, staged.updated, staged.unchanged))
    return counts


def ask(lake: Path, statement: str) -> list[tuple[Any, ...]]:
    with open_lake(lake) as opened:
        return opened.sql(statement).fetchall()


def test_a_column_comes_with_its_first_answer_and_old_rows_read_null(tmp_path: Path) -> None:
    old = studies([("1", "CT"), ("2", "MR")])
    assert stage(tmp_path, old) == [(2, 0, 0)]
    before = {path: path.read_bytes() for path in (tmp_path / "log" / "entity=study").iterdir()}
    new = answers(
        (AGE, TIMES, ADMITTED), {"StudyInstanceUID": "3", "PatientAge": "042Y", "planned": [time(9, 30), None]}
    )
    assert stage(tmp_path, new) == [(1, 0, 0)]
    assert {path: path.read_bytes() for path in before} == before
    found = ask(tmp_path, "SELECT StudyInstanceUID, PatientAge, planned, AdmittingTime FROM studies ORDER BY 1")
    assert found == [("1", None, None, None), ("2", None, None, None), ("3", "042Y", [time(9, 30), None], None)]
    assert ask(tmp_path, "SELECT count(*) FROM studies_history WHERE PatientAge = '042Y'") == [(1,)]
    with duckdb.connect(tmp_path / "lake.duckdb", read_only=True) as connection:
        [(comment, kind)] = connection.execute(
            "SELECT comment, data_type FROM duckdb_columns() WHERE column_name = 'planned' AND table_name = 'studies'"
        ).fetchall()
    assert kind == "TIME[]"
    assert comment.startswith("(00400275.00400003, TM) Scheduled Procedure Step Start Time in Request Attributes Seq")


def test_an_attribute_added_changes_only_rows_that_have_it_and_removed_again_does_no_harm(tmp_path: Path) -> None:
    plain = answers((), {"StudyInstanceUID": "1"}, {"StudyInstanceUID": "2", "StudyDate": date(2024, 1, 1)})
    aged = answers(
        (AGE,),
        {"StudyInstanceUID": "1", "PatientAge": "042Y"},
        {"StudyInstanceUID": "2", "StudyDate": date(2024, 1, 1)},
    )
    assert stage(tmp_path, plain, aged, aged) == [(2, 0, 0), (0, 1, 1), (0, 0, 2)]
    assert stage(tmp_path, plain, plain) == [(0, 1, 1), (0, 0, 2)]
    assert ask(tmp_path, "SELECT PatientAge FROM studies_history WHERE StudyInstanceUID = '1' ORDER BY row_id") == [
        (None,),
        ("042Y",),
        (None,),
    ]


def test_the_key_index_can_be_made_again_after_columns_came(tmp_path: Path) -> None:
    aged = answers((AGE,), {"StudyInstanceUID": "1", "PatientAge": "042Y"})
    stage(tmp_path, studies([("2", "CT")]), aged)
    for file in (tmp_path / "keys").glob("*"):
        if file.is_file():
            file.unlink()
    assert stage(tmp_path, aged, studies([("2", "CT")])) == [(0, 0, 1), (0, 0, 1)]


def test_columns_that_come_in_the_middle_of_a_commit_and_a_rollback_lose_nothing(tmp_path: Path) -> None:
    aged = answers((AGE,), {"StudyInstanceUID": "1", "PatientAge": "042Y"})
    with LakeWriter.open(tmp_path) as writer:
        writer.stage(STUDY, "main", "s1", studies([("2", "CT")]))
        writer.stage(STUDY, "main", "s1", aged)
        writer.rollback()
        writer.stage(STUDY, "main", "s1", aged)
        writer.commit()
    assert ask(tmp_path, "SELECT StudyInstanceUID, PatientAge FROM studies ORDER BY 1") == [("1", "042Y"), ("2", None)]


def test_a_name_that_means_something_else_in_the_lake_is_refused(tmp_path: Path) -> None:
    stage(tmp_path, answers((AGE,), {"StudyInstanceUID": "1", "PatientAge": "042Y"}))
    other = resolve(Told("PatientSize", name="PatientAge"), Level.SERIES)
    table = pa.Table.from_pylist([{"SeriesInstanceUID": "1"}], schema=schema(Level.SERIES, (other,)))
    with LakeWriter.open(tmp_path) as writer, pytest.raises(UserError, match="a column PatientAge of another type"):
        writer.stage(Level.SERIES, "main", "s1", table)
