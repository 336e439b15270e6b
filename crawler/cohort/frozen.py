"""The cohorts that a lake has, read from `lake.duckdb` alone: looking at them must be quick. Touches: disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime

from crawler.cohort.totals import ORDER, ROWS
from crawler.errors import UserError
from crawler.lake.catalog import literal, open_catalog

_COLUMNS = """cohort, version, kind, definition, lake_version, program, frozen_at, patients, studies, series, instances,
    unlisted, uncounted, open_days, not_found, ambiguous, dropped_at"""


@dataclass(frozen=True, slots=True)
class Frozen:
    """One row of `cohorts`: one version of a cohort."""

    cohort: str
    version: int
    kind: str
    definition: str
    lake_version: int
    program: str
    frozen_at: datetime
    """UTC, without a zone."""
    patients: int
    studies: int
    series: int
    instances: int
    unlisted: int
    uncounted: int
    open_days: int
    not_found: list[str]
    ambiguous: list[str]
    dropped_at: datetime | None = None

    @property
    def rows(self) -> str:
        """Give what to select its rows from."""
        mine = f"cohort = {literal(self.cohort)} AND version = {self.version}"
        return f"(SELECT {', '.join(ROWS)} FROM cohort_series WHERE {mine})"

    @property
    def listing(self) -> str:
        """Give the SQL of its rows in their order: the same rows for the same definition and lake version."""
        return f"SELECT * FROM {self.rows} {ORDER}"


def kept(lake: str | os.PathLike[str], name: str | None = None) -> list[Frozen]:
    """Give every version of every cohort, or of one, oldest first. NoLakeError where there is no lake."""
    mine = f"WHERE cohort = {literal(name)}" if name is not None else ""
    with open_catalog(lake) as connection:
        found = connection.execute(f"SELECT {_COLUMNS} FROM cohorts {mine} ORDER BY cohort, version").fetchall()
    return [Frozen(*row) for row in found]


def newest(lake: str | os.PathLike[str], name: str, version: int | None = None) -> Frozen:
    """Give the newest version of a cohort, or the one asked for. UserError where there is none."""
    versions = kept(lake, name)
    if not versions:
        raise UserError(f"there is no cohort {name!r}; `pacslake cohort list` names those that are")
    found = [frozen for frozen in versions if version in (None, frozen.version)]
    if not found:
        raise UserError(f"the cohort {name} has no version {version}; its newest is {versions[-1].version}")
    return found[-1]
