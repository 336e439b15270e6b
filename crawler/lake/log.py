"""The Delta table: make, open, list, commit. Touches: disk.

`deltalake` reads the table and writes its checkpoints; commits are written here, synced in the order that
docs/lake-format.md gives.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError, TableNotFoundError

from crawler.errors import CommitConflictError, LakeError, UserError
from crawler.lake.commits import checkpoint_sums, commit_file, log_folder, newest_version
from crawler.lake.files import digest, replace_with, sync
from crawler.lake.format import FORMAT, FORMAT_KEY, refuse_newer, refuse_path
from crawler.lake.parts import NOW, PAST, Part, part_of
from crawler.lake.remote import COMMITS, name_of, no_lake, pull, remote_of
from crawler.lake.schema import Added, added_from, added_text, log_schema, stored_field
from crawler.lake.seal import ending_with_its_digest, sealed

APPLICATION = "pacslake"
CHECKPOINT_EVERY = 100
"""Commits between checkpoints: opening parses at most this many JSON files."""
ADDED_KEY = "pacslake.added"
"""The columns that users added, as JSON."""
HISTORY_KEY = "pacslake.history_from"
"""Since when the history is whole, as naive UTC in ISO 8601; absent: since the beginning."""
PHI_KEY = "pacslake.phi"
"""What is kept of patients, and by which key values are hashed; absent: everything as it came."""
_TABLE = {
    "delta.enableExpiredLogCleanup": "false",
    "delta.dataSkippingStatsColumns": "pacs,row_id,supersedes,StudyDate",
    FORMAT_KEY: str(FORMAT),
}
_PROTOCOL = {
    "minReaderVersion": 3,
    "minWriterVersion": 7,
    "readerFeatures": ["timestampNtz"],
    "writerFeatures": ["timestampNtz"],
}


@dataclass(frozen=True, slots=True)
class LogFile:
    """One active Parquet file of the log."""

    entity: str
    path: str
    """Relative to the log."""
    rows: int
    superseding: int
    size: int = 0
    first_row_id: int = 0

    @property
    def standing(self) -> str:
        """Say `NOW` or `PAST` of a file whose rows upkeep has told apart, else nothing."""
        return next((kind for kind in (NOW, PAST) if self.path.endswith(f"{kind}.parquet")), "")


def read_files(table: DeltaTable) -> list[LogFile]:
    """List the active files of a table at its version, oldest first within each entity."""
    adds = pa.RecordBatchReader.from_stream(table.get_add_actions(flatten=True)).read_all()  # `table` loads pandas
    names = ("partition.entity", "path", "num_records", "null_count.supersedes", "size_bytes", "min.row_id")
    if not adds.num_rows:
        return []
    nothing = [None] * adds.num_rows
    columns = [adds[name].to_pylist() if name in adds.column_names else nothing for name in names]
    if None in columns[2]:
        raise LakeError("The log names files without their numbers of rows. `pacslake verify` says what is broken.")
    files = [
        LogFile(entity, path, rows, rows - firsts if firsts is not None else 0, size, first or 0)
        for entity, path, rows, firsts, size, first in zip(*columns, strict=True)
    ]
    return sorted(files, key=lambda file: file.path)


def open_table(lake: Path) -> DeltaTable:
    """Open the log for reading, a working copy once it is as its store.

    NewerLakeError where a later release made it, UserError for a path that is misread, StoreError.
    """
    refuse_path(lake)
    pull(lake)
    return opened(lake)


def opened(lake: Path) -> DeltaTable:
    """Open the log as it is in this folder."""
    if newest_version(log_folder(lake)) < 0:
        raise no_lake(lake)
    with _told(log_folder(lake)):
        table = DeltaTable(log_folder(lake))
    refuse_newer(lake, table.metadata().configuration.get(FORMAT_KEY))
    return table


@contextmanager
def _told(log: Path) -> Iterator[None]:
    """Put what deltalake raises on a broken log as LakeError; it reads some of it only when it is asked for."""
    try:
        yield
    except (DeltaError, TableNotFoundError) as error:
        what = str(error).partition("\n")[0]  # a trace of Rust follows
        raise LakeError(f"The log in {log} cannot be read ({what}). `pacslake verify` says what is broken.") from error


def added_columns(properties: Mapping[str, str]) -> Added:
    """Give the columns that a table has beyond the catalogue's."""
    return added_from(properties.get(ADDED_KEY))


def properties_of(table: DeltaTable) -> dict[str, str]:
    """Give the properties that the table was given."""
    return dict(table.metadata().configuration)


class Log:
    """The table of one owner: its version, its active files, and the way to add to them.

    Commits are written here and not by deltalake, for two reasons. A commit is on disk before it gets its name, so that
    no power cut leaves a torn one; and it costs 2 ms at any size of the table: deltalake takes 35 ms at 200 files.
    """

    def __init__(self, folder: Path, table: DeltaTable) -> None:
        self.folder = folder
        self.remote = remote_of(folder.parent)
        """Where the log is on object storage; None for one that is at home here."""
        self.version = table.version()
        self.table_id = str(table.metadata().id)
        """Tells this table from any other that may stand at the same path one day."""
        with _told(folder):
            self.files = read_files(table)
            self._transaction = table.transaction_version(APPLICATION) or 0
        self.properties = properties_of(table)
        self.added = added_columns(self.properties)
        """The columns of each entity beyond the catalogue's; `declare` adds to them."""
        self._declared = False
        self._schema = table.schema()
        self._created = int(table.metadata().created_time)

    @staticmethod
    def open(lake: Path) -> Log:
        """Open the log, making an empty one where there is none and bringing an older one up to this release."""
        folder = log_folder(lake)
        if newest_version(folder) < 0:
            (folder / "_delta_log").mkdir(parents=True, exist_ok=True)
            made = _metadata(str(uuid.uuid4()), _now_ms(), Schema.from_arrow(log_schema()), _TABLE)
            try:
                _put(folder, 0, [{"protocol": _PROTOCOL}, made], "CREATE TABLE")
            except FileExistsError as error:
                raise _conflict(folder) from error
            for path in (folder, lake, lake.parent):
                sync(path)
        log = Log(folder, opened(lake))
        log._bring_up_to_date()
        return log

    def commit(
        self,
        parts: Sequence[Part],
        removed: Sequence[LogFile] = (),
        *,
        properties: Mapping[str, str] | None = None,
        same_rows: bool = False,
    ) -> int:
        """Add finished parts, and remove files, as one commit and wait until it is on disk; gives the version.

        `same_rows` says that what is added holds the rows of what is removed. CommitConflictError where somebody else
        has taken the version: nothing was written then.
        """
        for folder in {(self.folder / part.path).parent for part in parts}:
            sync(folder)
        sync(self.folder)
        now_ms = _now_ms()
        actions: list[dict[str, Any]] = [
            {"txn": {"appId": APPLICATION, "version": self._transaction + 1, "lastUpdated": now_ms}},
            *(_add_action(part, now_ms, changes=not same_rows) for part in parts),
            *(_remove_action(file, now_ms, changes=not same_rows) for file in removed),
        ]
        if properties or self._declared:
            self.properties |= properties or {}
            actions.append(_metadata(self.table_id, self._created, self._schema, self.properties))
        if self.remote:
            self.remote.push(self.folder / part.path for part in parts)
        try:
            _put(self.folder, self.version + 1, actions, "OPTIMIZE" if same_rows else "WRITE")
        except FileExistsError as error:
            for part in parts if self.remote is None else ():  # by chance the other one's file may have that name
                (self.folder / part.path).unlink(missing_ok=True)
            raise _conflict(self.folder) from error
        self._declared = False
        self.version += 1
        self._transaction += 1
        gone = {file.path for file in removed}
        self.files = [file for file in self.files if file.path not in gone]
        self.files.extend(_log_file(part) for part in parts)
        if self.version % CHECKPOINT_EVERY == 0:
            self.checkpoint()
        return self.version

    @property
    def was_ours(self) -> bool:
        """Whether the newest commit was made here: no lock reaches those who write a lake from other machines."""
        if self.remote is None:
            return True
        *_, last = commit_file(self.folder, self.version).read_text(encoding="utf-8").splitlines()
        return bool(json.loads(last).get("commitInfo", {}).get("copy") == self.remote.copy)

    def fence(self) -> None:
        """Take the next version with an empty commit, so that an owner before us that comes back to life cannot."""
        self.commit([])

    def declare(self, entity: str, fields: tuple[pa.Field, ...]) -> None:
        """Give an entity decoded columns beyond the catalogue's, from the next commit on.

        UserError where a column of the name is there and is something else.
        """
        declared = {field.name: field for field in self._schema.fields}
        for field in Schema.from_arrow(pa.schema(list(map(stored_field, fields)))).fields:
            if field.name not in declared:
                self._schema = Schema([*self._schema.fields, field])
            elif declared[field.name].type != field.type:
                wrong = f"the lake has a column {field.name} of another type"
                raise UserError(f"{wrong}: give the attribute another `name` in [attributes]")
        self.added = {**self.added, entity: (*self.added.get(entity, ()), *fields)}
        self.properties[ADDED_KEY] = added_text(self.added)
        self._declared = True

    def note_phi(self, note: str) -> None:
        """Have the table say what it keeps of patients, from the next commit on."""
        self.properties[PHI_KEY] = note
        self._declared = True

    def _bring_up_to_date(self) -> None:
        """Declare the columns that an earlier release did not know, and the format."""
        declared = {field.name for field in self._schema.fields}
        missing = [field for field in Schema.from_arrow(log_schema()).fields if field.name not in declared]
        if missing or FORMAT_KEY not in self.properties:
            self._schema = Schema([*self._schema.fields, *missing])
            self.commit([], properties={FORMAT_KEY: str(FORMAT)})

    def checkpoint(self) -> None:
        """Sum the commits up to now up in one file, and note its checksum beside it."""
        DeltaTable(self.folder).create_checkpoint()
        log = self.folder / "_delta_log"
        written = [*log.glob(f"{self.version:020d}.checkpoint*.parquet"), log / "_last_checkpoint"]
        for path in (*written, log):
            sync(path)
        sums = "".join(f"{digest(path)}  {path.name}\n" for path in written)
        noted = checkpoint_sums(self.folder, self.version)
        replace_with(noted, ending_with_its_digest(sums))
        if self.remote:
            for path in sorted(written, key=lambda path: path.name.startswith("_")):
                self.remote.push([path] if path.suffix == ".parquet" else [noted, path])


def _put(log: Path, version: int, actions: Sequence[dict[str, Any]], operation: str) -> None:
    """Write a commit under another name, wait until it is on disk, then link it to its own if that is free.

    Of a working copy the store comes first, where the name decides between machines: FileExistsError is its word.
    """
    target, remote = commit_file(log, version), remote_of(log.parent)
    draft = target.with_suffix(".draft")
    information = {"timestamp": _now_ms(), "operation": operation, "operationParameters": {"mode": "Append"}}
    content = sealed(actions, information | ({"copy": remote.copy} if remote else {}))
    with open(draft, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        if remote:
            remote.create(f"{COMMITS}{target.name}", content)
        os.link(draft, target)
    except FileExistsError:
        if remote is None or not target.exists() or target.read_bytes() != content:
            raise  # else who reads this copy has fetched it already
    finally:
        draft.unlink(missing_ok=True)  # an owner that took over meanwhile has swept it away
    sync(target.parent)


def _conflict(log: Path) -> CommitConflictError:
    again = "let one write at a time, and type the same again"
    return CommitConflictError(
        f"Another writer has added to {name_of(log.parent)}; nothing of this was written: {again}."
    )


def recommit(log: Path, version: int, before: DeltaTable | None) -> None:
    """Write a lost commit anew, from the files that bear its version in their names and the table before it.

    A file whose first row was in another file before took the place of that file, and of all rewritten with it.
    """
    if before is None:
        made = _metadata(str(uuid.uuid4()), _now_ms(), Schema.from_arrow(log_schema()), _TABLE)
        _put(log, version, [{"protocol": _PROTOCOL}, made], "CREATE TABLE")
        return
    parts = [part_of(log, path) for path in sorted(log.glob(f"entity=*/v{version:012d}-*.parquet"))]
    active, now_ms = read_files(before), _now_ms()
    removed: set[LogFile] = set()
    for part in parts:
        same = [file for file in active if file.entity == part.entity]
        if part.first_row_id in {file.first_row_id for file in same}:
            apart = _log_file(part).standing
            removed.update(file for file in same if apart or not file.standing)
    transaction = {"appId": APPLICATION, "version": (before.transaction_version(APPLICATION) or 0) + 1}
    actions: list[dict[str, Any]] = [
        {"txn": transaction},
        *(_add_action(part, now_ms, changes=True) for part in parts),
        *(_remove_action(file, now_ms, changes=True) for file in active if file in removed),
    ]
    _put(log, version, actions, "REPAIR")


def _now_ms() -> int:
    return int(time.time() * 1000)


def _metadata(table_id: str, created_ms: int, schema: Schema, properties: Mapping[str, str]) -> dict[str, Any]:
    action = {
        "id": table_id,
        "name": "pacslake log",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema.to_json(),
        "partitionColumns": ["entity"],
        "configuration": dict(properties),
        "createdTime": created_ms,
    }
    return {"metaData": action}


def _add_action(part: Part, now_ms: int, *, changes: bool) -> dict[str, Any]:
    action = {
        "path": part.path,
        "partitionValues": {"entity": part.entity},
        "size": part.size,
        "modificationTime": now_ms,
        "dataChange": changes,
        "stats": part.statistics,
    }
    return {"add": action}


def _remove_action(file: LogFile, now_ms: int, *, changes: bool) -> dict[str, Any]:
    action = {
        "path": file.path,
        "deletionTimestamp": now_ms,
        "dataChange": changes,
        "extendedFileMetadata": True,
        "partitionValues": {"entity": file.entity},
        "size": file.size,
    }
    return {"remove": action}


def _log_file(part: Part) -> LogFile:
    return LogFile(part.entity, part.path, part.rows, part.superseding, part.size, part.first_row_id)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a commit adds, with sizes, and removes."""

    added: dict[str, int]
    removed: dict[str, int]


def changes_of(commit: Iterable[str]) -> Changes:
    """Read the lines of a commit; ValueError or KeyError where they are none."""
    lines = [json.loads(line) for line in commit if line.strip()]
    if not lines:
        raise ValueError("an empty commit")
    found = Changes({}, {})
    for line in lines:
        for kind, files in (("add", found.added), ("remove", found.removed)):
            if kind in line:
                files[line[kind]["path"]] = line[kind]["size"]
        if "add" in line and type(json.loads(line["add"]["stats"])["numRecords"]) is not int:
            raise ValueError("a file without its number of rows")
    return found
