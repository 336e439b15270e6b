"""The tables of a lake in memory, for one question: what a PACS answered, typed and named as a lake has it.

Also what a lake on disk knows of that PACS beforehand. Touches: disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from crawler import columns
from crawler.columns import Attribute
from crawler.errors import LakeError, NoLakeError
from crawler.lake.change import keyless
from crawler.lake.engine import connect
from crawler.lake.memory import Memory
from crawler.lake.query import open_lake
from crawler.lake.schema import TABLES, literal
from crawler.lake.views import patients_statement
from crawler.model import HIERARCHY, Level, Window

_UNKNOWN = "CAST(NULL AS TIMESTAMP) AS first_seen_at, CAST(NULL AS TIMESTAMP) AS changed_at, "
_UNKNOWN += "CAST(NULL AS TIMESTAMP) AS removed_at, CAST(NULL AS VARCHAR) AS sweep_id"
"""What a PACS does not say of a row, and only a lake that has watched it for some time knows."""

_PARENTS = {
    Level.SERIES: ("studies", "StudyInstanceUID", "NumberOfStudyRelatedSeries"),
    Level.IMAGE: ("series", "StudyInstanceUID, SeriesInstanceUID", "NumberOfSeriesRelatedInstances"),
}


class Passing:
    """Rows that came from one PACS. `tables` shows them; of rows with one key the last counts. For one thread."""

    def __init__(self, pacs: str, added: Sequence[tuple[Level, Attribute]] = ()) -> None:
        self.connection = connect()
        self._pacs = pacs
        self._came: dict[Level, list[pa.Table]] = {}
        for level in HIERARCHY:
            mine = tuple(key for at, key in added if at is level)
            self._came[level] = [columns.schema(level, mine).empty_table()]

    def add(self, level: Level, rows: pa.Table) -> int:
        """Take decoded answers in; gives how many had no key and are left out."""
        bad = keyless(level, rows)
        self._came[level].append(rows.filter(pc.invert(bad)))
        return pc.sum(bad).as_py() or 0

    def tables(self) -> Self:
        """Make the tables anew of all that came."""
        self.connection.register("patients_told", self._came[Level.PATIENT][0])
        for level in HIERARCHY[1:]:
            self.connection.register("came", pa.concat_tables(self._came[level]))
            self.connection.execute(
                f"""CREATE OR REPLACE TABLE {TABLES[level.entity]} AS SELECT {literal(self._pacs)} AS pacs,
                    * EXCLUDE (faults, raw, place), {_UNKNOWN}, faults, raw
                FROM (SELECT *, row_number() OVER () AS place FROM came)
                QUALIFY row_number() OVER (PARTITION BY {level.unique_key} ORDER BY place DESC) = 1"""
            )
        told = f"SELECT {literal(self._pacs)} AS pacs, * EXCLUDE (faults, raw), {_UNKNOWN}, faults, raw"
        self.connection.execute(patients_statement(f"{told} FROM patients_told", f"({told} FROM patients_told)"))
        return self

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Ask in SQL, as a lake is asked."""
        return self.connection.sql(query)

    def parents(self, level: Level, conditions: Sequence[str]) -> dict[tuple[str, ...], int | None]:
        """Give the unique keys of studies, or series, below which is asked, and how many rows the PACS counts there.

        They meet one of the conditions; a condition that fails for some row is met by each.
        """
        table, keys, counted = _PARENTS[level]
        query = f"SELECT {keys}, {counted} FROM {table}"
        try:
            rows = self.sql(f"{query} WHERE {' OR '.join(f'({one})' for one in conditions)} ORDER BY ALL").fetchall()
        except duckdb.Error:
            rows = self.sql(f"{query} ORDER BY ALL").fetchall()
        return {tuple(keys): count for *keys, count in rows}

    def close(self) -> None:
        """Forget all of it."""
        self.connection.close()


def studies_known(path: Path, pacs: str) -> int | None:
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
        memory = Memory(open_lake(path), pacs, 0, (None, None))
    except NoLakeError:
        return ()
    found = memory.neighbours(*days)
    memory.close()
    return found
