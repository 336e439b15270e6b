"""What a definition names in a lake: rows of series, what is not there, what is ambiguous. Touches: disk.

An entry is what one line of a list, or one row of an answer to SQL, names. It is ambiguous when what fits it lies in
more than one PACS or belongs to more than one patient: then nothing of it is taken, unless the definition says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa

from crawler.cohort.definition import KEYS, Definition, Listed
from crawler.cohort.totals import ROWS
from crawler.errors import UserError
from crawler.lake.answer import plain_errors
from crawler.lake.query import Lake
from crawler.lake.schema import literal

CHOSEN = "cohort_chosen"
"""The table of what is in the cohort."""
FITTING = f"(SELECT DISTINCT {', '.join(ROWS)} FROM cohort_found)"
"""The same with what is ambiguous."""

_ENTRIES = """CREATE OR REPLACE TEMP TABLE cohort_entries AS
    SELECT row_number() OVER () AS entry, concat_ws(' / ', {keys}) AS said, *
    FROM (SELECT DISTINCT {values} FROM {source})
    WHERE coalesce(PatientID, AccessionNumber, StudyInstanceUID, SeriesInstanceUID) IS NOT NULL"""
_FOUND = """CREATE OR REPLACE TEMP TABLE cohort_found (entry BIGINT, pacs VARCHAR, PatientID VARCHAR, StudyDate DATE,
    StudyInstanceUID VARCHAR, SeriesInstanceUID VARCHAR, Modality VARCHAR, expected_instances BIGINT)"""
_MATCH = """INSERT INTO cohort_found
    SELECT entry, {side}.pacs, study.PatientID, study.StudyDate, {side}.StudyInstanceUID, series.SeriesInstanceUID,
        series.Modality, CASE WHEN series.SeriesInstanceUID IS NULL THEN study.NumberOfStudyRelatedInstances
            ELSE series.NumberOfSeriesRelatedInstances END
    FROM cohort_entries AS entries {joins} WHERE {filled}"""
_SAME_STUDY = "study.pacs = series.pacs AND study.StudyInstanceUID = series.StudyInstanceUID"
_COUNT_LISTED = """UPDATE cohort_found SET expected_instances = listed.number FROM (
        SELECT pacs, SeriesInstanceUID, count(*) AS number FROM instances
        SEMI JOIN (FROM cohort_found WHERE expected_instances IS NULL) AS uncounted USING (pacs, SeriesInstanceUID)
        GROUP BY ALL) AS listed
    WHERE cohort_found.expected_instances IS NULL AND cohort_found.pacs = listed.pacs
        AND cohort_found.SeriesInstanceUID = listed.SeriesInstanceUID"""
_AMBIGUOUS = """(SELECT entry FROM cohort_found GROUP BY entry
    HAVING count(DISTINCT pacs) > 1 OR count(DISTINCT coalesce(PatientID, '')) > 1) AS several"""


def find(lake: Lake, definition: Definition) -> None:
    """Put what a definition names into temporary tables of the lake's connection: what was there before goes.

    UserError where its SQL is wrong or names neither studies nor series, LakeError where it fails.
    """
    connection = lake.connection
    connection.execute("SET threads = 1; SET TimeZone = 'UTC'")  # what SQL leaves open is always the same then
    with plain_errors():
        if definition.listed:
            _take_list(lake, definition.listed)
        else:
            _take_answer(lake, definition)
        connection.execute(_FOUND)
        filled = ", ".join(f"{key} IS NOT NULL" for key in KEYS)
        for pattern in connection.sql(f"SELECT DISTINCT {filled} FROM cohort_entries").fetchall():
            given = [key for key, is_given in zip(KEYS, pattern, strict=True) if is_given]
            connection.execute(_match(given, definition.pacs))
        connection.execute(_COUNT_LISTED)
        clear = "" if definition.take_ambiguous else f"ANTI JOIN {_AMBIGUOUS} USING (entry)"
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {CHOSEN} AS SELECT DISTINCT {', '.join(ROWS)} FROM cohort_found {clear}"
        )


def not_found(lake: Lake) -> list[str]:
    """Name the entries that nothing fits."""
    return _named(lake, "ANTI JOIN cohort_found USING (entry)")


def ambiguous(lake: Lake) -> list[str]:
    """Name the entries that fit several patients or PACS."""
    return _named(lake, f"SEMI JOIN {_AMBIGUOUS} USING (entry)")


def _named(lake: Lake, join: str) -> list[str]:
    query = f"SELECT said FROM cohort_entries {join} ORDER BY 1"
    return [text for (text,) in lake.sql(query).fetchall()]


def _take_list(lake: Lake, listed: Listed) -> None:
    values = zip(*listed.rows, strict=True) if listed.rows else ((),) * len(listed.columns)
    lines = pa.table([pa.array(column, pa.string()) for column in values], names=listed.columns)
    lake.connection.register("cohort_lines", lines)
    _take(lake, "cohort_lines", listed.columns)
    lake.connection.unregister("cohort_lines")


def _take_answer(lake: Lake, definition: Definition) -> None:
    made = f"CREATE OR REPLACE TEMP TABLE cohort_answer AS FROM ({definition.sql}\n)"
    lake.connection.execute(made, definition.parameters or None).fetchall()
    given = {name.lower() for name in lake.sql("FROM cohort_answer").columns}
    names = [name for name in ("pacs", "StudyInstanceUID", "SeriesInstanceUID") if name.lower() in given]
    if not {"StudyInstanceUID", "SeriesInstanceUID"}.intersection(names):
        raise UserError(
            "The SQL of a cohort must give StudyInstanceUID or SeriesInstanceUID, or both, and may give pacs."
        )
    if definition.pacs and "pacs" in names:  # the others are not missing
        lake.connection.execute("DELETE FROM cohort_answer WHERE pacs <> $1", [definition.pacs]).fetchall()
    _take(lake, "cohort_answer", names)


def _take(lake: Lake, source: str, given: Sequence[str]) -> None:
    """Make entries of the rows of a table that has these of the keys."""
    values = (f"nullif(CAST({key} AS VARCHAR), '')" if key in given else "CAST(NULL AS VARCHAR)" for key in KEYS)
    named = ", ".join(f"{value} AS {key}" for value, key in zip(values, KEYS, strict=True))
    lake.connection.execute(_ENTRIES.format(keys=", ".join(KEYS), values=named, source=source))


def _match(given: Iterable[str], pacs: str | None) -> str:
    """Give the SQL that looks for the entries that give just these keys: each key then is one of a hash join."""
    filled = " AND ".join(f"entries.{key} IS {'NOT ' if key in given else ''}NULL" for key in KEYS)
    side = "series" if "SeriesInstanceUID" in given else "study"
    filled += f" AND {side}.pacs = {literal(pacs)}" if pacs else ""
    if side == "study":
        equal = " AND ".join(f"study.{key} = entries.{key}" for key in given)
        joins = f"JOIN studies AS study ON {equal} LEFT JOIN series ON {_SAME_STUDY}"
        return _MATCH.format(side=side, joins=joins, filled=filled)
    of_study = [key for key in given if key in ("PatientID", "AccessionNumber")]
    equal = " AND ".join(f"series.{key} = entries.{key}" for key in given if key not in of_study)
    joins = f"JOIN series ON {equal} LEFT JOIN studies AS study ON {_SAME_STUDY}"
    filled += "".join(f" AND study.{key} = entries.{key}" for key in of_study)
    return _MATCH.format(side=side, joins=joins, filled=filled)
