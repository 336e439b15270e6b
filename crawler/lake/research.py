"""The tables of a lake as researchers may have them: pseudonyms, shifted dates, nothing that identifies. Touches: disk.

SQL sees them under the names of the whole tables, so that whatever it makes of them is as harmless. When a row was
first seen, or changed, is left out too: a night's sweep brings the studies of its day, and would tell the shift.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
from duckdb.func import ARROW

from crawler.columns import CATALOGUE, Attribute, Phi, added_attributes
from crawler.errors import UserError
from crawler.lake.engine import connect
from crawler.lake.query import Lake
from crawler.lake.schema import TABLES, quoted
from crawler.model import HIERARCHY, Level

ORDER = {
    "patients": "PatientID",
    "studies": "PatientID, StudyInstanceUID",
    "series": "StudyInstanceUID, SeriesInstanceUID",
    "instances": "StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID",
    "cohort_series": "cohort, version, SeriesInstanceUID",
}
"""The tables that there are, each with what to sort it by: the order in which rows came would tell who was first."""

NO_OTHERS = f"tables for research are {', '.join(ORDER)}, and no others"

OLDEST = 89
"""Who is older has company by being shown as one year more."""

SUBJECT = "coalesce(nullif(trim(PatientID), ''), StudyInstanceUID)"
"""Who has a code and a shift: without an ID each study is a patient of its own."""
_TEXTS = frozenset(("AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"))
"""VRs of text that people type."""
_AGE = f"""CASE WHEN PatientBirthDate <= StudyDate
    THEN least(date_sub('year', PatientBirthDate, StudyDate), {OLDEST + 1}) END AS age_years"""


@dataclass(frozen=True, slots=True)
class Names:
    """What stands for patients and UIDs, and by how many days a patient's dates are shifted; each of many at once."""

    patients: Callable[[Sequence[str]], list[str]]
    uids: Callable[[Sequence[str]], list[str]]
    days: Callable[[Sequence[str]], list[int]]


class ResearchLake(Lake):
    """A lake opened for reading, whose tables are those of `ORDER` without what identifies a patient."""

    def __init__(self, path: str | os.PathLike[str], names: Names, kept: Sequence[str] = ()) -> None:
        """Open it; `kept` are columns of free text to have all the same. UserError for one that identifies."""
        connection = connect()
        self._whole = f"whole_{secrets.token_hex(4)}"  # that nobody types by mistake
        connection.execute(f"CREATE SCHEMA {self._whole}; USE {self._whole}")
        super().__init__(path, connection=connection)
        self._kept = frozenset(kept)
        self._check_kept()
        _teach(connection, names)
        connection.execute("USE main")
        for level in HIERARCHY:
            self._show(level)
        self._show_cohorts()

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Ask in SQL. UserError for a table that there is not for research."""
        try:
            return super().sql(query)
        except duckdb.CatalogException as error:
            if self._whole in str(error):
                raise UserError(NO_OTHERS) from None
            raise

    def _attributes(self, level: Level) -> tuple[Attribute, ...]:
        return (*CATALOGUE[level], *added_attributes(self.added.get(level.entity, ())))

    def _check_kept(self) -> None:
        known = {key.keyword: key for level in HIERARCHY for key in self._attributes(level)}
        for name in self._kept:
            if name not in known:
                raise UserError(f"there is no column {name!r}; `pacslake dictionary` names them")
            if known[name].phi is Phi.DIRECT or known[name].vr == "SQ":
                raise UserError(f"{name} identifies a person and is in no table for research")

    def _show(self, level: Level) -> None:
        """Make the view of a level."""
        shown = [one for key in self._attributes(level) if (one := self._shown(key, level))]
        table = TABLES[level.entity]
        if level is Level.STUDY:
            shown.append(_AGE)
        rows = f"{self._whole}.{table}"
        if level not in (Level.PATIENT, Level.STUDY):
            owners = f"(SELECT pacs, StudyInstanceUID, PatientID FROM {self._whole}.studies)"
            rows = f"{rows} LEFT JOIN {owners} USING (pacs, StudyInstanceUID)"
        subject = "trim(PatientID)" if level is Level.PATIENT else SUBJECT
        source = f"(SELECT *, {subject} AS subject FROM {rows})"
        self.connection.execute(f"CREATE VIEW main.{table} AS SELECT pacs, {', '.join(shown)} FROM {source}")

    def _shown(self, key: Attribute, level: Level) -> str | None:
        """Give the SQL of an attribute's column, None where it is left out."""
        name = quoted(key.keyword)
        if key.keyword == "PatientID":
            return f"patient_code(subject) AS {name}"
        if key.phi is Phi.NONE:
            return name
        is_text = key.vr in _TEXTS and key.keyword not in self._kept
        if key.phi is Phi.DIRECT or key.vr == "SQ" or is_text:
            return None
        if key.listed and key.vr in ("UI", "DA", "DT"):
            return None
        match key.vr:
            case "UI":
                return f"new_uid({name}) AS {name}"
            case "DA":
                return f"{name} + shift_of(subject) AS {name}"
            case "DT":
                return f"{name} + to_days(shift_of(subject)) AS {name}"
            case "AS":
                return _age_text(name)
        return name

    def _show_cohorts(self) -> None:
        self.connection.execute(f"""CREATE VIEW main.cohort_series AS SELECT cohort, version, pacs,
            patient_code(subject) AS PatientID, StudyDate + shift_of(subject) AS StudyDate,
            new_uid(StudyInstanceUID) AS StudyInstanceUID, new_uid(SeriesInstanceUID) AS SeriesInstanceUID,
            Modality, expected_instances FROM (SELECT *, {SUBJECT} AS subject FROM {self._whole}.cohort_series)""")


def _age_text(name: str) -> str:
    """Give an age as DICOM writes it (PS3.5 6.2, AS), that of the oldest as one more than the limit."""
    return f"""CASE WHEN regexp_full_match({name}, '[0-9]{{3}}[DWM]') THEN {name}
        WHEN regexp_full_match({name}, '[0-9]{{3}}Y') THEN least({name}, '{OLDEST + 1:03}Y') END AS {name}"""


def _teach(connection: duckdb.DuckDBPyConnection, names: Names) -> None:
    """Have DuckDB ask for pseudonyms, each distinct value of a batch once."""
    for function, made, kind in (
        ("patient_code", names.patients, "VARCHAR"),
        ("new_uid", names.uids, "VARCHAR"),
        ("shift_of", names.days, "INTEGER"),
    ):
        connection.create_function(function, _by_batch(made, kind), ["VARCHAR"], kind, type=ARROW)


def _by_batch(made: Callable[[Sequence[str]], Sequence[str | int]], kind: str) -> Callable[[pa.ChunkedArray], pa.Array]:
    arrow = pa.string() if kind == "VARCHAR" else pa.int32()

    def of_batch(values: pa.ChunkedArray) -> pa.Array:
        coded = values.combine_chunks().dictionary_encode()
        return pa.array(made(coded.dictionary.to_pylist()), arrow).take(coded.indices)

    return of_batch
