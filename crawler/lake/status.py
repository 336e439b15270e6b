"""What a lake holds, in one screen's worth of figures. Touches: disk.

Reads `lake.duckdb` alone: neither deltalake nor pyarrow is imported, because `pacslake status` must be quick.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from crawler.lake.catalog import open_catalog

_TABLES = ("patients", "studies", "series", "instances", "worklist")
_WINDOWS = """
SELECT pacs, level, state, count(*) FROM (
    FROM windows
    QUALIFY row_number() OVER (
        PARTITION BY pacs, level, date_from, date_to, time_from, time_to, "key" ORDER BY asked_at DESC
    ) = 1
) GROUP BY ALL ORDER BY ALL"""
_SWEEPS = """
SELECT pacs, sweep_id, state, started_at, finished_at FROM sweeps
QUALIFY row_number() OVER (PARTITION BY pacs ORDER BY started_at DESC) = 1"""


@dataclass(frozen=True, slots=True)
class SweepStatus:
    """The last sweep of a PACS; times are UTC."""

    sweep_id: str
    state: str
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class PacsStatus:
    """What the lake knows of one PACS."""

    pacs: str
    last_sweep: SweepStatus | None
    rows: dict[str, int]
    """Current rows by table."""
    windows: dict[tuple[str, str], int]
    """Windows by level and state; of a window asked several times the newest state."""


@dataclass(frozen=True, slots=True)
class LakeStatus:
    """What the lake holds, at one version of its log."""

    path: str
    version: int
    pacs: list[PacsStatus]
    """By name."""


def status_of(path: str | os.PathLike[str]) -> LakeStatus:
    """Say what a lake holds. NoLakeError where there is none."""
    with open_catalog(path) as connection:
        return _gather(Path(path).absolute(), connection)


def _gather(lake: Path, connection: duckdb.DuckDBPyConnection) -> LakeStatus:
    def ask(query: str) -> list[tuple[Any, ...]]:
        return connection.execute(query).fetchall()

    [(version,)] = ask("SELECT version FROM lake_version")
    [(views,)] = ask("SELECT list(view_name) FROM duckdb_views()")  # an earlier release may have made fewer
    tables = [table for table in _TABLES if table in views]
    counts = (f"SELECT '{table}', pacs, count(*) FROM {table} GROUP BY pacs" for table in tables)
    rows, windows = ask(" UNION ALL ".join(counts)), ask(_WINDOWS)
    sweeps = {
        row[0]: SweepStatus(row[1], row[2], _utc(row[3]), _utc(row[4]) if row[4] else None) for row in ask(_SWEEPS)
    }
    names = sorted({pacs for _, pacs, _ in rows} | {row[0] for row in windows} | set(sweeps))
    return LakeStatus(
        path=str(lake),
        version=version,
        pacs=[
            PacsStatus(
                pacs=name,
                last_sweep=sweeps.get(name),
                rows={table: count for table, pacs, count in rows if pacs == name},
                windows={(level, state): count for pacs, level, state, count in windows if pacs == name},
            )
            for name in names
        ],
    )


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
