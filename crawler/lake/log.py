"""The Delta table: open, list, commit. Touches: disk.

`deltalake` makes the table, reads it and writes its checkpoints; commits are written here, synced in the order that
docs/lake-format.md gives.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError, TableNotFoundError

from crawler.errors import CommitConflictError, LakeError, NoLakeError
from crawler.lake.files import sync
from crawler.lake.parts import Part
from crawler.lake.schema import log_schema

APPLICATION = "pacslake"
CHECKPOINT_EVERY = 100
"""Commits between checkpoints: opening parses at most this many JSON files."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One active Parquet file of the log."""

    entity: str
    path: str
    """Relative to the log."""
    rows: int
    superseding: int


def log_folder(lake: Path) -> Path:
    """Say where the log of a lake is."""
    return lake / "log"


def commit_file(log: Path, version: int) -> Path:
    """Say where the commit of a version is."""
    return log / "_delta_log" / f"{version:020d}.json"


def newest_version(log: Path) -> int:
    """Give the version of the newest commit file, -1 where there is none. Needs no Delta library."""
    names = (path.name for path in (log / "_delta_log").glob("*.json"))
    return max((int(name[:20]) for name in names if len(name) == 25 and name[:20].isdecimal()), default=-1)


def read_files(table: DeltaTable) -> list[LogFile]:
    """List the active files of a table at its version, in no particular order."""
    adds = pa.table(table.get_add_actions(flatten=True))
    names = ("partition.entity", "path", "num_records", "null_count.supersedes")
    if not adds.num_rows:
        return []
    nothing = [None] * adds.num_rows
    columns = (adds[name].to_pylist() if name in adds.column_names else nothing for name in names)
    return [
        LogFile(entity, path, rows, rows - firsts if firsts is not None else 0)
        for entity, path, rows, firsts in zip(*columns, strict=True)
    ]


def open_table(lake: Path) -> DeltaTable:
    """Open the log for reading."""
    if newest_version(log_folder(lake)) < 0:
        raise NoLakeError(f"There is no lake at {lake}. Run `pacslake sweep` to make one, or check [lake] path.")
    try:
        return DeltaTable(log_folder(lake))
    except (DeltaError, TableNotFoundError) as error:
        raise LakeError(f"The log of {lake} cannot be read ({error}). The next sweep mends it.") from error


class Log:
    """The table of one owner: its version, its active files, and the way to add to them.

    Commits are written here and not by deltalake, for two reasons. A commit is on disk before it gets its name, so that
    no power cut leaves a torn one; and it costs 2 ms at any size of the table: deltalake takes 35 ms at 200 files.
    """

    def __init__(self, folder: Path, table: DeltaTable) -> None:
        self.folder = folder
        self.version = table.version()
        self.table_id = str(table.metadata().id)
        """Tells this table from any other that may stand at the same path one day."""
        self.files = read_files(table)
        self._transaction = table.transaction_version(APPLICATION) or 0

    @staticmethod
    def open(lake: Path) -> Log:
        """Open the log, making an empty one where there is none."""
        folder = log_folder(lake)
        if newest_version(folder) >= 0:
            return Log(folder, _with_every_column(open_table(lake), folder))
        folder.mkdir(parents=True, exist_ok=True)
        table = DeltaTable.create(
            folder,
            log_schema(),
            name="pacslake log",
            partition_by=["entity"],
            configuration={
                "delta.enableExpiredLogCleanup": "false",
                "delta.dataSkippingStatsColumns": "pacs,row_id,supersedes,StudyDate",
            },
        )
        for path in (commit_file(folder, 0), folder / "_delta_log", folder, lake):
            sync(path)
        return Log(folder, table)

    def commit(self, parts: Sequence[Part]) -> int:
        """Add finished parts as one commit and wait until it is on disk; gives the version.

        CommitConflictError where somebody else has taken the version: nothing was written then.
        """
        for folder in {(self.folder / part.path).parent for part in parts}:
            sync(folder)
        sync(self.folder)
        now_ms = int(time.time() * 1000)
        transaction = {"txn": {"appId": APPLICATION, "version": self._transaction + 1, "lastUpdated": now_ms}}
        information = {
            "commitInfo": {"timestamp": now_ms, "operation": "WRITE", "operationParameters": {"mode": "Append"}}
        }
        try:
            self._put([information, transaction, *(_add_action(part, now_ms) for part in parts)])
        except FileExistsError as error:
            for part in parts:
                (self.folder / part.path).unlink()
            raise CommitConflictError(f"Another writer has added to {self.folder}; nothing was written.") from error
        self.version += 1
        self._transaction += 1
        self.files.extend(LogFile(part.entity, part.path, part.rows, part.superseding) for part in parts)
        if self.version % CHECKPOINT_EVERY == 0:
            self._checkpoint()
        return self.version

    def _put(self, actions: list[dict[str, Any]]) -> None:
        """Write the next commit under another name, wait until it is on disk, then link it to its own if free."""
        target = commit_file(self.folder, self.version + 1)
        draft = target.with_suffix(".draft")
        with open(draft, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(action) + "\n" for action in actions)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, target)
        finally:
            draft.unlink()
        sync(target.parent)

    def _checkpoint(self) -> None:
        DeltaTable(self.folder).create_checkpoint()
        log = self.folder / "_delta_log"
        for path in (*log.glob(f"{self.version:020d}.checkpoint*.parquet"), log / "_last_checkpoint", log):
            sync(path)


def _with_every_column(table: DeltaTable, folder: Path) -> DeltaTable:
    """Declare the columns that this release knows beyond those of the release that made the table."""
    declared = {field.name for field in table.schema().fields}
    missing = [field for field in Schema.from_arrow(log_schema()).fields if field.name not in declared]
    if missing:
        table.alter.add_columns(missing)
        for path in (commit_file(folder, table.version()), folder / "_delta_log"):
            sync(path)
    return table


def _add_action(part: Part, now_ms: int) -> dict[str, Any]:
    action = {
        "path": part.path,
        "partitionValues": {"entity": part.entity},
        "size": part.size,
        "modificationTime": now_ms,
        "dataChange": True,
        "stats": part.statistics,
    }
    return {"add": action}


def added_files(commit: Iterable[str]) -> list[tuple[str, int]]:
    """Give path and size of each file that the lines of a commit add; ValueError where they are no commit."""
    lines = [json.loads(line) for line in commit if line.strip()]
    if not lines:
        raise ValueError("an empty commit")
    return [(line["add"]["path"], line["add"]["size"]) for line in lines if "add" in line]
