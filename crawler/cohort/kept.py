"""Cohorts in the lake's log: freeze one, look one up, mark one as dropped. Touches: disk."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from crawler.cohort.found import CHOSEN
from crawler.cohort.totals import ORDER, ROWS
from crawler.errors import UserError
from crawler.lake.catalog import open_catalog
from crawler.lake.ledger import naive_utc
from crawler.lake.query import Lake
from crawler.lake.schema import literal, stored_schema
from crawler.lake.writer import LakeWriter

_BATCH = 60_000
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


def freeze(writer: LakeWriter, lake: Lake, frozen: Frozen) -> None:
    """Keep what `find` has found, with this as its description, as one commit."""
    head = {**asdict(frozen), "row_id": None}
    writer.append("cohort", pa.Table.from_pylist([head], schema=stored_schema("cohort")))
    schema = stored_schema("cohort_series")
    own = {"cohort": literal(frozen.cohort), "version": frozen.version, "frozen_at": literal(str(frozen.frozen_at))}
    given = (f"{own[name]} AS {name}" if name in own else name for name in schema.names if name != "row_id")
    query = f"SELECT NULL AS row_id, {', '.join(given)} FROM {CHOSEN} {ORDER}"
    for batch in lake.sql(query).to_arrow_reader(_BATCH):
        writer.append("cohort_series", pa.Table.from_batches([batch]).cast(schema))
    writer.commit()


def drop(writer: LakeWriter, cohort: str, moment: datetime) -> None:
    """Mark all versions of a cohort as dropped."""
    row: dict[str, Any] = {"cohort": cohort, "dropped_at": naive_utc(moment)}
    writer.append("cohort", pa.Table.from_pylist([row], schema=stored_schema("cohort")))
    writer.commit()


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
