"""Reading a lake by SQL: in memory over the newest commit, and the `lake.duckdb` that others open. Touches: disk."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Self

import duckdb

from crawler.errors import LakeError, UserError
from crawler.lake.commits import log_folder
from crawler.lake.engine import connect
from crawler.lake.files import digest, sync
from crawler.lake.log import HISTORY_KEY, Log, LogFile, added_columns, open_table, properties_of, read_files
from crawler.lake.moments import end_of
from crawler.lake.schema import Added, literal
from crawler.lake.views import catalog_statements, view_statements

CATALOG = "lake.duckdb"
_WITNESS = "keys/catalog"
"""Digests of what the views were made of, and of the file: to make it takes ten times as long as to look."""


class Lake:
    """A lake opened for reading, as it was at one commit. Keep one for each thread."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        as_of: datetime | None = None,
        connection: duckdb.DuckDBPyConnection | None = None,
    ) -> None:
        """Open it, with a DuckDB of its own or a given one, in whose current schema the tables appear."""
        self.path = Path(path).absolute()
        self._table = open_table(self.path)
        self._as_of = as_of
        if as_of and self.history_from and as_of < self.history_from:
            raise UserError(f"The history of {self.path} is whole since {self.history_from} UTC only; ask for later.")
        self.connection = connection or connect()
        self._make_views()

    @property
    def version(self) -> int:
        """The version of the log that is read."""
        return self._table.version()

    @property
    def added(self) -> Added:
        """The columns of each entity that users added to the catalogue's."""
        return added_columns(properties_of(self._table))

    @property
    def history_from(self) -> datetime | None:
        """The moment (naive UTC) since which every version is kept; None where all are."""
        kept = properties_of(self._table).get(HISTORY_KEY)
        return datetime.fromisoformat(kept) if kept else None

    def as_of(self, moment: str | date) -> Lake:
        """Open the same lake with all tables as they were known then: a moment, in UTC, or the end of a day.

        UserError where versions of that time are no longer kept.
        """
        return Lake(self.path, end_of(moment))

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make_views(self) -> None:
        added = added_columns(properties_of(self._table))
        folder, active = log_folder(self.path), self.files()
        try:
            _execute_at_once(self.connection, view_statements(folder, active, self.version, self._as_of, added))
        except duckdb.OutOfMemoryException as error:
            raise LakeError(f"Memory ran out when {self.path} was opened: let this process have more.") from error
        except duckdb.Error as error:
            raise LakeError(f"Files of {self.path} cannot be read. `pacslake verify` says which.") from error


def open_lake(path: str | os.PathLike[str], as_of: str | date | None = None) -> Lake:
    """Open a lake for reading, as it is or as it was known then. NoLakeError where there is none."""
    return Lake(path, end_of(as_of) if as_of is not None else None)


def publish_catalog(connection: duckdb.DuckDBPyConnection, lake: Path, log: Log) -> None:
    """Replace `lake.duckdb` by one whose views show the log's version, unless it is that already."""
    target, witness = lake / CATALOG, lake / _WITNESS
    statements = catalog_statements(log)
    made_of = sha256("\n".join([duckdb.__version__, *statements]).encode()).hexdigest()
    with suppress(OSError):  # there is none, or no witness
        if witness.read_bytes() == f"{made_of} {digest(target)}".encode():
            return
    fresh = target.with_name(f"{CATALOG}.new")
    write_catalog(connection, fresh, statements)
    sync(fresh)
    made = f"{made_of} {digest(fresh)}"
    os.replace(fresh, target)
    sync(lake)
    witness.write_text(made)


def write_catalog(connection: duckdb.DuckDBPyConnection, target: Path, statements: list[str]) -> None:
    """Write a DuckDB file that holds these views. LakeError where that cannot be written."""
    for stale in (target, target.with_name(f"{target.name}.wal")):
        stale.unlink(missing_ok=True)
    with connection.cursor() as cursor:
        try:
            cursor.execute(f"ATTACH {literal(str(target))} AS catalog (STORAGE_VERSION 'v1.0.0'); USE catalog")
            _execute_at_once(cursor, statements)
            cursor.execute("USE memory; DETACH catalog")
        except (duckdb.IOException, duckdb.TransactionException) as error:
            with suppress(duckdb.Error):
                cursor.execute("ROLLBACK")
            cursor.execute("USE memory; DETACH DATABASE IF EXISTS catalog")
            raise LakeError(f"{target} cannot be written; look whether its disk is full ({error})") from error


def _execute_at_once(connection: duckdb.DuckDBPyConnection, statements: list[str]) -> None:
    connection.execute(";\n".join(["BEGIN", *statements, "COMMIT"]))
