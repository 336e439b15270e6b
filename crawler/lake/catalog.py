"""Reading a lake by `lake.duckdb` alone: neither deltalake nor pyarrow is imported, for commands that must be quick.

Touches: disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path

import duckdb

from crawler.errors import LakeError, NoLakeError
from crawler.model import Coverage, Level, Window, WindowState


@contextmanager
def open_catalog(path: str | os.PathLike[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the views of a lake as they were left by the last commit. NoLakeError where there is none."""
    lake = Path(path).absolute()
    catalog = lake / "lake.duckdb"
    if not catalog.is_file():
        raise NoLakeError(f"There is no lake at {lake}. Run `pacslake sweep` to make one, or check [lake] path.")
    try:
        # A copy in memory: within one process DuckDB would answer from the first file it opened under this name.
        with duckdb.connect() as connection:
            connection.execute(f"ATTACH {_literal(str(catalog))} AS lake (READ_ONLY)")
            connection.execute("USE lake")
            yield connection
    except duckdb.Error as error:
        raise LakeError(f"{catalog} cannot be read ({error}). The next sweep writes it anew.") from error


def ledger_of(path: str | os.PathLike[str]) -> dict[str, list[Coverage]]:
    """Give the whole coverage ledger by PACS; `asked_at` is in this machine's zone, whose days people speak of."""
    query = """SELECT pacs, level, date_from, date_to, time_from, time_to, "key", state, "rows", sweep_id, asked_at,
        took_ms, queries, reason FROM windows ORDER BY pacs"""
    ledger: dict[str, list[Coverage]] = {}
    with open_catalog(path) as connection:
        for pacs, level, *window, state, rows, sweep_id, asked_at, took_ms, queries, reason in connection.execute(
            query
        ).fetchall():
            ledger.setdefault(pacs, []).append(
                Coverage(
                    pacs,
                    Level(level),
                    Window(*window),
                    WindowState(state),
                    rows,
                    sweep_id,
                    asked_at.replace(tzinfo=UTC).astimezone(),
                    took_ms,
                    queries=queries,
                    reason=reason,
                )
            )
    return ledger


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
