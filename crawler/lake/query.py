"""Reading a lake by SQL, in memory over the newest commit. Touches: disk."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import Self

import duckdb

from crawler.errors import LakeError, UserError
from crawler.lake.commits import log_folder
from crawler.lake.engine import connect
from crawler.lake.log import HISTORY_KEY, LogFile, added_columns, open_table, opened, properties_of, read_files
from crawler.lake.moments import end_of
from crawler.lake.remote import pull
from crawler.lake.schema import Added
from crawler.lake.views import view_statements


class Lake:
    """A lake opened for reading, as it was at one commit. Keep one for each thread."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        as_of: datetime | None = None,
        connection: duckdb.DuckDBPyConnection | None = None,
        *,
        pulls: bool = True,
    ) -> None:
        """Open it, with a DuckDB of its own or a given one, in whose current schema the tables appear.

        `pulls` is false for a process that may not reach the store of a working copy: its service does it.
        """
        self.path = Path(path).absolute()
        self._pulls = pulls
        self._table = open_table(self.path) if pulls else opened(self.path)
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
        if self._pulls:
            pull(self.path)
        self._table.update_incremental()
        if self.version != before:
            self._make_views()
        return self.version

    def files(self) -> list[LogFile]:
        """List the active Parquet files."""
        return read_files(self._table)

    def close(self) -> None:
        """Close the connection; relations made from it end with it. What is still at work with it keeps it."""
        with suppress(duckdb.ResourceInUseException):
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


def _execute_at_once(connection: duckdb.DuckDBPyConnection, statements: list[str]) -> None:
    connection.execute(";\n".join(["BEGIN", *statements, "COMMIT"]))
