"""What is learned about a PACS comes back, in new lakes and in those that were made before anything was learned."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from crawler.lake.query import open_lake
from crawler.lake.resume import complete_windows, findings_of, last_sweep
from crawler.lake.schema import log_schema
from crawler.lake.status import status_of
from crawler.lake.writer import LakeWriter
from crawler.model import Finding, Level
from tests.property.lake.answers import covered

OLD_LAKE = Path(__file__).parents[2] / "lakes" / "before_profiles"
"""12 studies of January 2024 and one without date, swept before there were findings and `windows.undated`."""

FOUND = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
CAP = Finding("main", Level.STUDY, "cap", "500", "two answers of 500 rows", FOUND)
REUSE = Finding("main", None, "one_query_per_association", "yes", "aborted after the first", FOUND)


@pytest.fixture
def old_lake(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD_LAKE, tmp_path / "lake"))


def test_the_newest_finding_of_each_name_and_level_comes_back(tmp_path: Path) -> None:
    later = replace(CAP, value="200", found_at=FOUND + timedelta(days=1))
    other = replace(CAP, pacs="other")
    with LakeWriter.open(tmp_path) as writer:
        writer.commit(findings=[CAP, REUSE])
        writer.commit(findings=[later, other, replace(CAP, level=Level.SERIES)])
        assert writer.version == 2
    assert findings_of(tmp_path, "main") == [replace(CAP, level=Level.SERIES), later, REUSE]
    assert findings_of(tmp_path, "nobody") == []
    with open_lake(tmp_path) as lake:
        columns = ["pacs", "level", "name", "value", "evidence", "found_at"]
        assert lake.sql("FROM pacs_profiles").columns == columns


def test_nothing_is_known_where_there_is_no_lake(tmp_path: Path) -> None:
    assert findings_of(tmp_path / "nowhere", "main") == []


def test_undated_rows_are_counted_in_the_ledger(tmp_path: Path) -> None:
    row = replace(covered(5), undated=3)
    with LakeWriter.open(tmp_path) as writer:
        writer.commit([row])
    assert complete_windows(tmp_path, "main", "s1") == [row]


def test_an_old_lake_can_be_read_as_it_is(old_lake: Path) -> None:
    assert findings_of(old_lake, "main") == []
    with open_lake(old_lake) as lake:
        assert lake.sql("SELECT count(*), sum(undated) FROM windows").fetchall() == [(17, 0)]
        assert lake.sql("SELECT count(*) FROM studies").fetchall() == [(13,)]


def test_an_old_lake_takes_what_is_new(old_lake: Path) -> None:
    before = last_sweep(old_lake, "main", [Level.STUDY], (None, None))
    with LakeWriter.open(old_lake) as writer:
        writer.commit([replace(covered(5), undated=3)], findings=[CAP])
    assert findings_of(old_lake, "main") == [CAP]
    assert before is not None
    assert last_sweep(old_lake, "main", [Level.STUDY], (None, None)) == before
    assert status_of(old_lake).pacs[0].rows == {"patients": 3, "studies": 13}
    with open_lake(old_lake) as lake:
        assert lake.sql("SELECT count(*), sum(undated) FROM windows").fetchall() == [(18, 3)]


def test_an_old_lake_declares_new_columns_to_other_readers_once(old_lake: Path) -> None:
    LakeWriter.open(old_lake).close()
    table = DeltaTable(old_lake / "log")
    assert {field.name for field in table.schema().fields} == set(log_schema().names)
    LakeWriter.open(old_lake).close()
    assert DeltaTable(old_lake / "log").version() == table.version() == 2
