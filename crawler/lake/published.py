"""`lake.duckdb`, which others open: made whole, or changed where a commit changes it. Touches: disk."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import duckdb

from crawler.errors import LakeError
from crawler.lake.files import digest, sync
from crawler.lake.log import Log
from crawler.lake.schema import literal
from crawler.lake.views import catalog_statements

CATALOG = "lake.duckdb"
_WITNESS = "keys/catalog"
"""A digest of the file, and below it one of each statement that made it: to make all takes ten times as long as to
look, and most commits change five views of thirty."""
_VIEW = re.compile(r"CREATE OR REPLACE VIEW (\w+)")
_COMMENT = re.compile(r"COMMENT ON COLUMN (\w+)\.")


def publish_catalog(connection: duckdb.DuckDBPyConnection, lake: Path, log: Log) -> None:
    """Replace `lake.duckdb` by one whose views show the log's version, unless it is that already.

    LakeError where it cannot be written.
    """
    statements = catalog_statements(log)
    before, wanted = _made_of(lake), _marks(statements)
    if before == wanted:
        return
    target = lake / CATALOG
    fresh = target.with_name(f"{CATALOG}.new")
    for stale in (fresh, fresh.with_name(f"{fresh.name}.wal")):
        stale.unlink(missing_ok=True)
    changes = _changes(statements, before, wanted)
    if changes:
        fresh.write_bytes(target.read_bytes())
    _execute(connection, fresh, changes or statements)
    sync(fresh)
    made = "\n".join([digest(fresh), *wanted])
    os.replace(fresh, target)
    sync(lake)
    (lake / _WITNESS).write_text(made)


def is_published(lake: Path, log: Log) -> bool:
    """Tell whether `lake.duckdb` is, to the byte, what was made for the log's version, and this release makes it so."""
    return _made_of(lake) == _marks(catalog_statements(log))


def _marks(statements: list[str]) -> list[str]:
    return [sha256(made_by.encode()).hexdigest()[:16] for made_by in (duckdb.__version__, *statements)]


def _made_of(lake: Path) -> list[str]:
    """Read of what `lake.duckdb` was made; nothing where it is not what was made, or was not yet."""
    with suppress(OSError, UnicodeDecodeError):
        whole, *marks = (lake / _WITNESS).read_text(encoding="ascii").split("\n")
        if whole == digest(lake / CATALOG):
            return marks
    return []


def _changes(statements: list[str], before: list[str], wanted: list[str]) -> list[str]:
    """Give what makes the old file the new one: other views, with comments; nothing where columns may be others.

    A view over another keeps the columns that this one had, and says that it was altered where they are no longer so.
    """
    if len(before) != len(wanted) or before[0] != wanted[0]:
        return []
    changed = [one for one, old, new in zip(statements, before[1:], wanted[1:], strict=True) if old != new]
    views = {found[1] for one in changed if (found := _VIEW.search(one))}
    if len(views) < len(changed):
        return []
    comments = (one for one in statements if (found := _COMMENT.match(one)) and found[1] in views)
    return [*changed, *comments]


def _execute(connection: duckdb.DuckDBPyConnection, target: Path, statements: list[str]) -> None:
    with connection.cursor() as cursor:
        try:
            cursor.execute(f"ATTACH {literal(str(target))} AS catalog (STORAGE_VERSION 'v1.0.0'); USE catalog")
            cursor.execute(";\n".join(["BEGIN", *statements, "COMMIT"]))
            cursor.execute("USE memory; DETACH catalog")
        except (duckdb.IOException, duckdb.TransactionException) as error:
            with suppress(duckdb.Error):
                cursor.execute("ROLLBACK")
            cursor.execute("USE memory; DETACH DATABASE IF EXISTS catalog")
            reason = str(error).rpartition("Original error: ")[2].splitlines()[0]
            raise LakeError(f"{target} cannot be written; look whether its disk is full ({reason})") from error
