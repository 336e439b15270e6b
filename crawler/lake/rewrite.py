"""Writing rows of the log anew: the same rows in fewer and larger files. Touches: disk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import duckdb
import pyarrow as pa

from crawler.errors import LakeError
from crawler.lake.log import Log
from crawler.lake.parts import NOW, PAST, ROW_GROUP, OpenPart, Part, is_as_named
from crawler.lake.schema import LEVELS, literal, quoted, stored_schema
from crawler.lake.tidy import Rewrite
from crawler.lake.views import files_source

FILE_ROWS = 4_000_000
"""Rows after which a rewritten file is followed by another."""
_SORTED = {
    "patient": ("pacs", "PatientID"),
    "study": ("pacs", "PatientID", "StudyInstanceUID"),
    "series": ("pacs", "StudyInstanceUID"),
    "instance": ("pacs", "StudyInstanceUID"),
    "worklist": ("pacs", "ScheduledProcedureStepStartDate", "worklist_item"),
}
"""How rows lie in a table that is written anew as a whole: what is asked for together stands together."""


def source_of(log: Log, rewrite: Rewrite) -> str:
    """Give what to select the rows from."""
    return files_source(log.folder, rewrite.entity, rewrite.files, added=log.added.get(rewrite.entity, ()))


def linked(source: str, entity: str) -> str:
    """Give a source's versions, each replacing the one of its key that now comes before it: those between were lost."""
    before = f"lag(row_id) OVER (PARTITION BY pacs, {quoted(LEVELS[entity].unique_key)} ORDER BY row_id)"
    return f"(SELECT * REPLACE (coalesce({before}, supersedes) AS supersedes) FROM {source})"


def with_end(source: str) -> str:
    """Give a source's versions with `replaced_at`, when another took their place."""
    later = f"(SELECT supersedes AS replaced, valid_from AS replaced_at FROM {source} WHERE supersedes IS NOT NULL)"
    return f"{source} LEFT JOIN {later} ON row_id = replaced"


def too_old(history_from: datetime) -> str:
    """Give the condition, on `with_end`, of versions that were replaced before a moment."""
    return f"coalesce(replaced_at < TIMESTAMP {literal(str(history_from))}, false)"


def written(
    log: Log,
    connection: duckdb.DuckDBPyConnection,
    rewrite: Rewrite,
    cut: datetime | None = None,
    *,
    some_lost: bool = False,
) -> list[Part]:
    """Write the rows anew, without versions replaced before `cut`; whatever fails, nothing is left of it.

    LakeError where a file is damaged: what can still be read of it would be taken for what a PACS said ever after.
    """
    for file in rewrite.files:
        path = log.folder / file.path
        if not (path.is_file() and is_as_named(path)):
            raise LakeError(
                f"{path} is missing or not what was written, and nothing is made of it. `pacslake repair` sets it "
                "aside and says which days to ask for again; a backup's copy of it would be better"
            )
    schema = stored_schema(rewrite.entity, log.added.get(rewrite.entity, ()))
    columns, source = ", ".join(map(quoted, schema.names)), source_of(log, rewrite)
    ways = {"": f"SELECT {columns} FROM {source}"}
    if rewrite.apart:
        source = linked(source, rewrite.entity) if some_lost else source
        current = "replaced IS NULL AND change <> 'remove'"
        kept = f"NOT {too_old(cut)}" if cut else "true"
        versions = f"SELECT {columns} FROM {with_end(source)}"
        order = f"ORDER BY {', '.join(map(quoted, _SORTED[rewrite.entity]))}"
        ways = {
            NOW: f"{versions} WHERE {current} {order}",
            PAST: f"{versions} WHERE NOT ({current}) AND {kept} {order}",
        }
    parts: list[Part] = []
    try:
        for standing, query in ways.items():
            batches = connection.sql(query).to_arrow_reader(2 * ROW_GROUP)
            parts.extend(full.finish() for full in _filled(log, rewrite.entity, (schema, standing), batches))
    except BaseException:
        for part in parts:
            (log.folder / part.path).unlink()
        raise
    return parts


def _filled(log: Log, entity: str, named: tuple[pa.Schema, str], batches: pa.RecordBatchReader) -> Iterator[OpenPart]:
    """Give files that are full, one after another, to be finished."""
    part: OpenPart | None = None
    try:
        for batch in batches:
            if not batch.num_rows:
                continue
            part = part or OpenPart(log.folder, entity, log.version + 1, *named)
            part.append(pa.Table.from_batches([batch]).cast(named[0]))
            if part.rows >= FILE_ROWS:
                full, part = part, None
                yield full
    except BaseException:
        if part:
            part.abandon()
        raise
    if part:
        yield part
