"""Reading a lake by `lake.duckdb` alone: neither deltalake nor pyarrow is imported, for commands that must be quick.

Touches: disk.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from crawler.errors import LakeError
from crawler.lake.commits import log_folder, newest_version
from crawler.lake.engine import connect
from crawler.lake.format import refuse_newer
from crawler.lake.remote import no_lake, pull
from crawler.model import Coverage, Level, SweepRecord, SweepState, Window, WindowState

OWN_PLACE = "outcome <> 'other' AND NOT contains(path, '-')"
"""Which rows of `files` are at their instance's own place in the store; other bytes of it lie beside, under a name with
a hyphen."""


@contextmanager
def open_catalog(path: str | os.PathLike[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the views of a lake as they were left by the last commit. NoLakeError where there is none.

    LakeError where they cannot be read, or are gone while the lake is there; StoreError.
    """
    lake = Path(path).absolute()
    pull(lake)
    catalog = lake / "lake.duckdb"
    if not catalog.is_file():
        if newest_version(log_folder(lake)) > 0:  # else it is being made
            raise LakeError(f"{catalog} is missing. The next sweep writes it anew.")
        raise no_lake(lake)
    try:
        # A copy in memory: within one process DuckDB would answer from the first file it opened under this name.
        with connect() as connection:
            attach(connection, catalog)
            connection.execute("USE lake")
            [(_, *said)] = connection.execute("SELECT * FROM lake_version").fetchall()
            refuse_newer(lake, said[0] if said else None)
            yield connection
    except duckdb.Error as error:
        raise LakeError(f"{catalog} cannot be read ({error}). The next sweep writes it anew.") from error


def attach(connection: duckdb.DuckDBPyConnection, catalog: Path) -> None:
    """Attach the file; once more when a commit replaced it while DuckDB, which opens it several times, was reading."""
    statement = f"ATTACH {literal(str(catalog))} AS lake (READ_ONLY)"
    for pause in (0.01, 0.05, 0.25):
        try:
            connection.execute(statement)
        except duckdb.IOException:
            time.sleep(pause)
        else:
            return
    connection.execute(statement)


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that was asked of one PACS. Moments are in this machine's zone, whose days people speak of."""

    rows: list[Coverage] = field(default_factory=list)
    sweeps: list[SweepRecord] = field(default_factory=list)
    """What was to be asked, and when; without their counts."""


def ledgers(path: str | os.PathLike[str]) -> dict[str, Ledger]:
    """Read the ledger of each PACS. NoLakeError where there is no lake."""
    windows = """SELECT pacs, level, date_from, date_to, time_from, time_to, "key", state, "rows", sweep_id, asked_at,
        took_ms, queries, reason FROM windows"""
    sweeps = "SELECT sweep_id, pacs, levels, date_from, date_to, state, started_at FROM sweeps"
    found: defaultdict[str, Ledger] = defaultdict(Ledger)
    with open_catalog(path) as connection:
        for row in connection.execute(windows).fetchall():
            found[row[0]].rows.append(_coverage(row))
        for sweep_id, pacs, levels, first, last, state, started_at in connection.execute(sweeps).fetchall():
            known = (tuple(map(Level, levels)), first, last, SweepState(state), _local(started_at))
            found[pacs].sweeps.append(SweepRecord(sweep_id, pacs, *known))
    return dict(found)


def _coverage(row: tuple[Any, ...]) -> Coverage:
    pacs, level, *window, state, rows, sweep_id, asked_at, took_ms, queries, reason = row
    known = (pacs, Level(level), Window(*window), WindowState(state), rows, sweep_id, _local(asked_at), took_ms)
    return Coverage(*known, queries=queries, reason=reason)


def _local(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC).astimezone()


def literal(text: str) -> str:
    """Quote a string of SQL, as `crawler.lake.schema` does, which would import pyarrow."""
    return "'" + text.replace("'", "''") + "'"
