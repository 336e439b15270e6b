"""A lake that holds what one question brought, and is thrown away with it. Touches: disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb

from crawler.errors import LakeError, NoLakeError
from crawler.lake.memory import Memory
from crawler.lake.query import Lake, open_lake
from crawler.lake.schema import TABLES
from crawler.model import Level, Window

_UNKNOWN = "CAST(NULL AS TIMESTAMP) AS first_seen_at, CAST(NULL AS TIMESTAMP) AS changed_at, NULL::VARCHAR AS sweep_id"
"""What a PACS does not say of a row, and only a lake that has watched it for some time knows."""

_PARENTS = {
    Level.SERIES: ("studies", "StudyInstanceUID", "NumberOfStudyRelatedSeries"),
    Level.IMAGE: ("series", "StudyInstanceUID, SeriesInstanceUID", "NumberOfSeriesRelatedInstances"),
}


@contextmanager
def open_passing(path: Path) -> Iterator[Lake]:
    """Open it with just the tables that a PACS can fill, under the names that a lake has them under."""
    with open_lake(path) as lake:
        lake.sql("CREATE SCHEMA live")
        for table in (name for entity, name in TABLES.items() if entity != "worklist"):
            lake.sql(f"CREATE VIEW live.{table} AS SELECT * REPLACE ({_UNKNOWN}) FROM main.{table}")
        lake.sql("SET search_path = 'live'")
        yield lake


def parents(path: Path, level: Level, conditions: Sequence[str]) -> dict[tuple[str, ...], int | None]:
    """Give the unique keys of studies, or series, below which is asked, and how many rows the PACS counts there.

    They meet one of the conditions; a condition that fails for some row is met by each.
    """
    table, keys, counted = _PARENTS[level]
    query = f"SELECT {keys}, {counted} FROM {table}"
    with open_lake(path) as lake:
        try:
            rows = lake.sql(f"{query} WHERE {' OR '.join(f'({one})' for one in conditions)} ORDER BY ALL").fetchall()
        except duckdb.Error:
            rows = lake.sql(f"{query} ORDER BY ALL").fetchall()
    return {tuple(keys): count for *keys, count in rows}


def counted(path: Path, pacs: str) -> int | None:
    """Give how many studies of a PACS a lake has; None where there is no lake or nothing of this PACS."""
    try:
        with open_lake(path) as lake:
            found = lake.connection.execute("SELECT count(*) FROM studies WHERE pacs = ?", [pacs]).fetchone()
    except LakeError:
        return None
    return found[0] if found and found[0] else None


def busy_near(path: Path, pacs: str, days: tuple[date | None, date | None]) -> tuple[Window, ...]:
    """Give days with studies near these, as far as a lake knows some: asked for together they prove empty days."""
    try:
        memory = Memory(path, pacs, 0, (None, None))
    except NoLakeError:
        return ()
    found = memory.neighbours(*days)
    memory.close()
    return found
