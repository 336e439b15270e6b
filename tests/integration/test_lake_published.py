"""`lake.duckdb` is the same, whether it was made whole or changed commit by commit."""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from crawler.columns import schema
from crawler.lake.flaws import Harm
from crawler.lake.published import publish_catalog
from crawler.lake.upkeep import Wanted, maintain
from crawler.lake.verify import verify
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from tests.property.lake.answers import covered, studies, sweep

VIEWS = "SELECT view_name, sql FROM duckdb_views() WHERE database_name = 'lake' ORDER BY ALL"
SAID = {"description": "Weight", "null": "not said", "phi": "keep", "example": "70"}
COLUMNS = """SELECT table_name, column_name, data_type, comment FROM duckdb_columns()
    WHERE database_name = 'lake' ORDER BY ALL"""


def said(lake: Path) -> tuple[list[Any], ...]:
    """Give the views of `lake.duckdb`, their columns with comments, and how many rows each has.

    Of a view it is the words in some order, as DuckDB itself shuffles those of EXCLUDE.
    """
    with duckdb.connect(lake / "lake.duckdb", read_only=True) as catalog:
        views, columns = catalog.sql(VIEWS).fetchall(), catalog.sql(COLUMNS).fetchall()
        words = [(name, sorted(re.findall(r"\w+", made_by))) for name, made_by in views]
        return words, columns, [catalog.sql(f"SELECT count(*) FROM {name}").fetchall() for name, _ in views]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def assert_as_made_whole(lake: Path) -> None:
    changed = said(lake)
    (lake / "keys/catalog").unlink()
    LakeWriter.open(lake).close()
    assert said(lake) == changed
    assert all(comment for table, *_, comment in changed[1] if table in ("studies", "windows"))
    assert not [flaw for flaw in verify(lake).flaws if flaw.harm is Harm.CACHE]


def test_who_verifies_while_it_is_written_sees_no_flaw(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = threading.Event()

    def late(*given: Any) -> None:
        committed.set()
        time.sleep(1)
        publish_catalog(*given)

    with LakeWriter.open(lake) as writer, ThreadPoolExecutor(1) as other:
        monkeypatch.setattr("crawler.lake.writer.publish_catalog", late)
        writer.stage(Level.STUDY, "main", "s1", studies([("1.1", "CT")]))
        committing = other.submit(writer.commit, [covered(1)], [sweep("s1")])
        assert committed.wait(10)
        seen = verify(lake)
        committing.result()
    assert not [flaw for flaw in seen.flaws if flaw.harm is Harm.CACHE]
    assert not seen.notes


def test_views_changed_by_commits_are_those_made_whole(lake: Path) -> None:
    with LakeWriter.open(lake) as writer:
        for number in range(1, 6):
            writer.stage(Level.STUDY, "main", "s1", studies([(f"1.{number}", "CT"), ("1.9", f"look {number}")]))
            writer.commit([covered(2, day=date(2026, 1, number))], [sweep(f"s{number}")])
    assert_as_made_whole(lake)


def test_views_of_added_attributes_and_of_upkeep_are_those_made_whole(lake: Path) -> None:
    field = pa.field("Weight", pa.int64(), metadata={"tag": "00101030", "vr": "IS", **SAID})
    rows = [{"StudyInstanceUID": "1.1", "Weight": 70}]
    added = pa.Table.from_pylist(rows, schema=schema(Level.STUDY).append(field))
    with LakeWriter.open(lake) as writer:
        writer.stage(Level.STUDY, "main", "s1", studies([("1.1", "CT")]))
        writer.commit([covered(1)])
        writer.stage(Level.STUDY, "main", "s2", added)
        writer.commit([covered(1)])
        writer.stage(Level.STUDY, "main", "s3", studies([("1.2", "CT")]))
        writer.commit([covered(1)])
        maintain(writer, Wanted())
    assert_as_made_whole(lake)


def test_the_file_does_not_grow_with_the_commits(lake: Path) -> None:
    sizes = []
    with LakeWriter.open(lake) as writer:
        for number in range(60):
            writer.commit(sweeps=[sweep(f"s{number % 3}")])
            sizes.append((lake / "lake.duckdb").stat().st_size)
    assert sizes[-1] < 2 * sizes[0]
