"""What a dataset has, in tables that single nobody out. Pure.

Every row of a table counts patients, and one of fewer than five is not told, nor what would tell it: where rows are not
told there are at least two of them, of five patients or more together. This holds within each table; who combines
tables with what they know otherwise may still learn something.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

FEWEST = 5
"""Patients of a row that is told."""
OTHERS, NOT_GIVEN = "others", "not given"
_OF_SERIES = (
    *("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "PatientSex", "age", "StudyDate", "Modality"),
    *("BodyPartExamined", "Manufacturer", "ManufacturerModelName", "MagneticFieldStrength", "KVP", "SliceThickness"),
)
_SEXES = {"F": "female", "M": "male", "O": "other"}
_THICKNESSES = ((1.0, "below 1 mm"), (2.0, "1 to below 2 mm"), (3.0, "2 to below 3 mm"), (5.0, "3 to below 5 mm"))
_OLDEST = 90
_SHOWN = 12
"""Rows of a table without a natural order; those with fewer patients are put together."""

Series = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table; None stands for what is not told."""

    label: str
    patients: int | None
    studies: int | None
    series: int | None

    @property
    def told(self) -> bool:
        """Whether its numbers are told."""
        return self.patients is not None


@dataclass(frozen=True, slots=True)
class Table:
    """How a dataset is distributed over something."""

    key: str
    """For names of files."""
    title: str
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """A dataset in numbers; `patients` is None where there are fewer than may be told."""

    patients: int | None
    studies: int
    series: int
    files: int
    tables: tuple[Table, ...]


def summarize(files: pa.Table) -> Summary:
    """Count a table of `FILES`."""
    keys = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID"]
    told = [(name, "first") for name in _OF_SERIES if name not in keys]
    grouped = files.select(list(_OF_SERIES)).group_by(keys, use_threads=False).aggregate(told)
    series = grouped.rename_columns([name.removesuffix("_first") for name in grouped.column_names]).to_pylist()
    total = _row("all", series)
    patients = total.patients if (total.patients or 0) >= FEWEST else None
    tables = tuple(table for table in _tables(series) if any(row.told for row in table.rows))
    return Summary(patients, total.studies or 0, total.series or 0, files.num_rows, tables)


def _tables(series: Sequence[Series]) -> Iterable[Table]:
    first = _first_studies(series)
    ages = {patient: _age_band(one["age"]) for patient, one in first.items()}
    sexes = {patient: _SEXES.get(one["PatientSex"] or "", NOT_GIVEN) for patient, one in first.items()}
    bands = [f"{low} to {low + 9}" for low in range(0, _OLDEST, 10)]
    yield _fixed("ages", "Age at the first study", _by(series, lambda one: ages[one["PatientID"]]), bands)
    yield _fixed("sexes", "Sex", _by(series, lambda one: sexes[one["PatientID"]]), list(_SEXES.values()))
    yield _fixed("years", "Year of the study", _by(series, _year), _years(series))
    modalities = _open("modalities", "Modality", _by(series, lambda one: one["Modality"] or NOT_GIVEN))
    yield modalities
    yield _open("parts", "Body part examined", _by(series, lambda one: one["BodyPartExamined"] or NOT_GIVEN))
    yield _open("scanners", "Scanner", _by(series, _scanner))
    told = {row.label for row in modalities.rows if row.told}  # else the parts would tell what the whole does not
    for modality, key, title, label in _DETAILS:
        of_modality = [one for one in series if one["Modality"] == modality]
        if modality in told:
            yield _open(key, title, _by(of_modality, label), in_order=True)


def _first_studies(series: Sequence[Series]) -> dict[str, Series]:
    """Give a series of each patient's first study."""
    first: dict[str, Series] = {}
    for one in sorted(series, key=lambda one: (str(one["StudyDate"] or "9999"), one["StudyInstanceUID"] or "")):
        first.setdefault(one["PatientID"], one)
    return first


def _by(series: Iterable[Series], label: Callable[[Series], str]) -> dict[str, list[Series]]:
    found: defaultdict[str, list[Series]] = defaultdict(list)
    for one in series:
        found[label(one)].append(one)
    return found


def _fixed(key: str, title: str, found: Mapping[str, Sequence[Series]], order: Sequence[str]) -> Table:
    """Make a table whose rows are known before: each stands there, told or not, without empty ones at the ends."""
    labels = [label for label in order if label in found]
    if labels:
        labels = list(order[order.index(labels[0]) : order.index(labels[-1]) + 1])
    labels += [label for label in sorted(found) if label not in order]
    secret = _secret(found)
    return Table(key, title, tuple(_row(label, found.get(label, ()), label not in secret) for label in labels))


def _open(key: str, title: str, found: Mapping[str, Sequence[Series]], *, in_order: bool = False) -> Table:
    """Make a table whose rows come of the data: what is not told is put together."""
    secret = _secret(found)
    rows = sorted((_row(label, of) for label, of in found.items() if label not in secret), key=_by_size)[:_SHOWN]
    kept = {row.label for row in rows}
    rest = [one for label, of in found.items() if label not in kept for one in of]
    if in_order:
        rows.sort(key=lambda row: _natural(row.label))
    if rest:
        rows.append(_row(OTHERS, rest, len({one["PatientID"] for one in rest}) >= FEWEST))
    return Table(key, title, tuple(rows))


def _secret(found: Mapping[str, Sequence[Series]]) -> set[str]:
    return untold({label: {one["PatientID"] for one in of} for label, of in found.items()})


def untold(patients: Mapping[str, Set[str]]) -> set[str]:
    """Say which rows are not told: those of few patients, and as many more as it takes that they do not follow."""
    hidden = {label for label, of in patients.items() if 0 < len(of) < FEWEST}
    together = {patient for label in hidden for patient in patients[label]}
    for label in sorted(patients.keys() - hidden, key=lambda label: (len(patients[label]), label)):
        if not hidden or (len(hidden) > 1 and len(together) >= FEWEST):
            break
        if patients[label]:
            hidden.add(label)
            together |= patients[label]
    return hidden


def _by_size(row: Row) -> tuple[int, str]:
    return -(row.patients or 0), row.label


def _row(label: str, series: Sequence[Series], told: bool = True) -> Row:
    if not told:
        return Row(label, None, None, None)
    patients, studies = ({one[name] for one in series} for name in ("PatientID", "StudyInstanceUID"))
    return Row(label, len(patients), len(studies), len(series))


def _age_band(age: float | None) -> str:
    if age is None:
        return NOT_GIVEN
    low = int(age) // 10 * 10
    return f"{low} to {low + 9}" if low < _OLDEST else f"{_OLDEST} and over"


def _year(one: Series) -> str:
    return str(one["StudyDate"].year) if one["StudyDate"] else NOT_GIVEN


def _years(series: Iterable[Series]) -> list[str]:
    years = [one["StudyDate"].year for one in series if one["StudyDate"]]
    return [str(year) for year in range(min(years), max(years) + 1)] if years else []


def _scanner(one: Series) -> str:
    maker, model = one["Manufacturer"] or "", one["ManufacturerModelName"] or ""
    return model or NOT_GIVEN if model.lower().startswith(maker.lower()) else f"{maker} {model}".strip()


def _thickness(one: Series) -> str:
    thickness = one["SliceThickness"]
    if thickness is None or thickness <= 0:
        return NOT_GIVEN
    return next((label for most, label in _THICKNESSES if thickness < most), "5 mm and more")


def _measured(keyword: str, unit: str, digits: int) -> Callable[[Series], str]:
    return lambda one: f"{round(one[keyword], digits):g} {unit}" if one[keyword] else NOT_GIVEN


def _natural(label: str) -> tuple[int, float, str]:
    number = next((word for word in label.split() if word.replace(".", "", 1).isdigit()), None)
    starts = -0.5 if label.startswith("below") else 0.0
    return (0, float(number) + starts, label) if number else (1, 0.0, label)


_DETAILS: tuple[tuple[str, str, str, Callable[[Series], str]], ...] = (
    ("CT", "thickness_ct", "Slice thickness of CT", _thickness),
    ("CT", "kvp", "Tube voltage of CT", _measured("KVP", "kV", 0)),
    ("MR", "thickness_mr", "Slice thickness of MR", _thickness),
    ("MR", "field", "Field strength of MR", _measured("MagneticFieldStrength", "T", 1)),
    ("PT", "thickness_pt", "Slice thickness of PET", _thickness),
)
