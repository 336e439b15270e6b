"""The series of a dataset, from the table of its files, and what became of each in a form. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa

from crawler.export.geometry import Slice, ordered

Row = dict[str, Any]
ACCOUNT: pa.Schema = pa.schema(
    [
        *((name, pa.string()) for name in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Modality")),
        ("instances", pa.int64()),
        ("files", pa.list_(pa.string())),
        ("reason", pa.string()),
    ]
)
"""A row for each series: what was made of it, below the folder of the form, and why nothing, or not just that."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a dataset: a row of `FILES` for each of its instances."""

    rows: list[Row]

    @property
    def first(self) -> Row:
        """What its first file says."""
        return self.rows[0]

    @property
    def uid(self) -> str:
        """Its SeriesInstanceUID."""
        return str(self.first["SeriesInstanceUID"])

    def stacked(self) -> list[Row]:
        """Give the rows in the order of their places in a volume. UserError, saying why, where there is none."""
        named = {row["path"]: row for row in self.rows}
        return [named[one.path] for one in ordered([_slice(row) for row in self.rows])]


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a series: files relative to the folder of the form, or a reason; both where something was lost."""

    series: Series
    files: tuple[str, ...]
    reason: str | None = None
    place: str = ""
    """What the names of its files have in common."""


def series_of(files: pa.Table) -> list[Series]:
    """Give the series of a table of `FILES`, in the order of patients, studies and numbers."""
    rows = sorted(files.to_pylist(), key=_order)
    grouped = groupby(rows, key=lambda row: (row["PatientID"], row["StudyInstanceUID"], row["SeriesInstanceUID"]))
    found = [Series(list(group)) for _, group in grouped]
    return sorted(found, key=lambda one: (_order(one.first)[:2], one.first["SeriesNumber"] or 0, one.uid))


def account(made: Iterable[Made]) -> pa.Table:
    """Give what became of each series as a table."""
    rows = [{**one.series.first, "instances": len(one.series.rows), **_told(one)} for one in made]
    return pa.Table.from_pylist(rows, ACCOUNT)


def _told(made: Made) -> Row:
    return {"files": list(made.files), "reason": made.reason}


def _order(row: Row) -> tuple[str, str, str, int, str]:
    patient, study, series = (row[name] or "" for name in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID"))
    return patient, study, series, row["InstanceNumber"] or 0, row["SOPInstanceUID"] or ""


def _slice(row: Row) -> Slice:
    names = ("InstanceNumber", "NumberOfFrames", "Rows", "Columns")
    vectors = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    number, frames, rows, columns = (row[name] for name in names)
    position, orientation, spacing = (None if row[name] is None else tuple(row[name]) for name in vectors)
    return Slice(row["path"], number, frames, rows, columns, position, orientation, spacing)
