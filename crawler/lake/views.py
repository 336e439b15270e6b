"""The SQL of the views over a given list of files. Touches: disk, for the package's own template."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template

import pyarrow as pa

from crawler import columns
from crawler.lake.dictionary import comments, dictionary
from crawler.lake.log import LogFile
from crawler.lake.schema import LEVELS, TABLES, fingerprint, literal, quoted, sql_type, stored_schema

_SUPERSEDED = """ANTI JOIN (SELECT supersedes FROM $superseding WHERE supersedes IS NOT NULL) AS later
    ON row_id = later.supersedes
WHERE change <> 'remove'"""


def view_statements(log: Path, active: Sequence[LogFile], version: int) -> list[str]:
    """Give the statements that make all views over the active files. They exist, empty and typed, without files too."""
    of: dict[str, list[LogFile]] = {}
    for file in active:
        of.setdefault(file.entity, []).append(file)
    current, history, windows, sweeps, rejects, profiles, lake_version = _templates()
    statements = []
    for entity, table in TABLES.items():
        names = {"table": table, "columns": _public_columns(entity), **_sources(log, entity, of.get(entity, []))}
        statements += [current.substitute(names), history.substitute(names)]
    statements.append(windows.substitute(windows=files_source(log, "window", of.get("window", []))))
    statements.append(sweeps.substitute(sweeps=files_source(log, "sweep", of.get("sweep", []))))
    statements.append(rejects.substitute(rejects=files_source(log, "reject", of.get("reject", []))))
    statements.append(profiles.substitute(profiles=files_source(log, "profile", of.get("profile", []))))
    statements.append(lake_version.substitute(version=version))
    # Those of a history are its table's: commenting both would double the time, and each commit makes the views anew.
    return [*statements, *comments(entry for entry in dictionary() if not entry.table.endswith("_history"))]


@cache
def _templates() -> tuple[Template, ...]:
    text = files("crawler.lake").joinpath("views.sql").read_text(encoding="utf-8")
    blocks = (block.strip() for block in text.split("\n\n"))
    return tuple(Template(block) for block in blocks if "CREATE OR REPLACE VIEW" in block)


def _sources(log: Path, entity: str, active: list[LogFile]) -> dict[str, str]:
    """Give where versions and superseding ones come from, and the join that keeps the current ones."""
    superseding = [file for file in active if file.superseding]
    source = files_source(log, entity, superseding)
    only_current = Template(_SUPERSEDED).substitute(superseding=source) if superseding else ""
    return {"versions": files_source(log, entity, active), "superseding": source, "only_current": only_current}


def files_source(log: Path, entity: str, active: Sequence[LogFile]) -> str:
    """Give what to select an entity's stored columns from: these files, whichever release wrote them."""
    if not active:
        return _nothing(entity)
    paths = ", ".join(literal(str(log / file.path)) for file in active)
    if all(f"-{fingerprint(entity)}-" in file.path for file in active):
        return f"read_parquet([{paths}], hive_partitioning = false)"
    by_name = f"SELECT * FROM read_parquet([{paths}], hive_partitioning = false, union_by_name = true)"
    return f"(FROM {_nothing(entity)} UNION ALL BY NAME {by_name})"


def _nothing(entity: str) -> str:
    """Give a source of no rows with the entity's columns."""
    typed = (f"CAST(NULL AS {sql_type(field.type)}) AS {quoted(field.name)}" for field in stored_schema(entity))
    return f"(SELECT {', '.join(typed)} WHERE false)"


def _public_columns(entity: str) -> str:
    decoded = columns.schema(LEVELS[entity])
    return ", ".join(_public_column(field) for field in decoded if field.name not in ("faults", "raw"))


def _public_column(field: pa.Field) -> str:
    name = quoted(field.name)
    if pa.types.is_time(field.type):
        return f"TIME '00:00:00' + to_microseconds({name}) AS {name}"
    return name
