"""What a sweep asks before it starts: was this asked before, which of its windows are done, what is known of the PACS.

Touches: disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

import duckdb

from crawler.errors import NoLakeError
from crawler.lake.query import Lake, open_lake
from crawler.model import Coverage, Finding, Level, SweepRecord, SweepState, Window, WindowState

Known: TypeAlias = "Lake | str | os.PathLike[str]"
"""A lake that is open, or its folder."""


def complete_windows(lake: Known, pacs: str, sweep_id: str, *, over: bool = True) -> list[Coverage]:
    """Give what a sweep has proven complete at a PACS, in the order it was proven.

    What it came to doubt afterwards is left out: a whole day, or its studies without a time. Of a sweep that is not
    `over` the latter doubt stands until its end, and the day's hours are as good as they were.
    """
    query = """WITH asked AS (SELECT * FROM windows WHERE pacs = $pacs AND sweep_id = $sweep_id),
        doubted AS (
            SELECT coalesce(date_from, '-infinity') AS first, coalesce(date_to, 'infinity') AS last, level, asked_at,
                key AS of
            FROM asked WHERE state <> 'complete' AND time_from IS NULL AND coalesce(key, 'StudyTime=') = 'StudyTime=')
        SELECT * FROM asked WHERE state = 'complete' AND NOT EXISTS (
            FROM doubted WHERE doubted.level = asked.level AND doubted.asked_at > asked.asked_at
                AND (asked.key IS NULL AND (doubted.of IS NULL OR $over) OR asked.key = 'StudyTime=')
                AND coalesce(asked.date_from, '-infinity') <= last AND coalesce(asked.date_to, 'infinity') >= first)
        ORDER BY asked_at, date_from, time_from"""
    given = {"pacs": pacs, "sweep_id": sweep_id, "over": over}
    with _open(lake) as opened:
        return [coverage_of(row) for row in by_column(opened.connection.execute(query, given))]


def last_sweep(
    lake: Known,
    pacs: str,
    levels: Sequence[Level],
    days: tuple[date | None, date | None],
) -> SweepRecord | None:
    """Give the newest sweep that asked this PACS for just these levels and days (first, last), None without one."""
    query = """SELECT * FROM sweeps WHERE pacs = ? AND levels = ?::VARCHAR[] AND date_from IS NOT DISTINCT FROM ?::DATE
        AND date_to IS NOT DISTINCT FROM ?::DATE ORDER BY started_at DESC LIMIT 1"""
    with _open(lake) as opened:
        found = opened.connection.execute(query, [pacs, [level.value for level in levels], *days])
        return next(map(_sweep, by_column(found)), None)


def findings_of(lake: Known, pacs: str) -> list[Finding]:
    """Give what was learned about a PACS, of each name and level the newest; nothing where there is no lake yet."""
    query = """SELECT pacs, level, name, value, evidence, found_at FROM pacs_profiles WHERE pacs = ?
        ORDER BY name, level NULLS FIRST"""
    try:
        with _open(lake) as opened:
            rows = opened.connection.execute(query, [pacs]).fetchall()
    except NoLakeError:
        return []
    return [
        Finding(pacs, Level(level) if level else None, name, value, evidence, _aware(found_at))
        for pacs, level, name, value, evidence, found_at in rows
    ]


def busy_day(lake: str | os.PathLike[str], pacs: str, moderate: int = 400) -> date | None:
    """Give a late day with many studies of this PACS, `moderate` at most if there is one; None where none is known."""
    query = """WITH days AS (SELECT StudyDate AS day, count(*) AS n FROM studies
            WHERE pacs = $pacs AND StudyDate <= today() GROUP BY day)
        SELECT day FROM days WHERE day >= (SELECT max(day) FROM days) - 30
        ORDER BY n <= $moderate DESC, n DESC, day DESC LIMIT 1"""
    try:
        with open_lake(lake) as opened:
            found = opened.connection.execute(query, {"pacs": pacs, "moderate": moderate}).fetchone()
    except NoLakeError:
        return None
    return found[0] if found else None


@contextmanager
def _open(lake: Known) -> Iterator[Lake]:
    if isinstance(lake, Lake):
        yield lake
    else:
        with open_lake(lake) as opened:
            yield opened


def by_column(found: duckdb.DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    """Give the rows of an answer by the names of its columns."""
    names = [column[0] for column in found.description]
    return (dict(zip(names, row, strict=True)) for row in found.fetchall())


def coverage_of(row: dict[str, Any]) -> Coverage:
    """Make the ledger row of a row of the table `windows`, given by column."""
    window = Window(*(row.pop(name) for name in ("date_from", "date_to", "time_from", "time_to", "key")))
    level, state, asked_at = Level(row.pop("level")), WindowState(row.pop("state")), _aware(row.pop("asked_at"))
    return Coverage(level=level, window=window, state=state, asked_at=asked_at, **row)


def _sweep(row: dict[str, Any]) -> SweepRecord:
    finished_at = row.pop("finished_at")
    row["levels"] = tuple(Level(name) for name in row["levels"])
    row["started_at"] = _aware(row["started_at"])
    row["state"] = SweepState(row["state"])
    return SweepRecord(finished_at=_aware(finished_at) if finished_at else None, **row)


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
