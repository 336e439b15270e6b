"""Upkeep: small files into large ones, old versions and what nobody needs any more away. Touches: disk, clock.

Everything that counts happens by commits of the lake's owner, so that readers see the lake before or after. Files that
a commit replaces stay for a while, because readers may have them open; `lake.duckdb` of a reader may name them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import duckdb

from crawler.lake.commits import checkpoints_in, commit_file, version_in
from crawler.lake.files import sync
from crawler.lake.log import HISTORY_KEY, Log
from crawler.lake.parts import part_version
from crawler.lake.remote import Listed, Remote
from crawler.lake.rewrite import source_of, too_old, with_end, written
from crawler.lake.schema import ENTITIES, LEVELS
from crawler.lake.there import first_needed, useless
from crawler.lake.tidy import Rewrite, due
from crawler.lake.writer import LakeWriter
from crawler.lake.writing import writing


@dataclass(frozen=True, slots=True)
class Wanted:
    """What upkeep is to do."""

    history_from: datetime | None = None
    """Versions that were replaced before this moment (naive UTC) go; None keeps all."""
    keep_files: timedelta = timedelta(days=7)
    """How long a file stays that no commit names any more."""
    whole: bool = False
    """Write all tables anew, whatever that costs."""
    some_lost: bool = False
    """Versions were lost: have those after them replace those before them."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What was made of the files of one entity."""

    entity: str
    files: int
    rows: int
    into: int
    """Files now; 0 when it was not done."""
    dropped: int
    """Versions left out because they were replaced too long ago."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """Files that no commit names any more, and commits that a checkpoint sums up."""

    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Maintained:
    """All that upkeep did, or would do."""

    rewritten: list[Rewritten]
    deleted: Deleted
    in_store: Deleted | None = None
    """The same of the object store, where the lake is there."""


def forecast(log: Log, connection: duckdb.DuckDBPyConnection, wanted: Wanted) -> Maintained:
    """Say what `maintain` would do; touches nothing."""
    planned = [
        Rewritten(rewrite.entity, len(rewrite.files), rewrite.rows, 0, _droppable(log, connection, rewrite, wanted))
        for rewrite in _plan(log, connection, wanted)
    ]
    there = [] if log.remote is None else _useless_there(log, log.remote, wanted.keep_files)
    return Maintained(planned, _measured(_useless(log, wanted.keep_files)), _measured_there(log, there))


def maintain(writer: LakeWriter, wanted: Wanted) -> Maintained:
    """Rewrite what is due, a commit for each entity, then delete what is old enough. LakeError where the disk fails."""
    with writing(writer.path):
        return _maintain(writer, wanted)


def _maintain(writer: LakeWriter, wanted: Wanted) -> Maintained:
    done = []
    for rewrite in _plan(writer.log, writer.connection, wanted):
        dropped = _droppable(writer.log, writer.connection, rewrite, wanted)
        cut = wanted.history_from if dropped else None
        parts = written(writer.log, writer.connection, rewrite, cut, some_lost=wanted.some_lost)
        kept = {HISTORY_KEY: _later(cut, writer.log.properties.get(HISTORY_KEY))} if cut else None
        writer.replace(parts, rewrite.files, same_rows=not dropped, properties=kept)
        done.append(Rewritten(rewrite.entity, len(rewrite.files), rewrite.rows, len(parts), dropped))
    writer.merge_keys()
    if done:
        writer.log.checkpoint()
    there = []
    if remote := writer.log.remote:
        there = _useless_there(writer.log, remote, wanted.keep_files)
        remote.delete([one.name for one in there])
    return Maintained(done, tidy(writer.log, wanted.keep_files), _measured_there(writer.log, there))


def tidy(log: Log, keep: timedelta) -> Deleted:
    """Delete what is needed neither now nor by somebody who began to read within `keep`."""
    useless = _useless(log, keep)
    deleted = _measured(useless)
    for path in useless:
        path.unlink()
    for folder in {path.parent for path in useless}:
        sync(folder)
    return deleted


def _useless_there(log: Log, remote: Remote, keep: timedelta) -> list[Listed]:
    return useless(remote, log, keep, _removed_since(log, (datetime.now(UTC) - keep).timestamp()))


def _measured_there(log: Log, found: Sequence[Listed]) -> Deleted | None:
    return Deleted(len(found), sum(one.size for one in found)) if log.remote else None


def _later(cut: datetime, before: str | None) -> str:
    return max(cut.isoformat(), before or "")


def _plan(log: Log, connection: duckdb.DuckDBPyConnection, wanted: Wanted) -> list[Rewrite]:
    """Give the rewrites that are due, for their files or for the versions that have to go."""
    if wanted.whole:
        return due(log.files, whole=tuple(LEVELS))
    everything = due(log.files, whole=tuple(LEVELS))
    whole = [one.entity for one in everything if one.apart and _droppable(log, connection, one, wanted)]
    return due(log.files, whole=whole)


def _droppable(log: Log, connection: duckdb.DuckDBPyConnection, rewrite: Rewrite, wanted: Wanted) -> int:
    """Count the versions that were replaced before the history is to begin."""
    if wanted.history_from is None or not rewrite.apart:
        return 0
    query = f"SELECT count(*) FROM {with_end(source_of(log, rewrite))} WHERE {too_old(wanted.history_from)}"
    [(count,)] = connection.execute(query).fetchall()
    return int(count)


def _measured(paths: Sequence[Path]) -> Deleted:
    return Deleted(len(paths), sum(path.stat().st_size for path in paths))


def _useless(log: Log, keep: timedelta) -> list[Path]:
    """List the files of the log that are needed neither now nor by somebody who began to read within `keep`."""
    before = (datetime.now(UTC) - keep).timestamp()
    needed = {unquote(file.path) for file in log.files} | _removed_since(log, before)
    found = []
    for entity in ENTITIES:
        for path in (log.folder / f"entity={entity}").glob("*.parquet"):
            version = part_version(path.name)
            if version is not None and version <= log.version and f"{path.parent.name}/{path.name}" not in needed:
                found.append(path)
    return sorted(found) + _summed_up(log, before)


def _removed_since(log: Log, before: float) -> set[str]:
    """Give the files that commits of the last days removed."""
    removed = set()
    for path in (log.folder / "_delta_log").glob("*.json"):
        if version_in(path.name) is None or path.stat().st_mtime < before:
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            action = json.loads(line).get("remove")
            if action and action["deletionTimestamp"] / 1000 >= before:
                removed.add(unquote(action["path"]))
    return removed


def _summed_up(log: Log, before: float) -> list[Path]:
    """List old commits and checkpoints below the last checkpoint but one, which alone would do."""
    checkpoints = sorted({*checkpoints_in(log.folder).values()})
    base = first_needed(checkpoints, log.version)
    newest = commit_file(log.folder, log.version)
    ours = [(path, version_in(path.name)) for path in newest.parent.iterdir() if path != newest]
    below = (path for path, version in ours if version is not None and version < base)
    return sorted(path for path in below if path.stat().st_mtime < before)
