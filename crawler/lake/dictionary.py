"""The data dictionary: what every column of every table is. Pure.

The columns of answers come from the catalogue; those of our own bookkeeping are described here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from crawler import columns
from crawler.columns import Phi
from crawler.lake.schema import LEVELS, TABLES, Added, literal, quoted, sql_type
from crawler.lake.views_told import VIEWS_TOLD
from crawler.model import Level


@dataclass(frozen=True, slots=True)
class Entry:
    """One column of one table. `tag`, `vr` and `creator` are empty where it is no attribute of DICOM."""

    table: str
    column: str
    type: str
    """In DuckDB's words."""
    tag: str
    vr: str
    creator: str
    """Private creator."""
    level: str
    meaning: str
    null: str
    """What a null says."""
    phi: str
    """How far it identifies a person: direct, quasi (with other columns), none."""
    example: str

    @property
    def name(self) -> str:
        """The attribute's name of PS3.6, after those of its sequences; for a private one its creator."""
        if self.creator:
            return f"private, {self.creator}"
        from pydicom.datadict import dictionary_description, dictionary_has_tag  # 200 ms, and few callers want it

        tags = [int(tag, 16) for tag in self.tag.split(".") if tag]
        return " > ".join(dictionary_description(tag) for tag in tags if dictionary_has_tag(tag))


Told = tuple[str, str, str, str, Phi, str]
"""Column, type, meaning, what a null says, PHI class, example."""

_N, _Q, _D = Phi.NONE, Phi.QUASI, Phi.DIRECT
_NEVER = "never"
_PACS: Told = ("pacs", "VARCHAR", "Name of the PACS, as in pacslake.toml", _NEVER, _N, "main")
_SWEEP: Told = ("sweep_id", "VARCHAR", "Sweep that brought it", _NEVER, _N, "9f0c4b7e2a514d1c8e55c1a7d3f0b642")
_LEVEL: Told = ("level", "VARCHAR", "Level asked for: study, series, image or worklist", _NEVER, _N, "study")
_SEEN: Told = ("first_seen_at", "TIMESTAMP", "When it was first seen (UTC)", _NEVER, _N, "2024-02-01 22:00:07")

_CURRENT: tuple[Told, ...] = (
    _PACS,
    _SEEN,
    ("changed_at", "TIMESTAMP", "Since when it is as it is now (UTC)", _NEVER, _N, "2024-03-01 22:00:09"),
    ("removed_at", "TIMESTAMP", "When it had vanished from the PACS (UTC)", "it has not", _N, "2024-05-01 22:00:11"),
    _SWEEP,
)
_HISTORY: tuple[Told, ...] = (
    _PACS,
    ("valid_from", "TIMESTAMP", "From when on the row was like this (UTC)", _NEVER, _N, "2024-02-01 22:00:07"),
    ("valid_to", "TIMESTAMP", "Until when (UTC)", "it still is", _N, "2024-03-01 22:00:09"),
    ("change", "VARCHAR", "What made this version: insert, update, remove or reappear", _NEVER, _N, "update"),
    _SEEN,
    _SWEEP,
    ("row_id", "BIGINT", "Number of the version, unique in the lake", _NEVER, _N, "1207"),
)
_STUDY_UID: Told = ("StudyInstanceUID", "VARCHAR", "Unique identifier of the study", _NEVER, _Q, "1.2.840.113619.2.5")
_SERIES_UID: Told = ("SeriesInstanceUID", "VARCHAR", "That of the series", _NEVER, _Q, "1.2.840.113619.2.5.1")
_NOT_THERE = "not in the file, or malformed"
_RETRIEVAL: tuple[Told, ...] = (
    _PACS,
    _STUDY_UID,
    _SERIES_UID,
    ("cohort", "VARCHAR", "Cohort that asked for it; the first, if several did", "no cohort did", _N, "lung_ct"),
    ("version", "BIGINT", "Version of that cohort", "no cohort asked", _N, "1"),
    ("state", "VARCHAR", "planned, requested, partial, complete, offline or failed", _NEVER, _N, "complete"),
    ("reason", "VARCHAR", "Why it is not complete, in words", "nothing to say", _N, "3 of 310 instances did not come"),
    ("way", "VARCHAR", "How it is asked for: move or get", "not asked for yet", _N, "move"),
    ("level", "VARCHAR", "Level of the last request: series or image", "not asked for yet", _N, "series"),
    ("requests", "BIGINT", "Requests for it so far", "not asked for yet", _N, "1"),
    ("expected_instances", "BIGINT", "Instances that the PACS lists", "it could not list them", _N, "310"),
    ("received_instances", "BIGINT", "Instances of it that are here", "not looked yet", _N, "310"),
    ("status", "BIGINT", "Final status of the last C-MOVE or C-GET", "none came", _N, "0"),
    ("completed", "BIGINT", "Sub-operations that it called completed; nothing rests on it", "not told", _N, "310"),
    ("failed", "BIGINT", "Those that it called failed", "not told", _N, "0"),
    ("warning", "BIGINT", "Those that it called completed with warnings", "not told", _N, "0"),
    ("remaining", "BIGINT", "Those that it called remaining", "not told", _N, "0"),
    ("failed_instances", "VARCHAR[]", "Instances that it named as failed (0008,0058)", "not told", _Q, "[]"),
    ("changed_at", "TIMESTAMP", "Since when it is so (UTC)", _NEVER, _N, "2024-02-01 22:00:31"),
)
_OTHERS: dict[str, tuple[Told, ...]] = {
    "windows": (
        _PACS,
        _LEVEL,
        ("date_from", "DATE", "First day asked for", "open towards the past", _N, "2024-01-01"),
        ("date_to", "DATE", "Last day asked for, included", "open towards the future", _N, "2024-01-03"),
        ("time_from", "VARCHAR", "First time of day asked for, as a TM", "the whole day", _N, "080000"),
        ("time_to", "VARCHAR", "Last time of day asked for, as a TM", "the whole day", _N, "115959.999999"),
        ("key", "VARCHAR", "Further key that narrowed the question", "there was none", _Q, "ModalitiesInStudy=CT"),
        ("state", "VARCHAR", "What can be said of the answer; only complete is proof", _NEVER, _N, "complete"),
        ("rows", "BIGINT", "Rows of the answer", _NEVER, _N, "214"),
        ("status", "BIGINT", "Final C-FIND status (PS3.4 C.4.1.1.4)", "none came", _N, "0"),
        ("cap", "BIGINT", "Number of rows at which this PACS ends answers", "no cap was seen", _N, "500"),
        _SWEEP,
        ("asked_at", "TIMESTAMP", "When it was asked (UTC)", _NEVER, _N, "2024-02-01 22:00:02"),
        ("took_ms", "BIGINT", "Milliseconds that the answer took", _NEVER, _N, "1830"),
        ("queries", "BIGINT", "Queries that it took", _NEVER, _N, "1"),
        ("duplicates", "BIGINT", "Rows that came more than once", _NEVER, _N, "0"),
        ("rejects", "BIGINT", "Answers that could be no rows, in `rejects`", _NEVER, _N, "0"),
        ("reason", "VARCHAR", "Why it is not complete, in words", "it is complete", _N, "500 rows, a cap of this PACS"),
        ("undated", "BIGINT", "Rows without a StudyDate", _NEVER, _N, "0"),
    ),
    "sweeps": (
        _SWEEP,
        _PACS,
        ("levels", "VARCHAR[]", "Levels asked for", _NEVER, _N, "study, series"),
        ("date_from", "DATE", "First day to be asked for", "open towards the past", _N, "2024-01-01"),
        ("date_to", "DATE", "Last day to be asked for, included", "open towards the future", _N, "2024-01-31"),
        ("state", "VARCHAR", "running, complete, partial or interrupted", _NEVER, _N, "complete"),
        ("started_at", "TIMESTAMP", "When it began (UTC)", _NEVER, _N, "2024-02-01 22:00:00"),
        ("finished_at", "TIMESTAMP", "When it ended (UTC)", "it has not", _N, "2024-02-01 22:14:41"),
        ("windows", "BIGINT", "Windows settled", _NEVER, _N, "12"),
        ("queries", "BIGINT", "Queries sent", _NEVER, _N, "2503"),
        ("studies", "BIGINT", "Studies answered", _NEVER, _N, "2491"),
        ("series", "BIGINT", "Series answered", _NEVER, _N, "11020"),
        ("instances", "BIGINT", "Instances answered", _NEVER, _N, "0"),
        ("inserted", "BIGINT", "Rows that were new", _NEVER, _N, "13511"),
        ("updated", "BIGINT", "Rows that had changed", _NEVER, _N, "0"),
    ),
    "rejects": (
        _PACS,
        _LEVEL,
        _SWEEP,
        ("rejected_at", "TIMESTAMP", "When the answer came (UTC)", _NEVER, _N, "2024-02-01 22:00:07"),
        ("reason", "VARCHAR", "Why it is in no other table", _NEVER, _N, "no StudyInstanceUID"),
        ("answer", "VARCHAR", "The decoded answer, as JSON", _NEVER, _D, '{"PatientID": "4711"}'),
    ),
    "pacs_profiles": (
        _PACS,
        ("level", "VARCHAR", "Level that it concerns", "every level", _N, "study"),
        ("name", "VARCHAR", "What was found out", _NEVER, _N, "cap"),
        ("value", "VARCHAR", "The finding", _NEVER, _N, "500"),
        ("evidence", "VARCHAR", "What it was seen by", _NEVER, _N, "500 rows came, 812 in two halves"),
        ("found_at", "TIMESTAMP", "When it was found out (UTC)", _NEVER, _N, "2024-02-01 21:58:30"),
    ),
    "job_runs": (
        ("run", "BIGINT", "Number of the run, ascending in the order of doing", _NEVER, _N, "1207"),
        ("job", "VARCHAR", "Name of the job, as in pacslake.toml", _NEVER, _N, "nightly"),
        ("kind", "VARCHAR", "What it does: sweep, reconcile, retrieve, maintain or check", _NEVER, _N, "sweep"),
        ("state", "VARCHAR", "complete, capped, partial, failed; waiting: new, not due yet", _NEVER, _N, "complete"),
        ("due_at", "TIMESTAMP", "The moment at which its schedule wanted it (UTC)", _NEVER, _N, "2024-02-01 22:00:00"),
        ("started_at", "TIMESTAMP", "When it began (UTC)", _NEVER, _N, "2024-02-01 22:00:00"),
        ("finished_at", "TIMESTAMP", "When it ended (UTC)", _NEVER, _N, "2024-02-01 22:14:42"),
        ("reason", "VARCHAR", "Why it did not get through, in words", "it did", _N, "exit code 3"),
    ),
    "cohorts": (
        ("cohort", "VARCHAR", "Name of the cohort", _NEVER, _N, "lung_ct"),
        ("version", "BIGINT", "1 for the first time that it was frozen, then 2 and so on", _NEVER, _N, "1"),
        ("kind", "VARCHAR", "What defines it: sql or list", _NEVER, _N, "sql"),
        ("definition", "VARCHAR", "SQL and parameters, or the list, as JSON", _NEVER, _D, '{"sql": …}'),
        ("lake_version", "BIGINT", "Version of the log that it was frozen from", _NEVER, _N, "42"),
        ("program", "VARCHAR", "Version of pacslake that froze it", _NEVER, _N, "1.0.0"),
        ("frozen_at", "TIMESTAMP", "When it was frozen (UTC)", _NEVER, _N, "2024-02-01 22:00:00"),
        ("patients", "BIGINT", "Different PatientIDs in it", _NEVER, _N, "310"),
        ("studies", "BIGINT", "Studies in it", _NEVER, _N, "412"),
        ("series", "BIGINT", "Series in it", _NEVER, _N, "1870"),
        ("instances", "BIGINT", "Instances in it, as far as their number is known", _NEVER, _N, "301455"),
        ("unlisted", "BIGINT", "Studies in it whose series were not known", _NEVER, _N, "0"),
        ("uncounted", "BIGINT", "Rows of it whose number of instances was not known", _NEVER, _N, "0"),
        ("open_days", "BIGINT", "Days of it that were not proven complete then", _NEVER, _N, "0"),
        ("not_found", "VARCHAR[]", "What the definition names and the lake did not have", _NEVER, _D, "[A4711]"),
        ("ambiguous", "VARCHAR[]", "What named several patients or PACS", _NEVER, _D, "[A4712]"),
        ("dropped_at", "TIMESTAMP", "When it was dropped (UTC)", "it was not", _N, "2024-05-01 09:12:00"),
    ),
    "cohort_series": (
        ("cohort", "VARCHAR", "Name of the cohort", _NEVER, _N, "lung_ct"),
        ("version", "BIGINT", "Version of the cohort", _NEVER, _N, "1"),
        _PACS,
        ("PatientID", "VARCHAR", "Whose study it is", "the PACS did not say", _D, "0047110815"),
        ("StudyDate", "DATE", "Day the study started", "the PACS did not say", _Q, "2024-01-31"),
        ("StudyInstanceUID", "VARCHAR", "Unique identifier of the study", _NEVER, _Q, "1.2.840.113619.2.5"),
        ("SeriesInstanceUID", "VARCHAR", "That of the series", "series not known", _Q, "1.2.840.113619.2.5.1"),
        ("Modality", "VARCHAR", "Modality of the series", "not known", _N, "CT"),
        ("expected_instances", "BIGINT", "Instances that it should have", "not known", _N, "310"),
    ),
    "files": (
        ("pacs", "VARCHAR", "PACS that it was asked from", "nobody had asked for it", _N, "main"),
        ("SOPInstanceUID", "VARCHAR", "Unique identifier of the instance", _NEVER, _Q, "1.2.840.113619.2.5.1.7"),
        ("SOPClassUID", "VARCHAR", "Kind of object (PS3.4 B.5)", _NEVER, _N, "1.2.840.10008.5.1.4.1.1.2"),
        _STUDY_UID,
        _SERIES_UID,
        ("path", "VARCHAR", "Where it lies, relative to store_path of [local]", _NEVER, _N, "3f/a0/3fa0…c1.dcm"),
        ("outcome", "VARCHAR", "stored; again: same bytes; other: other bytes, kept beside", _NEVER, _N, "stored"),
        ("transfer_syntax", "VARCHAR", "How it is encoded (PS3.5)", _NEVER, _N, "1.2.840.10008.1.2.1"),
        ("sha256", "VARCHAR", "SHA-256 of the file, in hexadecimal", _NEVER, _Q, "9f86d081884c7d65…"),
        ("source_ae", "VARCHAR", "AE title that sent it", _NEVER, _N, "ORTHANC"),
        ("size", "BIGINT", "Bytes of the file", _NEVER, _N, "526336"),
        (
            "received_at",
            "TIMESTAMP",
            "When it was safe on disk (UTC), the last time",
            _NEVER,
            _N,
            "2024-02-01 22:00:09",
        ),
        ("ImageType", "VARCHAR[]", "ORIGINAL or DERIVED, and more", _NOT_THERE, _N, "ORIGINAL, PRIMARY"),
        ("Modality", "VARCHAR", "Modality of the series", _NOT_THERE, _N, "CT"),
        ("SliceThickness", "DOUBLE", "Slice thickness in mm", _NOT_THERE, _N, "1.25"),
        ("InstanceNumber", "BIGINT", "Number of the instance in its series", _NOT_THERE, _N, "7"),
        ("ImagePositionPatient", "DOUBLE[]", "Centre of the first pixel in mm", _NOT_THERE, _N, "[-125, -98.5, 40]"),
        ("ImageOrientationPatient", "DOUBLE[]", "Directions of row and column", _NOT_THERE, _N, "[1, 0, 0, 0, 1, 0]"),
        ("PhotometricInterpretation", "VARCHAR", "What pixel values mean", _NOT_THERE, _N, "MONOCHROME2"),
        ("NumberOfFrames", "BIGINT", "Frames of a multi-frame image", _NOT_THERE, _N, "64"),
        ("PixelSpacing", "DOUBLE[]", "From row to row and from column to column, in mm", _NOT_THERE, _N, "[0.7, 0.7]"),
        ("Rows", "BIGINT", "Height of the image in pixels", _NOT_THERE, _N, "512"),
        ("Columns", "BIGINT", "Width of the image in pixels", _NOT_THERE, _N, "512"),
        ("BitsAllocated", "BIGINT", "Bits that a pixel's sample takes", _NOT_THERE, _N, "16"),
    ),
    "retrievals": _RETRIEVAL,
    "retrieval_history": (
        ("change", "BIGINT", "Number of the change, ascending in their order", _NEVER, _N, "1207"),
        *_RETRIEVAL,
    ),
    "reviews": (
        ("review", "BIGINT", "Number of the decision, ascending in their order", _NEVER, _N, "1207"),
        ("cohort", "VARCHAR", "Cohort whose images somebody looked at", _NEVER, _N, "lung_ct"),
        _SERIES_UID,
        ("decision", "VARCHAR", "release or refuse", _NEVER, _N, "release"),
        ("seen", "VARCHAR", "Which files were looked at: a digest of theirs", _NEVER, _N, "9f86d081884c7d65…"),
        ("reason", "VARCHAR", "What they said of it", "nothing", _D, "no text in the pixels"),
        ("person", "VARCHAR", "Who decided", _NEVER, _N, "jane"),
        ("decided_at", "TIMESTAMP", "When (UTC)", _NEVER, _N, "2024-02-01 22:00:09"),
    ),
    "lake_version": (
        ("version", "BIGINT", "Version of the log that the tables show", _NEVER, _N, "42"),
        ("format", "BIGINT", "Format of the lake; a release refuses one that it does not know", _NEVER, _N, "1"),
    ),
}
_NOTES = ("faults", "raw")


def dictionary(added: Added | None = None) -> list[Entry]:
    """Describe every column of every table, columns that users added among them, in the order of the tables."""
    entries: list[Entry] = []
    for entity, table in TABLES.items():
        level = LEVELS[entity]
        fields = [*columns.schema(level), *(added or {}).get(entity, ())]
        for name, told in ((table, _CURRENT), (f"{table}_history", _HISTORY)):
            pacs, *own = (_own(name, level.value, one) for one in told)
            entries += [pacs, *(_of_field(name, level.value, field) for field in fields), *own]
    for table, told in (_OTHERS | VIEWS_TOLD).items():
        entries += [_own(table, "", one) for one in told]
        if table == "rejects":
            entries += [_of_field(table, "", field) for field in columns.schema(Level.STUDY) if field.name in _NOTES]
    return entries


def _own(table: str, level: str, told: Told) -> Entry:
    column, kind, meaning, null, phi, example = told
    return Entry(table, column, kind, "", "", "", level, meaning, null, phi.value, example)


def _of_field(table: str, level: str, field: pa.Field) -> Entry:
    """Describe a column by its own metadata."""
    said = {key.decode(): value.decode() for key, value in field.metadata.items()}
    known = (said.get("tag", ""), said.get("vr", ""), said.get("creator", ""), level)
    told = (said["description"], said["null"], said["phi"], said["example"])
    return Entry(table, field.name, sql_type(field.type), *known, *told)


def comments(entries: Iterable[Entry]) -> list[str]:
    """Give the SQL that says at each column of the views what it is."""
    statements = []
    for entry in entries:
        tag = f"({entry.tag}, {entry.vr}) " if entry.tag else ""
        text = f"{tag}{entry.meaning}. Null: {entry.null}. PHI: {entry.phi}."
        statements.append(f"COMMENT ON COLUMN {entry.table}.{quoted(entry.column)} IS {literal(text)}")
    return statements
