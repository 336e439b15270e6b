"""What the log holds: its entities, their columns as stored, and the types the views give them. Pure.

Owns how a decoded table becomes a stored one. See docs/lake-format.md for the reasons.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from functools import cache
from typing import TypeAlias

import pyarrow as pa

from crawler import columns
from crawler.model import Level

LEVELS = {level.entity: level for level in Level}
"""The entities whose rows are versions of what a PACS holds."""

TABLES = {
    "patient": "patients",
    "study": "studies",
    "series": "series",
    "instance": "instances",
    "worklist": "worklist",
}
"""The name of the current table of each entity."""

_LEDGER = ("window", "sweep", "reject", "profile", "job", "cohort", "cohort_series", "file", "retrieval", "review")
ENTITIES = (*TABLES, *_LEDGER)

UTC_TIME = pa.timestamp("us")
"""Bookkeeping times: without a zone, always UTC."""

_VERSION = (
    ("row_id", pa.int64()),
    ("pacs", pa.string()),
    ("supersedes", pa.int64()),
    ("change", pa.string()),
    ("valid_from", UTC_TIME),
    ("first_seen_at", UTC_TIME),
    ("sweep_id", pa.string()),
)
_WINDOW = (
    ("row_id", pa.int64()),
    ("pacs", pa.string()),
    ("level", pa.string()),
    ("date_from", pa.date32()),
    ("date_to", pa.date32()),
    ("time_from", pa.string()),
    ("time_to", pa.string()),
    ("key", pa.string()),
    ("state", pa.string()),
    ("answer_rows", pa.int64()),
    ("status", pa.int64()),
    ("cap", pa.int64()),
    ("sweep_id", pa.string()),
    ("asked_at", UTC_TIME),
    ("took_ms", pa.int64()),
    ("queries", pa.int64()),
    ("duplicates", pa.int64()),
    ("rejects", pa.int64()),
    ("reason", pa.string()),
    ("undated", pa.int64()),
)
_SWEEP = (
    ("row_id", pa.int64()),
    ("sweep_id", pa.string()),
    ("pacs", pa.string()),
    ("levels", pa.list_(pa.string())),
    ("date_from", pa.date32()),
    ("date_to", pa.date32()),
    ("state", pa.string()),
    ("started_at", UTC_TIME),
    ("finished_at", UTC_TIME),
    ("windows", pa.int64()),
    ("queries", pa.int64()),
    ("studies", pa.int64()),
    ("series", pa.int64()),
    ("instances", pa.int64()),
    ("inserted", pa.int64()),
    ("updated", pa.int64()),
)
_REJECT = (
    ("row_id", pa.int64()),
    ("pacs", pa.string()),
    ("level", pa.string()),
    ("sweep_id", pa.string()),
    ("rejected_at", UTC_TIME),
    ("reason", pa.string()),
    ("answer", pa.string()),
)
_PROFILE = (
    ("row_id", pa.int64()),
    ("pacs", pa.string()),
    ("level", pa.string()),
    ("name", pa.string()),
    ("value", pa.string()),
    ("evidence", pa.string()),
    ("found_at", UTC_TIME),
)
_JOB = (
    ("row_id", pa.int64()),
    ("job", pa.string()),
    ("kind", pa.string()),
    ("state", pa.string()),
    ("due_at", UTC_TIME),
    ("started_at", UTC_TIME),
    ("finished_at", UTC_TIME),
    ("reason", pa.string()),
)
_COHORT = (
    ("row_id", pa.int64()),
    ("cohort", pa.string()),
    ("version", pa.int64()),
    ("kind", pa.string()),
    ("definition", pa.string()),
    ("lake_version", pa.int64()),
    ("program", pa.string()),
    ("frozen_at", UTC_TIME),
    ("patients", pa.int64()),
    ("studies", pa.int64()),
    ("series", pa.int64()),
    ("instances", pa.int64()),
    ("unlisted", pa.int64()),
    ("uncounted", pa.int64()),
    ("open_days", pa.int64()),
    ("not_found", pa.list_(pa.string())),
    ("ambiguous", pa.list_(pa.string())),
    ("dropped_at", UTC_TIME),
)
_COHORT_SERIES = (
    ("row_id", pa.int64()),
    ("cohort", pa.string()),
    ("version", pa.int64()),
    ("frozen_at", UTC_TIME),
    ("pacs", pa.string()),
    ("PatientID", pa.string()),
    ("StudyDate", pa.date32()),
    ("StudyInstanceUID", pa.string()),
    ("SeriesInstanceUID", pa.string()),
    ("Modality", pa.string()),
    ("expected_instances", pa.int64()),
)
_FILE = (
    ("row_id", pa.int64()),
    ("pacs", pa.string()),
    *((name, pa.string()) for name in ("SOPInstanceUID", "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID")),
    *((name, pa.string()) for name in ("path", "outcome", "transfer_syntax", "sha256", "source_ae")),
    ("size", pa.int64()),
    ("received_at", UTC_TIME),
    ("ImageType", pa.list_(pa.string())),
    ("Modality", pa.string()),
    ("SliceThickness", pa.float64()),
    ("InstanceNumber", pa.int64()),
    ("ImagePositionPatient", pa.list_(pa.float64())),
    ("ImageOrientationPatient", pa.list_(pa.float64())),
    ("PhotometricInterpretation", pa.string()),
    ("NumberOfFrames", pa.int64()),
    ("PixelSpacing", pa.list_(pa.float64())),
    *((name, pa.int64()) for name in ("Rows", "Columns", "BitsAllocated")),
)
_TAGS_OF_FILES = {
    "ImageType": b"00080008",
    "SliceThickness": b"00180050",
    "InstanceNumber": b"00200013",
    "ImagePositionPatient": b"00200032",
    "ImageOrientationPatient": b"00200037",
    "PhotometricInterpretation": b"00280004",
    "NumberOfFrames": b"00280008",
    "Rows": b"00280010",
    "Columns": b"00280011",
    "PixelSpacing": b"00280030",
    "BitsAllocated": b"00280100",
}
_RETRIEVAL = (
    ("row_id", pa.int64()),
    *((name, pa.string()) for name in ("pacs", "StudyInstanceUID", "SeriesInstanceUID", "cohort")),
    ("version", pa.int64()),
    *((name, pa.string()) for name in ("state", "reason", "way", "level")),
    *((name, pa.int64()) for name in ("requests", "expected_instances", "received_instances", "status")),
    *((name, pa.int64()) for name in ("completed", "failed", "warning", "remaining")),
    ("failed_instances", pa.list_(pa.string())),
    ("changed_at", UTC_TIME),
)
_REVIEW = (
    ("row_id", pa.int64()),
    *((name, pa.string()) for name in ("cohort", "SeriesInstanceUID", "decision", "seen", "reason", "person")),
    ("decided_at", UTC_TIME),
)
_OWN = {
    "window": _WINDOW,
    "sweep": _SWEEP,
    "reject": _REJECT,
    "profile": _PROFILE,
    "job": _JOB,
    "cohort": _COHORT,
    "cohort_series": _COHORT_SERIES,
    "file": _FILE,
    "retrieval": _RETRIEVAL,
    "review": _REVIEW,
}


Added: TypeAlias = Mapping[str, tuple[pa.Field, ...]]
"""The decoded columns of each entity that a lake has beyond the catalogue's."""


def stored_type(kind: pa.DataType) -> pa.DataType:
    """Give the type under which the log keeps a decoded column: Delta has no time of day."""
    if pa.types.is_list(kind) and pa.types.is_time(kind.value_type):
        return pa.list_(pa.int64())
    return pa.int64() if pa.types.is_time(kind) else kind


def stored_field(decoded: pa.Field) -> pa.Field:
    """Give the field under which the log keeps a decoded column; what it is stays in its metadata."""
    return decoded.with_type(stored_type(decoded.type))


@cache
def stored_schema(entity: str, added: tuple[pa.Field, ...] = ()) -> pa.Schema:
    """Give the columns of one entity's Parquet files; `added` are decoded columns beyond the catalogue's."""
    if entity in LEVELS:
        own = [pa.field(name, kind) for name, kind in _VERSION]
        return pa.schema([*own, *map(stored_field, (*columns.schema(LEVELS[entity]), *added))])
    notes = columns.schema(Level.STUDY)
    fields = [pa.field(name, kind) for name, kind in _OWN[entity]]
    return pa.schema([*fields, notes.field("faults"), notes.field("raw")] if entity == "reject" else fields)


@cache
def log_schema() -> pa.Schema:
    """Give the columns of the whole log: `entity`, then every entity's columns once."""
    merged = {"entity": pa.string()}
    for entity in ENTITIES:
        for field in stored_schema(entity):
            if merged.setdefault(field.name, field.type) != field.type:
                raise TypeError(f"column {field.name} has another type in {entity}")
    return pa.schema(list(merged.items()))


@cache
def fingerprint(entity: str, added: tuple[pa.Field, ...] = ()) -> str:
    """Name an entity's columns in eight hexadecimal digits: files written with other columns bear another."""
    return fingerprint_of(stored_schema(entity, added))


def fingerprint_of(schema: pa.Schema) -> str:
    """Name these columns as `fingerprint` does."""
    text = "\n".join(f"{field.name} {field.type}" for field in schema)
    return f"{zlib.crc32(text.encode()):08x}"


def is_told_by_files(decoded: pa.Field) -> bool:
    """Whether this column of `instances` is one of `files` too: of the same attribute, and of the same type."""
    stored = stored_schema("file")
    at = stored.get_field_index(decoded.name)
    tag = _TAGS_OF_FILES.get(decoded.name)
    return tag is not None and decoded.metadata[b"tag"] == tag and stored.field(at).type == decoded.type


def added_from(text: str | None) -> Added:
    """Read which columns a lake has beyond the catalogue's, as `added_text` wrote it."""
    added = {}
    for entity, told in json.loads(text or "{}").items():
        kinds = [columns.arrow_type(said["vr"], listed=said.pop("list")) for said in told]
        added[entity] = tuple(
            pa.field(said.pop("name"), kind, metadata=said) for said, kind in zip(told, kinds, strict=True)
        )
    return added


def added_text(added: Added) -> str:
    """Write which columns a lake has beyond the catalogue's, as a property of its table."""
    return json.dumps({entity: [_told(field) for field in fields] for entity, fields in added.items()})


def _told(field: pa.Field) -> dict[str, str | bool]:
    said = {key.decode(): value.decode() for key, value in field.metadata.items()}
    return {"name": field.name, "list": pa.types.is_list(field.type), **said}


def beyond_catalogue(level: Level, decoded: pa.Schema) -> tuple[pa.Field, ...]:
    """Give the columns of decoded answers that users added."""
    known = columns.schema(level).names
    return tuple(field for field in decoded if field.name not in known)


def completed(stored: pa.Table, added: tuple[pa.Field, ...]) -> pa.Table:
    """Give a stored table the added columns that its answers were not asked for: null."""
    for field in map(stored_field, added):
        if field.name not in stored.schema.names:
            stored = stored.append_column(field, pa.nulls(stored.num_rows, field.type))
    return stored


def to_stored(decoded: pa.Table, pacs: str) -> pa.Table:
    """Turn decoded answers into stored columns, with `pacs` before them and without the rest of the bookkeeping."""
    names = ["pacs", *decoded.schema.names]
    arrays: list[pa.ChunkedArray | pa.Array] = [pa.repeat(pa.scalar(pacs, pa.string()), decoded.num_rows)]
    arrays.extend(column.cast(stored_type(column.type)) for column in decoded.columns)
    return pa.Table.from_arrays(arrays, names=names)


def sql_type(kind: pa.DataType) -> str:
    """Name an Arrow type in DuckDB's SQL."""
    if pa.types.is_list(kind):
        return f"{sql_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        return f"STRUCT({', '.join(f'{quoted(field.name)} {sql_type(field.type)}' for field in kind)})"
    return _SQL_TYPES[kind]


def quoted(name: str) -> str:
    """Quote an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a string of SQL."""
    return "'" + text.replace("'", "''") + "'"


_SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.time64("us"): "TIME",
    pa.timestamp("us"): "TIMESTAMP",
}
