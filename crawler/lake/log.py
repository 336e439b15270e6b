"""The Delta table: open, list, commit. Touches: disk.

`deltalake` never syncs what it writes; this room does, in the order that docs/lake-format.md gives.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from crawler.errors import CommitConflictError, CommitUnknownError, LakeError, NoLakeError
from crawler.lake.files import sync
from crawler.lake.parts import Part
from crawler.lake.schema import log_schema

APPLICATION = "pacslake"
CHECKPOINT_EVERY = 100
"""Commits between checkpoints: opening parses at most this many JSON files."""
_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


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
    """The table of one owner: its version, its active files, and the way to add to them."""

    def __init__(self, folder: Path, table: DeltaTable) -> None:
        self.folder = folder
        self._table = table
        self.files = read_files(table)

    @staticmethod
    def open(lake: Path) -> Log:
        """Open the log, making an empty one where there is none."""
        folder = log_folder(lake)
        if newest_version(folder) >= 0:
            return Log(folder, open_table(lake))
        folder.mkdir(parents=True, exist_ok=True)
        table = DeltaTable.create(
            folder,
            log_schema(),
            name="pacslake log",
            partition_by=["entity"],
            configuration={"delta.enableExpiredLogCleanup": "false"},
        )
        _sync_commit(folder, 0)
        sync(folder)
        sync(lake)
        return Log(folder, table)

    @property
    def version(self) -> int:
        """The version of the newest commit."""
        return self._table.version()

    @property
    def table_id(self) -> str:
        """Tells this table from any other that may stand at the same path one day."""
        return str(self._table.metadata().id)

    def commit(self, parts: Sequence[Part], written_ms: int | None = None) -> int:
        """Add finished parts as one commit and wait until it is on disk; gives the version."""
        for folder in {(self.folder / part.path).parent for part in parts}:
            sync(folder)
        sync(self.folder)
        moment = int(time.time() * 1000) if written_ms is None else written_ms
        serial = (self._table.transaction_version(APPLICATION) or 0) + 1
        self._write([_add_action(part, moment) for part in parts], serial)
        _sync_commit(self.folder, self.version)
        self.files.extend(LogFile(part.entity, part.path, part.rows, part.superseding) for part in parts)
        if self.version % CHECKPOINT_EVERY == 0:
            self._checkpoint()
        return self.version

    def _write(self, actions: list[AddAction | RemoveAction], serial: int) -> None:
        properties = CommitProperties(max_commit_retries=0, app_transactions=[Transaction(APPLICATION, serial)])
        before = self._table.version()
        try:
            self._table.create_write_transaction(
                actions,
                "append",
                log_schema(),
                ["entity"],
                commit_properties=properties,
                post_commithook_properties=_HOOKS,
            )
            self._table.update_incremental()
        except CommitFailedError as error:
            raise CommitConflictError(f"Another writer added to {self.folder} first ({error}).") from error
        except (DeltaError, OSError) as error:
            raise CommitUnknownError(f"It is unknown whether a commit to {self.folder} landed: {error}") from error
        if self._table.version() != before + 1:
            raise CommitUnknownError(f"{self.folder} went from {before} to {self._table.version()} in one commit.")

    def _checkpoint(self) -> None:
        self._table.create_checkpoint()
        log = self.folder / "_delta_log"
        for path in (*log.glob(f"{self.version:020d}.checkpoint*.parquet"), log / "_last_checkpoint", log):
            sync(path)


def _sync_commit(folder: Path, version: int) -> None:
    sync(commit_file(folder, version))
    sync(folder / "_delta_log")


def _add_action(part: Part, written_ms: int) -> AddAction:
    return AddAction(part.path, part.size, {"entity": part.entity}, written_ms, True, part.statistics)


def added_files(commit: Iterable[str]) -> list[tuple[str, int]]:
    """Give path and size of each file that the lines of a commit add; ValueError where they are no commit."""
    lines = [json.loads(line) for line in commit if line.strip()]
    if not lines:
        raise ValueError("an empty commit")
    return [(line["add"]["path"], line["add"]["size"]) for line in lines if "add" in line]
