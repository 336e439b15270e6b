"""The tables as a person sees them: names, types, values that come back as they went in."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from crawler import columns
from crawler.lake.ledger import naive_utc
from crawler.lake.query import open_lake
from crawler.lake.resume import complete_windows, last_sweep
from crawler.lake.schema import ENTITIES, LEVELS, TABLES, log_schema, stored_schema
from crawler.lake.status import status_of
from crawler.lake.writer import LakeWriter
from crawler.model import Coverage, Level, SweepRecord, SweepState, Window, WindowState
from tests.property.lake.answers import ASKED, answers, covered, studies, sweep

WINDOWS = [
    *("pacs", "level", "date_from", "date_to", "time_from", "time_to", "key", "state", "rows", "status", "cap"),
    *("sweep_id", "asked_at", "took_ms", "queries", "duplicates", "rejects", "reason", "undated"),
]
EXAMPLES: dict[str, Any] = {
    "date32[day]": date(2024, 2, 29),
    "time64[us]": time(23, 59, 59, 999999),
    "timestamp[us]": datetime(2024, 2, 29, 23, 59, 59, 999999),
    "int64": -7,
    "double": 0.1,
    "string": "Ä^ö 'quoted'",
    "list<item: string>": ["ORIGINAL", "", None],
    "list<element: string>": ["ORIGINAL", "", None],
}


def test_columns_of_the_log_differ_by_more_than_case() -> None:
    names = [name.lower() for name in log_schema().names]
    assert len(set(names)) == len(names)
    assert {name for entity in ENTITIES for name in stored_schema(entity).names} < set(log_schema().names)


def test_an_empty_lake_has_every_table_with_its_types(tmp_path: Path) -> None:
    LakeWriter.open(tmp_path).close()
    with open_lake(tmp_path) as lake:
        for table in [
            *TABLES.values(),
            *(f"{name}_history" for name in TABLES.values()),
            "sweeps",
            "rejects",
            "pacs_profiles",
        ]:
            assert lake.sql(f"SELECT * FROM {table}").fetchall() == []
        assert lake.sql("FROM windows").columns == WINDOWS
        types = dict(zip(lake.sql("FROM studies").columns, map(str, lake.sql("FROM studies").types), strict=True))
    assert (types["StudyDate"], types["StudyTime"], types["changed_at"]) == ("DATE", "TIME", "TIMESTAMP")
    assert types["ModalitiesInStudy"] == "VARCHAR[]"
    assert types["raw"] == 'STRUCT(tag VARCHAR, "value" BLOB)[]'


@pytest.mark.parametrize("level", list(Level))
def test_every_column_comes_back(tmp_path: Path, level: Level) -> None:
    row = {field.name: EXAMPLES.get(str(field.type)) for field in columns.schema(level)}
    row["faults"] = [{"tag": "00080020", "reason": "no date"}]
    row["raw"] = [{"tag": "00080020", "value": b"2024\xff"}, {"tag": "00080030", "value": None}]
    bare: dict[str, Any] = {level.unique_key: "bare"}
    with LakeWriter.open(tmp_path) as writer:
        writer.stage(level, "main", "s1", answers(level, [row, bare]))
        writer.commit()
        assert writer.stage(level, "main", "s1", answers(level, [bare, row])).unchanged == 2
    names = ", ".join(f'"{name}"' for name in columns.schema(level).names)
    with open_lake(tmp_path) as lake:
        full, empty = lake.sql(f"SELECT {names} FROM {TABLES[level.entity]} ORDER BY faults IS NULL").fetchall()
    assert dict(zip(columns.schema(level).names, full, strict=True)) == row
    assert {name: value for name, value in zip(columns.schema(level).names, empty, strict=True) if value} == bare


def test_coverage_and_sweeps_come_back(tmp_path: Path) -> None:
    zone = timezone(timedelta(hours=2))
    asked = datetime(2024, 3, 1, 12, 0, 0, 7, tzinfo=zone)
    window = Window(date(2024, 1, 1), date(2024, 1, 1), "080000", "115959.999999", "ModalitiesInStudy=CT")
    full = Coverage(
        "main", Level.STUDY, window, WindowState.COMPLETE, 500, "s1", asked, 9, 0, 500, 3, 2, 1, "cap suspected", 4
    )
    open_ended = Coverage(
        "main", Level.SERIES, Window(), WindowState.COMPLETE, 0, "s1", asked + timedelta(seconds=1), 0
    )
    capped = Coverage("main", Level.STUDY, Window(), WindowState.CAPPED, 0, "s1", asked, 0)
    first = SweepRecord("s1", "main", (Level.STUDY, Level.SERIES), date(2024, 1, 1), None, SweepState.RUNNING, asked)
    last = SweepRecord(
        "s1",
        "main",
        (Level.STUDY, Level.SERIES),
        date(2024, 1, 1),
        None,
        SweepState.PARTIAL,
        asked,
        asked,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
    )
    with LakeWriter.open(tmp_path) as writer:
        writer.commit([full, open_ended, capped, covered(1, "s2")], [first])
        writer.commit([], [last])
    assert complete_windows(tmp_path, "main", "s1") == [full, open_ended]
    assert complete_windows(tmp_path, "other", "s1") == []
    assert last_sweep(tmp_path, "main", [Level.STUDY, Level.SERIES], (date(2024, 1, 1), None)) == last
    assert last_sweep(tmp_path, "main", [Level.STUDY], (date(2024, 1, 1), None)) is None
    assert last_sweep(tmp_path, "main", [Level.STUDY, Level.SERIES], (None, None)) is None


def test_rows_without_their_key_are_kept_as_rejects(tmp_path: Path) -> None:
    raw = [{"tag": "0020000D", "value": b"bad"}]
    rows: list[dict[str, Any]] = [
        {"StudyDescription": "Ä", "StudyDate": date(2024, 1, 1), "raw": raw},
        {"StudyInstanceUID": ""},
    ]
    with LakeWriter.open(tmp_path) as writer:
        staged = writer.stage(Level.STUDY, "main", "s1", answers(Level.STUDY, rows))
        writer.commit()
    assert (staged.rows, staged.rejects, staged.inserted) == (2, 2, 0)
    with open_lake(tmp_path) as lake:
        found = lake.sql("SELECT pacs, level, sweep_id, reason, answer, raw FROM rejects").fetchall()
        assert lake.sql("SELECT count(*) FROM studies").fetchall() == [(0,)]
    assert found[0][:4] == ("main", "study", "s1", "no StudyInstanceUID")
    assert json.loads(found[0][4]) == {"StudyDescription": "Ä", "StudyDate": "2024-01-01"}
    assert found[0][5] == raw
    assert found[1][4] == '{"StudyInstanceUID": ""}'


def test_one_uid_at_two_pacs_is_two_rows(tmp_path: Path) -> None:
    with LakeWriter.open(tmp_path) as writer:
        for pacs in ("main", "other"):
            assert writer.stage(Level.STUDY, pacs, "s1", studies([("1.1", "CT")])).inserted == 1
        writer.commit()
    assert [(pacs.pacs, pacs.rows) for pacs in status_of(tmp_path).pacs] == [
        ("main", {"studies": 1}),
        ("other", {"studies": 1}),
    ]


def test_status_follows_the_commits(tmp_path: Path) -> None:
    with LakeWriter.open(tmp_path) as writer:
        assert status_of(tmp_path).pacs == []
        writer.stage(Level.STUDY, "main", "s1", studies([("1.1", "CT")]))
        interrupted = Coverage(
            "main", Level.STUDY, covered(1).window, WindowState.INTERRUPTED, 1, "s1", ASKED - timedelta(hours=1), 4
        )
        writer.commit([interrupted], [sweep("s1", SweepState.INTERRUPTED)])
        assert status_of(tmp_path).pacs[0].windows == {("study", "interrupted"): 1}
        writer.commit([covered(1)], [sweep("s1", SweepState.COMPLETE)])
        [pacs] = status_of(tmp_path).pacs
    assert pacs.windows == {("study", "complete"): 1}
    assert pacs.last_sweep is not None
    assert (pacs.last_sweep.state, pacs.last_sweep.started_at, pacs.last_sweep.finished_at) == ("complete", ASKED, None)
    assert status_of(tmp_path).version == 2


def test_a_commit_of_nothing_is_none(tmp_path: Path) -> None:
    with LakeWriter.open(tmp_path) as writer:
        assert writer.stage(Level.STUDY, "main", "s1", studies([])).rows == 0
        assert writer.commit() == 0
        writer.stage(Level.STUDY, "main", "s1", studies([("1.1", "CT")]))
        assert writer.commit() == 1
        writer.stage(Level.STUDY, "main", "s1", studies([("1.1", "CT")]))
        assert writer.commit() == 1


def test_files_of_a_release_with_other_columns_are_matched_by_name(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    with LakeWriter.open(tmp_path) as writer:
        writer.stage(Level.STUDY, "main", "s1", studies([("1.1", "CT")]))
        writer.commit()
    with open_lake(tmp_path) as lake:
        [file] = [lake.path / "log" / file.path for file in lake.files()]
    older = pq.read_table(file, partitioning=None).drop_columns(["StudyID", "faults"])
    from crawler.lake.log import LogFile
    from crawler.lake.views import view_statements

    renamed = file.with_name("v000000000001-00000000-ffffffff.parquet")
    pq.write_table(older, renamed)
    import duckdb

    with duckdb.connect() as connection:
        path = str(renamed.relative_to(tmp_path / "log"))
        for statement in view_statements(tmp_path / "log", [LogFile("study", path, 1, 0)], 1):
            connection.execute(statement)
        found = connection.execute("SELECT StudyInstanceUID, StudyID, faults FROM studies").fetchall()
    assert found == [("1.1", None, None)]


def test_moments_become_utc_without_zone() -> None:
    assert naive_utc(datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))) == datetime(2024, 1, 1)
    assert naive_utc(datetime(2024, 1, 1)) == datetime(2024, 1, 1)


def test_every_level_has_a_table() -> None:
    assert set(LEVELS) == set(TABLES)
