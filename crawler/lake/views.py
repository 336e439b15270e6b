"""The SQL of the views over a given list of files. Touches: disk, for the package's own template."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template

import pyarrow as pa

from crawler import columns
from crawler.lake.catalog import OWN_PLACE
from crawler.lake.dictionary import comments, dictionary
from crawler.lake.format import FORMAT
from crawler.lake.log import Log, LogFile
from crawler.lake.parts import PAST
from crawler.lake.schema import (
    LEVELS,
    TABLES,
    Added,
    fingerprint,
    is_told_by_files,
    literal,
    quoted,
    sql_type,
    stored_schema,
)

_SUPERSEDED = """ANTI JOIN (SELECT supersedes FROM $superseding WHERE supersedes IS NOT NULL) AS later
    ON row_id = later.supersedes
WHERE change <> 'remove'"""

_KNOWN_SINCE = {
    "window": "asked_at",
    "sweep": "coalesce(finished_at, started_at)",
    "reject": "rejected_at",
    "profile": "found_at",
    "job": "finished_at",
    "cohort": "coalesce(frozen_at, dropped_at)",
    "cohort_series": "frozen_at",
    "file": "received_at",
    "retrieval": "changed_at",
    "review": "decided_at",
}
"""When a row of the ledger came to be known."""

_TOLD = {
    "window": "windows",
    "sweep": "sweeps",
    "reject": "rejects",
    "profile": "profiles",
    "job": "jobs",
    "cohort": "cohorts",
    "cohort_series": "cohort_series",
    "file": "files",
    "retrieval": "retrievals",
    "review": "reviews",
}
"""The $name in views.sql of what an entity's rows are read from."""


def view_statements(
    log: Path, active: Sequence[LogFile], version: int, as_of: datetime | None = None, added: Added | None = None
) -> list[str]:
    """Give the statements that make all views over the active files. They exist, empty and typed, without files too.

    With `as_of` (naive UTC) they show what was known then.
    """
    of: dict[str, list[LogFile]] = {}
    for file in active:
        of.setdefault(file.entity, []).append(file)

    def known(entity: str) -> str:
        return files_source(log, entity, of.get(entity, []), as_of)

    added = added or {}
    current, history, *ledger = map(Template, _statements("views.sql"))
    statements = []
    for entity, table in TABLES.items():
        beyond = added.get(entity, ())
        names = _sources(log, entity, of.get(entity, []), as_of, beyond)
        names |= {"table": table, "columns": _public_columns(entity, beyond)}
        statements += [current.substitute(names), history.substitute(names)]
        told = statements[-2].partition(" AS\n")[2]
        if entity == "patient":
            patients = patients_statement(told, names["versions"])
        elif entity == "instance" and "file" in of:
            [of_instances] = map(Template, _statements("views_of_instances.sql"))
            statements[-2] = of_instances.substitute(_told_by_files(beyond), told=told, files=known("file"))
    statements.append(patients)
    sources = {name: known(entity) for entity, name in _TOLD.items()}
    statements += [view.substitute(sources, version=str(version), format=str(FORMAT)) for view in ledger]
    return [*statements, *_statements("views_for_people.sql")]


def patients_statement(told: str, versions: str) -> str:
    """Give the statement that makes `patients`: those that PACS tell of, and those that only `studies` names."""
    [of_patients] = map(Template, _statements("views_of_patients.sql"))
    return of_patients.substitute(told=told, versions=versions)


def catalog_statements(log: Log) -> list[str]:
    """Give the statements that make `lake.duckdb`: the views of a log's version, and comments on their columns.

    Those of a history are its table's: commenting both would double the time, and each commit makes the views anew.
    """
    files = sorted(log.files, key=lambda file: file.path)  # the same ones always make the same catalog, to the byte
    told = comments(entry for entry in dictionary(log.added) if not entry.table.endswith("_history"))
    return [*view_statements(log.folder, files, log.version, None, log.added), *told]


@cache
def _statements(name: str) -> tuple[str, ...]:
    text = files("crawler.lake").joinpath(name).read_text(encoding="utf-8")
    return tuple(block.strip() for block in text.split("\n\n") if "CREATE OR REPLACE VIEW" in block)


def _sources(
    log: Path, entity: str, active: list[LogFile], as_of: datetime | None, added: tuple[pa.Field, ...]
) -> dict[str, str]:
    """Give where versions and superseding ones come from, and the join that keeps the current ones.

    Upkeep puts rows that are not current into files of their own, and knows what the rows beside them supersede: the
    current table needs neither. For a moment of the past it needs them all.
    """
    superseding = [file for file in active if file.superseding]
    candidates = active if as_of else [file for file in active if file.standing != PAST]
    later = superseding if as_of else [file for file in superseding if not file.standing]
    only_current = Template(_SUPERSEDED).substitute(superseding=files_source(log, entity, later, as_of, added))
    return {
        "versions": files_source(log, entity, active, as_of, added),
        "candidates": files_source(log, entity, candidates, as_of, added),
        "superseding": files_source(log, entity, superseding, as_of, added),
        "only_current": only_current if later or as_of else "",
    }


def files_source(
    log: Path,
    entity: str,
    active: Sequence[LogFile],
    as_of: datetime | None = None,
    added: tuple[pa.Field, ...] = (),
) -> str:
    """Give what to select an entity's stored columns from: these files, whichever columns they were written with."""
    if not active:
        return _nothing(entity, added)
    if as_of:
        known = f"{_KNOWN_SINCE.get(entity, 'valid_from')} <= TIMESTAMP {literal(str(as_of))}"
        return f"(SELECT * FROM {files_source(log, entity, active, added=added)} WHERE {known})"
    paths = ", ".join(literal(str(log / file.path)) for file in active)
    if all(f"-{fingerprint(entity, added)}-" in file.path for file in active):
        return f"read_parquet([{paths}], hive_partitioning = false)"
    by_name = f"SELECT * FROM read_parquet([{paths}], hive_partitioning = false, union_by_name = true)"
    return f"(FROM {_nothing(entity, added)} UNION ALL BY NAME {by_name})"


def _told_by_files(added: tuple[pa.Field, ...]) -> dict[str, str]:
    """Give the SQL of those columns of `instances` that files tell of."""
    decoded = [*columns.schema(LEVELS["instance"]), *added]
    names = [quoted(field.name) for field in decoded if is_told_by_files(field)]
    return {
        "said": ", ".join(f"max({name}) FILTER (WHERE {OWN_PLACE}) AS {name}" for name in names),
        "coalesced": ", ".join(f"coalesce(known.{name}, file.{name}) AS {name}" for name in names),
    }


@cache
def _nothing(entity: str, added: tuple[pa.Field, ...]) -> str:
    """Give a source of no rows with the entity's columns."""
    typed = (f"CAST(NULL AS {sql_type(field.type)}) AS {quoted(field.name)}" for field in stored_schema(entity, added))
    return f"(SELECT {', '.join(typed)} WHERE false)"


@cache
def _public_columns(entity: str, added: tuple[pa.Field, ...]) -> str:
    decoded = [*columns.schema(LEVELS[entity]), *added]
    return ", ".join(_public_column(field) for field in decoded if field.name not in ("faults", "raw"))


def _public_column(field: pa.Field) -> str:
    name = quoted(field.name)
    if pa.types.is_time(field.type):
        return f"TIME '00:00:00' + to_microseconds({name}) AS {name}"
    if pa.types.is_list(field.type) and pa.types.is_time(field.type.value_type):
        return f"[TIME '00:00:00' + to_microseconds(one) FOR one IN {name}] AS {name}"
    return name
