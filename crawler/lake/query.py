"""Reading a lake by SQL: in memory over the newest commit, and the `lake.duckdb` that others open. Touches: disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import duckdb

from crawler.lake.files import sync
from crawler.lake.log import LogFile, log_folder, open_table, read_files
from crawler.lake.schema import literal
from crawler.lake.views import view_statements

NO_EXTENSIONS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
CATALOG = "lake.duckdb"


class Lake:
    """A lake opened for reading, as it was at one commit. Keep one for each thread."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self._table = open_table(self.path)
        self.connection = duckdb.connect(config=NO_EXTENSIONS)
        self._make_views()

    @property
    def version(self) -> int:
        """The version of the log that is read."""
        return self._table.version()

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Ask in SQL; the relation gives rows, Arrow, pandas or polars."""
        return self.connection.sql(query)

    def refresh(self) -> int:
        """Move on to the newest commit; gives its version."""
        before = self.version
        self._table.update_incremental()
        if self.version != before:
            self._make_views()
        return self.version

    def files(self) -> list[LogFile]:
        """List the active Parquet files."""
        return read_files(self._table)

    def close(self) -> None:
        """Close the connection; relations made from it end with it."""
        self.connection.close()

    def __enter__(self) -> Lake:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make_views(self) -> None:
        _execute_at_once(self.connection, view_statements(log_folder(self.path), self.files(), self.version))


def open_lake(path: str | os.PathLike[str]) -> Lake:
    """Open a lake for reading. NoLakeError where there is none."""
    return Lake(path)


def publish_catalog(connection: duckdb.DuckDBPyConnection, lake: Path, active: Sequence[LogFile], version: int) -> None:
    """Replace `lake.duckdb` by one whose views show this version."""
    target = lake / CATALOG
    fresh = target.with_name(f"{CATALOG}.new")
    for stale in (fresh, fresh.with_name(f"{fresh.name}.wal")):
        stale.unlink(missing_ok=True)
    with connection.cursor() as cursor:
        cursor.execute(f"ATTACH {literal(str(fresh))} AS catalog (STORAGE_VERSION 'v1.0.0'); USE catalog")
        _execute_at_once(cursor, view_statements(log_folder(lake), active, version))
        cursor.execute("USE memory; DETACH catalog")
    sync(fresh)
    os.replace(fresh, target)
    sync(lake)


def _execute_at_once(connection: duckdb.DuckDBPyConnection, statements: list[str]) -> None:
    connection.execute(";\n".join(["BEGIN", *statements, "COMMIT"]))
