"""The series of a cohort that are here, each with what the lake knows of its patient. Touches: disk."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING

from pydicom.datadict import tag_for_keyword

from crawler.deid.identifiers import CheckRules
from crawler.deid.identifiers import Known as Kind
from crawler.deid.pseudonyms import Pseudonyms
from crawler.deid.recipe import Recipe
from crawler.lake.research import SUBJECT
from crawler.model import Decision
from crawler.retrieve.readback import TOLD, Told
from jobs.known import Known, Row
from jobs.releasing import Subject

if TYPE_CHECKING:
    import duckdb

_SERIES = f"""SELECT {", ".join(TOLD)} FROM here ORDER BY StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID"""
_OWNERS = """SELECT DISTINCT StudyInstanceUID, trim(PatientID) FROM studies SEMI JOIN here USING (StudyInstanceUID)
    WHERE trim(PatientID) <> '' ORDER BY ALL"""
_KNOWN = f"CREATE OR REPLACE TEMP TABLE known AS SELECT StudyInstanceUID, {SUBJECT} AS patient FROM studies"
_ROWS = """SELECT patient, {table}.* EXCLUDE (pacs, faults, first_seen_at, changed_at, removed_at, sweep_id)
    FROM {table} JOIN known USING (StudyInstanceUID) SEMI JOIN (SELECT unnest($patients) AS patient) USING (patient)
    ORDER BY ALL"""
_DECISIONS = """SELECT SeriesInstanceUID, seen, decision FROM reviews
    QUALIFY row_number() OVER (PARTITION BY SeriesInstanceUID ORDER BY review DESC) = 1"""
_AT_ONCE = 500
"""Patients whose rows are read at once."""


def subjects(connection: duckdb.DuckDBPyConnection) -> list[Subject]:
    """Give the series whose files were gathered in `here`, patient by patient."""
    files: defaultdict[tuple[str, str], list[Told]] = defaultdict(list)
    for row in connection.execute(_SERIES).fetchall():
        told = Told(*row)
        files[told.study, told.series].append(told)
    owners = dict(connection.execute(_OWNERS).fetchall())
    decided = {series: (seen, Decision(what)) for series, seen, what in connection.execute(_DECISIONS).fetchall()}
    found = [
        Subject(study, series, owners.get(study, study), tuple(of), _decision(decided, series, of))
        for (study, series), of in files.items()
    ]
    return sorted(found, key=lambda one: (one.patient, one.study, one.series))


def with_known(
    connection: duckdb.DuckDBPyConnection, found: Iterable[Subject], recipe: Recipe, names: Pseudonyms
) -> Iterator[Subject]:
    """Give the series with what is known of their patients, all of whose studies are looked at."""
    connection.execute(_KNOWN)
    check, made_by = check_of(recipe), (recipe.digest, version("pacslake"))
    of: defaultdict[str, list[Subject]] = defaultdict(list)
    for one in found:
        of[one.patient].append(one)
    patients = list(of)
    for begin in range(0, len(patients), _AT_ONCE):
        some = patients[begin : begin + _AT_ONCE]
        rows = _rows(connection, some)
        for patient in some:
            digest = sha256(json.dumps(rows[patient], default=str).encode()).hexdigest()
            instances = {"SOPInstanceUID": [file.instance for one in of[patient] for file in one.files]}
            known = Known((*rows[patient], instances), check, names.days(patient))
            for one in of[patient]:
                said = (*made_by, patient, one.decision, seen(one.files), digest)
                yield replace(one, known=known, made_of=names.keyed(json.dumps(said)))


def _rows(connection: duckdb.DuckDBPyConnection, patients: list[str]) -> defaultdict[str, list[Row]]:
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for table in ("studies", "series"):
        answer = connection.execute(_ROWS.format(table=table), {"patients": patients})
        columns = [name for name, *_ in answer.description or ()]
        for values in answer.fetchall():
            row = dict(zip(columns, values, strict=True))
            rows[row.pop("patient")].append(row)
    for patient in patients:
        rows[patient].append({"PatientID": patient})
    return rows


def check_of(recipe: Recipe) -> CheckRules:
    """Give what the check looks for: all but what the recipe keeps on purpose."""
    kept = {Kind.STATION} if recipe.options.retain_device_identity else set()
    if tag_for_keyword("InstitutionName") in (*recipe.attributes.keep, *recipe.attributes.replace):
        kept.add(Kind.INSTITUTION)
    return recipe.check.model_copy(update={"kept": recipe.check.kept | kept})


def seen(files: Iterable[Told]) -> str:
    """Say in a digest which files somebody looks at."""
    return sha256("\n".join(sorted(one.sha256 for one in files)).encode()).hexdigest()


def _decision(decided: dict[str, tuple[str, Decision]], series: str, files: list[Told]) -> Decision | None:
    """Give what was decided about a series, if it was about just these files."""
    digest, what = decided.get(series, ("", None))
    return what if what is not None and digest == seen(files) else None
