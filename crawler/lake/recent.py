"""What was asked lately, and about a day: rows of the ledgers as dictionaries. Touches: disk.

Moments are UTC.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from crawler.lake.catalog import open_catalog

Row = dict[str, Any]

_SWEEPS = "SELECT * FROM sweeps ORDER BY started_at DESC LIMIT ?"
_ABOUT = """
FROM windows WHERE pacs = $pacs AND CASE WHEN $day IS NULL THEN "key" = 'StudyDate='
    ELSE "key" IS DISTINCT FROM 'StudyDate='
        AND coalesce(date_from <= $day, true) AND coalesce(date_to >= $day, true) END
ORDER BY asked_at DESC, level, time_from LIMIT 1000"""
_ANSWERING = """
SELECT pacs, level, sum(queries)::BIGINT AS queries, count(*) AS windows,
    median(took_ms / greatest(queries, 1)) AS median_ms, max(took_ms / greatest(queries, 1)) AS slowest_ms
FROM windows WHERE asked_at > $since GROUP BY ALL ORDER BY ALL"""
_ASKED = "SELECT pacs, sum(queries)::BIGINT AS queries FROM windows WHERE asked_at > $since GROUP BY ALL"
_LEARNED = "SELECT * FROM pacs_profiles ORDER BY pacs, level, name"
_SETTLED = """
SELECT count(*) AS windows, coalesce(sum("rows"), 0)::BIGINT AS "rows" FROM windows WHERE asked_at > $since"""


def pacs_names(lake: Path) -> list[str]:
    """Name every PACS that was ever asked."""
    return [row["pacs"] for row in _rows(lake, "SELECT pacs FROM windows UNION SELECT pacs FROM sweeps", [])]


def sweeps(lake: Path, most: int) -> list[Row]:
    """Give the last sweeps, newest first."""
    return _rows(lake, _SWEEPS, [most])


def windows_about(lake: Path, pacs: str, day: date | None) -> list[Row]:
    """Give the windows that speak for a day, newest first; None: for the studies without a date."""
    return _rows(lake, _ABOUT, {"pacs": pacs, "day": day})


def answering(lake: Path, since: datetime) -> list[Row]:
    """Say for each PACS and level how it answered since then, in ms for each query."""
    return _rows(lake, _ANSWERING, {"since": _naive(since)})


def asked_since(lake: Path, since: datetime) -> dict[str, int]:
    """Count the queries to each PACS in windows that were begun since then."""
    return {row["pacs"]: int(row["queries"]) for row in _rows(lake, _ASKED, {"since": _naive(since)})}


def learned(lake: Path) -> list[Row]:
    """Give the newest of what was learned about each PACS."""
    return _rows(lake, _LEARNED, {})


def settled_since(lake: Path, since: datetime) -> tuple[int, int]:
    """Count the windows that were settled since then, and the rows of their answers."""
    [row] = _rows(lake, _SETTLED, {"since": _naive(since)})
    return int(row["windows"]), int(row["rows"])


def version_of(lake: Path) -> int:
    """Give the version of the log that readers see."""
    [row] = _rows(lake, "SELECT version FROM lake_version", {})
    return int(row["version"])


def _rows(lake: Path, statement: str, values: dict[str, Any] | list[Any]) -> list[Row]:
    with open_catalog(lake) as connection:
        relation = connection.execute(statement, values)
        names = [column[0] for column in relation.description]
        found = [dict(zip(names, row, strict=True)) for row in relation.fetchall()]
    return [{name: _utc(value) for name, value in row.items()} for row in found]


def _utc(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
