"""docs/engines.md: each engine reads and joins the current rows of a lake with a history as the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from deltalake import DeltaTable

import crawler
from crawler.lake.schema import ENTITIES
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.acceptance.installed import ENVIRONMENT
from tests.property.lake.answers import answers, covered, sweep

PAGE = (Path(__file__).parents[2] / "docs" / "engines.md").read_text()
ONE_TABLE, JOINS = PAGE.split("\n## Python: a join\n")
ENGINE = re.compile(r"import (duckdb|polars|daft)|to_(pandas|pyarrow)|(SparkSession)")
[STATEMENTS] = re.findall(r"```sql\n(create or replace view .*?)```", PAGE, re.DOTALL)
LEAVE = "\nimport os, sys; sys.stdout.flush(); os._exit(0)"
"""Threads of Daft now and then crash an interpreter that is being shut down, long after the answer was printed."""


def examples(part: str) -> dict[str, str]:
    blocks = re.findall(r"```python\n(.*?)```", part, re.DOTALL)
    return {"".join(ENGINE.findall(block)[0]): block for block in blocks}


READS, JOINED = examples(ONE_TABLE), examples(JOINS)


def studies(*counts: int) -> Any:
    return answers(
        Level.STUDY,
        [{"StudyInstanceUID": f"1.{at}", "NumberOfStudyRelatedSeries": one} for at, one in enumerate(counts)],
    )


def series(study: str, modality: str, *counts: int) -> Any:
    """Give series of a study with so many instances each."""
    return answers(
        Level.SERIES,
        [
            {
                "StudyInstanceUID": study,
                "SeriesInstanceUID": f"{study}.{at}",
                "Modality": modality,
                "NumberOfSeriesRelatedInstances": count,
            }
            for at, count in enumerate(counts)
        ],
    )


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a lake of three studies, 4 + 2 + 3 series by their counts, and with a past.

    Studies and series were others before, one of each vanished, a series came back. Two series have no study: of one it
    vanished, of the other it is at another PACS.
    """
    folder = tmp_path_factory.mktemp("changed")
    with LakeWriter.open(folder / "lake") as writer:
        writer.stage(Level.STUDY, "main", "s1", studies(1, 2, 3, 9))
        writer.stage(Level.SERIES, "main", "s1", series("1.0", "CT", 10, 20))
        writer.stage(Level.SERIES, "main", "s1", series("1.1", "MR", 5))
        writer.stage(Level.SERIES, "other", "s1", series("1.1", "MR", 5000))
        writer.stage(Level.SERIES, "main", "s1", series("1.3", "CT", 7))
        writer.stage(Level.IMAGE, "main", "s1", answers(Level.IMAGE, [{"SOPInstanceUID": "1.3", "Rows": 512}]))
        writer.commit([covered(2)], [sweep()])
        writer.stage(Level.STUDY, "main", "s2", studies(7))
        writer.stage(Level.SERIES, "main", "s2", series("1.0", "CT", 11))
        writer.remove(Level.STUDY, "main", "s2", ["1.3"])
        writer.remove(Level.SERIES, "main", "s2", ["1.0.1", "1.1.0"])
        writer.commit()
        writer.stage(Level.STUDY, "main", "s3", studies(4))
        writer.stage(Level.SERIES, "main", "s3", series("1.0", "CT", 12))
        writer.stage(Level.SERIES, "main", "s3", series("1.1", "MR", 6))
        writer.stage(Level.SERIES, "main", "s3", series("1.2", "CT", 100))
        writer.commit()
    return folder


def last_statement() -> str:
    return str(STATEMENTS.split(";")[-2])


@pytest.fixture(scope="module")
def joined(changed: Path) -> str:
    """Give what the lake itself answers to the join of the page, as the examples print it."""
    with crawler.open_lake(changed / "lake") as lake:
        rows = lake.sql(last_statement()).fetchall()
    assert rows == [("CT", 2, 2, 112), ("MR", 1, 1, 6)]
    return "".join(" ".join(map(str, row)) + "\n" for row in rows)


def test_the_page_has_an_example_for_each_engine() -> None:
    assert set(READS) == {"duckdb", "polars", "pandas", "pyarrow", "daft", "SparkSession"}
    assert set(JOINED) == {"daft", "polars"}


@pytest.mark.parametrize("engine", ["duckdb", "polars", "pandas", "pyarrow"])
def test_an_engine_reads_the_current_rows(changed: Path, engine: str) -> None:
    assert printed_by(Path(sys.executable), READS[engine], changed) == "3 9\n"


def test_polars_joins_the_current_rows(changed: Path, joined: str) -> None:
    assert printed_by(Path(sys.executable), JOINED["polars"], changed) == joined


def test_daft_reads_and_joins_the_current_rows(changed: Path, joined: str, daft_python: Callable[[], Path]) -> None:
    both = f"{READS['daft']}\n{JOINED['daft']}{LEAVE}"
    assert printed_by(daft_python(), both, changed) == f"3 9\n{joined}"


@pytest.fixture
def log_in_duckdb(changed: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give DuckDB with the log as nothing but a Delta table, as another engine would see it."""
    with duckdb.connect() as connection:
        connection.register("pacslake_log", DeltaTable(changed / "lake" / "log").to_pyarrow_dataset())
        yield connection


@pytest.mark.parametrize("dialect", ["duckdb", "spark", "databricks", "trino", "snowflake"])
def test_the_statements_mean_the_same_in_each_dialect(
    log_in_duckdb: duckdb.DuckDBPyConnection, joined: str, dialect: str
) -> None:
    for statement in sqlglot.transpile(STATEMENTS, read=dialect, write="duckdb"):
        answer = log_in_duckdb.execute(statement)
    assert "".join(" ".join(map(str, row)) + "\n" for row in answer.fetchall()) == joined
    assert log_in_duckdb.execute("select count(*) from series").fetchall() == [(5,)]


def test_the_page_says_of_each_entity_which_rows_are_current() -> None:
    [table] = re.findall(r"\| entity \| current are \|\n\|---\|---\|\n(.*?)\n\n", PAGE, re.DOTALL)
    named = [name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(named) == sorted(ENTITIES)


def printed_by(python: Path, block: str, folder: Path) -> str:
    command = [str(python), "-W", "error", "-c", block]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
