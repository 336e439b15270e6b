"""How much rows of a cohort are, whether just found or long frozen. Touches: disk.

`rows` is always something to select from, with the columns `ROWS`.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import duckdb

ROWS = ("pacs", "PatientID", "StudyDate", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "expected_instances")
"""The columns of a cohort's rows."""
ORDER = "ORDER BY pacs, StudyInstanceUID, SeriesInstanceUID NULLS FIRST"

_COUNTS = """count(DISTINCT (pacs, StudyInstanceUID)), count(SeriesInstanceUID),
    CAST(coalesce(sum(expected_instances), 0) AS BIGINT)"""


class Totals(NamedTuple):
    """How much there is; instances as far as their number is known."""

    patients: int
    studies: int
    series: int
    instances: int


class Share(NamedTuple):
    """What has one value in common, a modality say."""

    name: str
    studies: int
    series: int
    instances: int


class Load(NamedTuple):
    """What one PACS has of one modality; '' where it is not known."""

    pacs: str
    modality: str
    requests: int
    instances: int


def totals(connection: duckdb.DuckDBPyConnection, rows: str) -> Totals:
    """Count it all."""
    found = connection.sql(f"SELECT count(DISTINCT coalesce(PatientID, '')), {_COUNTS} FROM {rows}").fetchall()
    return Totals(*found[0])


def open_ends(connection: duckdb.DuckDBPyConnection, rows: str) -> tuple[int, int]:
    """Count the studies whose series are not known, and the rows whose number of instances is not."""
    ask = f"SELECT count(*) - count(SeriesInstanceUID), count(*) - count(expected_instances) FROM {rows}"
    [(unlisted, uncounted)] = connection.sql(ask).fetchall()
    return unlisted, uncounted


def shares(connection: duckdb.DuckDBPyConnection, rows: str, by: str) -> list[Share]:
    """Count by an expression over the rows."""
    ask = f"SELECT coalesce(CAST({by} AS VARCHAR), 'unknown') AS name, {_COUNTS} FROM {rows} GROUP BY 1 ORDER BY 1"
    return [Share(*row) for row in connection.sql(ask).fetchall()]


def loads(connection: duckdb.DuckDBPyConnection, rows: str) -> list[Load]:
    """Count by PACS and modality."""
    ask = f"""SELECT pacs, coalesce(Modality, ''), count(*), CAST(coalesce(sum(expected_instances), 0) AS BIGINT)
        FROM {rows} GROUP BY ALL ORDER BY ALL"""
    return [Load(*row) for row in connection.sql(ask).fetchall()]


def days(connection: duckdb.DuckDBPyConnection, rows: str) -> list[tuple[str, date | None, int]]:
    """Count the studies by PACS and StudyDate."""
    ask = f"SELECT pacs, StudyDate, count(DISTINCT StudyInstanceUID) FROM {rows} GROUP BY ALL ORDER BY ALL"
    return connection.sql(ask).fetchall()
