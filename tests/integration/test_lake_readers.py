"""Others who use the lake at the same time, from this process and from others."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable

import crawler
from crawler.errors import LakeLockedError
from crawler.lake.status import status_of
from crawler.lake.writer import LakeWriter
from crawler.model import Level, SweepState
from tests.property.lake.answers import answers, covered, studies, sweep

ROOT = Path(__file__).parents[2]
WRITE_MANY = """
import sys
from datetime import date, timedelta
from crawler.lake.writer import LakeWriter
from crawler.model import Level, SweepState
from tests.property.lake.answers import covered, studies
with LakeWriter.open(sys.argv[1]) as writer:
    for number in range(15):
        day = date(2024, 1, 1) + timedelta(days=number)
        writer.stage(Level.STUDY, "main", "s1", studies((f"1.{number}.{at}", "CT") for at in range(50)))
        writer.stage(Level.STUDY, "main", "s1", studies([("1.9", f"look {number}")]))
        writer.commit([covered(50, day=day)])
"""
HOLD = """
import sys
from crawler.lake.writer import LakeWriter
with LakeWriter.open(sys.argv[1]):
    print("held", flush=True)
    input()
"""
PLAIN_DUCKDB = "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).sql(sys.argv[2]).fetchall())"


def python(*arguments: str) -> list[str]:
    return [sys.executable, "-c", *arguments]


def test_a_reader_sees_whole_commits_while_one_writes(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    LakeWriter.open(lake).close()
    reads = 0
    with subprocess.Popen(python(WRITE_MANY, str(lake)), cwd=ROOT) as process, crawler.open_lake(lake) as opened:
        while process.poll() is None:
            opened.refresh()
            counts = "(SELECT count(*) FROM windows), (SELECT count(*) FROM studies)"
            [(windows, found, version)] = opened.sql(f"SELECT {counts}, version FROM lake_version").fetchall()
            assert (found, version) == (windows * 50 + (windows > 0), windows)
            in_catalog = status_of(lake)
            for pacs in in_catalog.pacs:
                assert pacs.rows["studies"] == 50 * in_catalog.version + 1
            reads += 1
            time.sleep(0.01)
        assert process.returncode == 0
        assert opened.refresh() == 15
    assert reads > 3


def test_one_owner(tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(python(HOLD, str(tmp_path)), cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(LakeLockedError, match=f"process {process.pid} on "):
            LakeWriter.open(tmp_path)
        process.kill()
        process.wait()
    LakeWriter.open(tmp_path).close()


def test_plain_duckdb_answers_the_same(tmp_path: Path) -> None:
    lake = tmp_path / "it's a lake"
    with LakeWriter.open(lake) as writer:
        writer.stage(Level.STUDY, "main", "s1", studies([("1.1", "CT"), ("1.2", "MR")]))
        writer.commit([covered(2)], [sweep()])
        writer.stage(Level.STUDY, "main", "s1", studies([("1.1", "CT again")]))
        writer.commit([covered(1, day=date(2024, 1, 2))], [sweep(state=SweepState.COMPLETE)])
    queries = [
        "SELECT * FROM studies ORDER BY ALL",
        "SELECT * FROM studies_history ORDER BY ALL",
        "SELECT * FROM windows ORDER BY ALL",
        "SELECT * FROM sweeps",
        "SELECT count(*) FROM instances",
        "SELECT count(*) FROM rejects",
    ]
    for query in queries:
        plain = subprocess.run(
            python(PLAIN_DUCKDB, str(lake / "lake.duckdb"), query), check=True, capture_output=True, text=True
        )
        with crawler.open_lake(lake) as opened:
            assert plain.stdout == f"{opened.sql(query).fetchall()}\n"
        assert plain.stderr == ""


def test_no_extension_is_loaded_for_reading(tmp_path: Path) -> None:
    LakeWriter.open(tmp_path).close()
    loaded = "SELECT extension_name FROM duckdb_extensions() WHERE loaded ORDER BY 1"
    with crawler.open_lake(tmp_path) as lake, duckdb.connect() as plain:
        assert lake.sql(loaded).fetchall() == plain.sql(loaded).fetchall()


def test_a_lake_of_many_commits_opens_quickly(tmp_path: Path) -> None:
    with LakeWriter.open(tmp_path) as writer:
        for number in range(120):
            writer.commit(sweeps=[sweep(f"s{number}")])
        slices = [{"SOPInstanceUID": f"1.{at}"} for at in range(3)]
        writer.stage(Level.IMAGE, "main", "s1", answers(Level.IMAGE, slices))
        writer.commit([covered(3, day=date(2024, 1, 1) + timedelta(days=3))])
    started = time.perf_counter()
    with crawler.open_lake(tmp_path) as lake:
        assert lake.sql("SELECT count(*) FROM sweeps").fetchall() == [(120,)]
        assert lake.sql("SELECT count(*) FROM instances").fetchall() == [(3,)]
    assert time.perf_counter() - started < 2
    assert (tmp_path / "log" / "_delta_log" / f"{100:020d}.checkpoint.parquet").exists()


def test_other_delta_readers_read_the_log(tmp_path: Path) -> None:
    with LakeWriter.open(tmp_path) as writer:
        writer.stage(Level.STUDY, "main", "s1", studies([("1.1", "CT"), ("1.2", "MR")]))
        writer.stage(Level.IMAGE, "main", "s1", answers(Level.IMAGE, [{"SOPInstanceUID": "1.3", "Rows": 512}]))
        writer.commit([covered(2)], [sweep()])
        writer.stage(Level.STUDY, "main", "s1", studies([("1.1", "CT again")]))
        writer.commit()
    log = DeltaTable(tmp_path / "log").to_pyarrow_table(
        columns=["entity", "row_id", "supersedes", "StudyDescription", "Rows"]
    )
    rows = log.to_pylist()
    superseded = {row["supersedes"] for row in rows}
    current = [row for row in rows if row["row_id"] not in superseded]
    assert sorted(row["StudyDescription"] for row in current if row["entity"] == "study") == ["CT again", "MR"]
    assert [row["Rows"] for row in current if row["entity"] == "instance"] == [512]
    assert sorted(row["entity"] for row in rows) == ["instance", "study", "study", "study", "sweep", "window"]
