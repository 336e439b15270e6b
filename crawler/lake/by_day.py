"""The current studies once more, in the order of their days, for whoever asks for a day of them many times.

Upkeep sorts studies by patient, so that those of a day lie all over a large table: 0.2 s of a million, where this copy
takes 3 ms. It is a cache, a DuckDB file in a folder of the lake that is made anew at each start. Touches: disk.
"""

from __future__ import annotations

from contextlib import suppress

import duckdb

from crawler.errors import LakeError
from crawler.lake.folders import BY_DAY
from crawler.lake.query import Lake
from crawler.lake.schema import literal, quoted

_FILE = "studies.duckdb"
_DATABASE = "by_day"
TABLE = f"{_DATABASE}.studies"
_LATE_PART = 5
"""It is sorted anew when a fifth of its rows came after that."""
_FEW = 10_000
"""So many late rows do no harm in any table."""


class StudiesByDay:
    """The copy for one opened lake. One thread at a time keeps it up; others may read the table meanwhile."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._path = lake.path / BY_DAY / _FILE
        self._is_attached = False
        self._newest = -1
        self._late = 0
        self._columns: list[str] = []

    @property
    def is_ready(self) -> bool:
        """Whether the table is there."""
        return bool(self._columns)

    def follow(self) -> None:
        """Bring it to what the lake shows now. LakeError where it cannot be written; it may then be behind."""
        with self._lake.connection.cursor() as cursor:
            try:
                self._follow(cursor)
            except duckdb.Error as error:
                with suppress(duckdb.Error):
                    cursor.execute("ROLLBACK")
                self._columns = []
                raise LakeError(f"{self._path} cannot be written; look whether its disk is full") from error

    def close(self) -> None:
        """Remove it."""
        if self._is_attached:
            with suppress(duckdb.Error), self._lake.connection.cursor() as cursor:
                cursor.execute(f"DETACH DATABASE IF EXISTS {_DATABASE}")
            self._remove()

    def _follow(self, cursor: duckdb.DuckDBPyConnection) -> None:
        if not self._is_attached:
            self._attach(cursor)
        columns = [name for name, *_ in cursor.execute("DESCRIBE studies").fetchall() if name not in ("raw", "faults")]
        [(newest, count)] = cursor.execute("SELECT coalesce(max(row_id), 0), count(*) FROM studies_history").fetchall()
        if columns != self._columns or newest < self._newest or self._late > max(_FEW, count // _LATE_PART):
            self._sort(cursor, columns)
        elif newest > self._newest:
            self._change(cursor)
        self._newest, self._columns = newest, columns

    def _attach(self, cursor: duckdb.DuckDBPyConnection) -> None:
        with suppress(OSError):  # else DuckDB says it
            self._path.parent.mkdir(exist_ok=True)
        self._remove()
        cursor.execute(f"SET temp_directory = {literal(str(self._path.parent / 'spill'))}")
        cursor.execute(f"ATTACH {literal(str(self._path))} AS {_DATABASE}")
        self._path.chmod(0o600)
        self._is_attached = True

    def _sort(self, cursor: duckdb.DuckDBPyConnection, columns: list[str]) -> None:
        names = ", ".join(map(quoted, columns))
        cursor.execute(f"CREATE OR REPLACE TABLE {TABLE} AS SELECT {names} FROM studies ORDER BY StudyDate, StudyTime")
        cursor.execute(f"CHECKPOINT {_DATABASE}")
        self._late = 0

    def _change(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Replace the studies of which there are new versions."""
        names = ", ".join(map(quoted, self._columns))
        cursor.execute(
            "CREATE OR REPLACE TEMP TABLE changed AS"
            f" SELECT DISTINCT pacs, StudyInstanceUID FROM studies_history WHERE row_id > {self._newest}"
        )
        keys = "(pacs, StudyInstanceUID) IN (SELECT (pacs, StudyInstanceUID) FROM changed)"
        cursor.execute(f"BEGIN; DELETE FROM {TABLE} WHERE {keys}")
        cursor.execute(f"INSERT INTO {TABLE} SELECT {names} FROM studies WHERE {keys}")
        cursor.execute("COMMIT")
        [(changed,)] = cursor.execute("SELECT count(*) FROM changed").fetchall()
        self._late += changed

    def _remove(self) -> None:
        for file in (self._path, self._path.with_name(f"{_FILE}.wal")):
            file.unlink(missing_ok=True)
