"""The one who writes a lake: stage answers, commit them with their coverage. Touches: disk, clock.

Order of a commit, each step synced before the next: data files, Delta commit, key index, `lake.duckdb`. See
docs/lake-format.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler import columns
from crawler.errors import LakeError, NoLakeError, UserError
from crawler.folders import require_private
from crawler.lake import ledger
from crawler.lake.change import (
    GONE,
    OWNERS,
    Change,
    Stamp,
    compare,
    disputed,
    hash_columns,
    hash_keys,
    hash_rows,
    keyless,
)
from crawler.lake.commits import commit_file, log_folder, newest_version
from crawler.lake.engine import connect
from crawler.lake.format import refuse_path
from crawler.lake.keys import EPOCH, KeyIndex
from crawler.lake.lock import OwnerLock
from crawler.lake.log import PHI_KEY, Log, LogFile
from crawler.lake.parts import OpenPart, Part, part_version
from crawler.lake.phi import disagreement
from crawler.lake.published import publish_catalog
from crawler.lake.remote import COMMITS, name_of, pull
from crawler.lake.repair import mend
from crawler.lake.rewrite import written
from crawler.lake.runs import HASH, HIGH, LOW, ROW, SEEN, Run, empty_run, last_of_each, look_up
from crawler.lake.schema import LEVELS, TABLES, beyond_catalogue, completed, stored_schema, to_stored
from crawler.lake.tidy import crowded
from crawler.lake.views import files_source
from crawler.lake.writing import writing
from crawler.model import Coverage, Finding, JobRun, Level, SweepRecord

FILL_BATCH = 100_000
"""Keys read at once when the index is filled from the log."""
SAVE_EVERY = 10
"""Such batches held in memory at once."""
_MEMORY = "512MB"
"""What DuckDB may take of it: a lake of any size is written with it, by one thread."""


@dataclass(frozen=True, slots=True)
class Staged:
    """What became of a staged table; `rows` is the sum of the rest."""

    rows: int
    inserted: int
    updated: int
    unchanged: int
    duplicates: int
    rejects: int


class LakeWriter:
    """The owner of a lake. For one thread; once writing has failed it is of no use but to close."""

    def __init__(self, path: Path, lock: OwnerLock, now: Callable[[], datetime]) -> None:
        self.path = path
        self._lock = lock
        self._now = now
        self._parts: dict[str, OpenPart] = {}
        self._failed = False
        self._duckdb = connect(threads=1, memory_limit=_MEMORY, temp_directory=str(path / "keys" / "spill"))
        if mend(path):
            pull(path)  # what a power cut took from a working copy is in its store
            mend(path)
        found = newest_version(log_folder(path))
        self._log = Log.open(path)
        if self.version == found and not (lock.was_let_go and self._log.was_ours):
            self._log.fence()
        if self._log.remote:
            self._log.remote.require_create_only(f"{COMMITS}{commit_file(self._log.folder, self.version).name}")
        self._keys = KeyIndex.load(path / "keys", self._log.table_id)
        self._catch_up()
        self._mark = self._keys.mark
        self._committed_row_id = self._mark.next_row_id
        self._show()

    @staticmethod
    def open(
        path: str | os.PathLike[str], *, create: bool = True, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> LakeWriter:
        """Become the owner of a lake and put right what a crash left.

        LakeLockedError where another process owns it, NoLakeError where there is none and `create` is false, UserError
        where the folder is open to others.
        """
        lake = Path(path).absolute()
        refuse_path(lake)
        pull(lake)
        if not create and newest_version(log_folder(lake)) < 0:
            raise NoLakeError(f"There is no lake at {name_of(lake)}: is its disk mounted, and [lake] path right?")
        with writing(lake):
            lake.mkdir(parents=True, exist_ok=True)
            require_private(lake)
            lock = OwnerLock(lake)
            try:
                return LakeWriter(lake, lock, now)
            except BaseException:
                lock.release()
                raise

    @property
    def log(self) -> Log:
        """The log, to be read by upkeep."""
        return self._log

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection that upkeep reads files with: of modest memory, spilling to disk."""
        return self._duckdb

    @property
    def version(self) -> int:
        """The version of the newest commit."""
        return self._log.version

    def stage(self, level: Level, pacs: str, sweep_id: str, table: pa.Table) -> Staged:
        """Take decoded answers in: new and changed rows go to the next commit, rows that can be none to `rejects`.

        `table` has the columns of `columns.schema(level)`, and with added attributes more, which the lake gains.
        Of rows with one key the last wins; one that belongs to somebody else than that goes to `rejects`.
        """
        self._check_usable()
        self._declare(level, table.schema)
        bad = keyless(level, table)
        rejects = pc.sum(bad).as_py() or 0
        origin = (pacs, level, sweep_id)
        if rejects:
            self._reject(table.filter(bad), origin)
            table = table.filter(pc.invert(bad))
        change = self._compare(level, to_stored(table, pacs), sweep_id)
        disputes = 0
        if change.duplicates and (twofold := disputed(level, table)).any():
            disputes = int(twofold.sum())
            why = f"the same {level.unique_key} came with another {OWNERS[level]}"
            self._reject(table.filter(pa.array(twofold)), origin, why)
        duplicates, rejected = change.duplicates - disputes, rejects + disputes
        return Staged(table.num_rows + rejects, change.inserted, change.updated, change.unchanged, duplicates, rejected)

    def _reject(self, rows: pa.Table, origin: tuple[str, Level, str], why: str | None = None) -> None:
        """Have answers that can be no rows in `rejects`."""
        moment = self._mark.moment_after(ledger.naive_utc(self._now()))
        self._append("reject", ledger.reject_rows(rows, origin, moment, why))

    def _declare(self, level: Level, decoded: pa.Schema) -> None:
        """Have every column of these answers in the lake, from the next commit on."""
        known = {field.name for field in self._log.added.get(level.entity, ())}
        new = tuple(field for field in beyond_catalogue(level, decoded) if field.name not in known)
        if new:
            if level.entity in self._parts:
                self.commit()  # a file has the same columns from its first row to its last
            self._log.declare(level.entity, new)

    def remove(self, level: Level, pacs: str, sweep_id: str, keys: Sequence[str]) -> int:
        """Say that these studies, series or instances have vanished; gives how many were there until now.

        Whoever calls this has proof of it. The next answer that has one of them brings it back.
        """
        self._check_usable()
        table = columns.schema(level).empty_table()
        nulls = {field.name: pa.nulls(len(keys), field.type) for field in table.schema}
        gone = pa.table({**nulls, level.unique_key: pa.array(keys, pa.string())}, schema=table.schema)
        return self._compare(level, to_stored(gone, pacs), sweep_id, gone=True).updated

    def agree_on_phi(self, note: str | None) -> None:
        """Have the lake note what it keeps of patients, None for everything. UserError where it has other rows."""
        noted = self._log.properties.get(PHI_KEY)
        has_rows = any(file.entity in TABLES or file.entity in ("reject", "cohort") for file in self._log.files)
        if note is not None and noted is None and not has_rows:
            self._log.note_phi(note)
        elif wrong := disagreement(noted, note):
            raise UserError(f"{self.path} {wrong}")

    def append(self, entity: str, rows: pa.Table) -> None:
        """Take in rows that are no versions: of `stored_schema(entity)`, row_id left open."""
        self._check_usable()
        self._append(entity, rows)

    @property
    def next_row_id(self) -> int:
        """The row_id that the next row will have."""
        return self._mark.next_row_id

    def changed_from(self, row_id: int, level: Level, pacs: str, keys: Sequence[str]) -> set[str]:
        """Say which of these studies, series or instances have a version with this row_id or a later one."""
        hashed = hash_keys(self._duckdb, level, pacs, keys)
        known, entries = look_up(self._keys.runs(level.entity), hashed[HIGH], hashed[LOW])
        self._keys.rest()
        return {keys[place] for place in np.flatnonzero(known & (entries[ROW] >= row_id)).tolist()}

    def _compare(self, level: Level, stored: pa.Table, sweep_id: str, *, gone: bool = False) -> Change:
        """Stage what differs from what is known."""
        moment = self._mark.moment_after(ledger.naive_utc(self._now()))
        added = self._log.added.get(level.entity, ())
        stored = completed(stored, added)
        hashed = hash_rows(self._duckdb, level, stored)
        if gone:
            hashed[HASH] = GONE
        stamp = Stamp(self._mark.next_row_id, moment, sweep_id, added)
        change = compare(stored, hashed, self._keys.runs(level.entity), level, stamp)
        self._keys.rest()
        self._mark.passed(moment)
        self._mark.next_row_id += change.rows.num_rows
        if change.rows.num_rows:
            with self._writing():
                self._part(level.entity).append(change.rows)
            self._keys.stage(level.entity, change.entries)
        return change

    def commit(
        self,
        coverage: Sequence[Coverage] = (),
        sweeps: Sequence[SweepRecord] = (),
        findings: Sequence[Finding] = (),
        jobs: Sequence[JobRun] = (),
    ) -> int:
        """Publish everything staged, with coverage, sweeps, findings and done jobs, as one commit; gives the version.

        Nothing to publish: no commit. After any LakeError open the lake again.
        """
        self._check_usable()
        if coverage:
            self._append("window", ledger.coverage_rows(coverage))
        if sweeps:
            self._append("sweep", ledger.sweep_rows(sweeps))
        if findings:
            self._append("profile", ledger.finding_rows(findings))
        if jobs:
            self._append("job", ledger.job_rows(jobs))
        if not self._parts:
            return self.version
        with self._writing():
            finished = [part.finish() for part in self._parts.values()]
            self._parts.clear()  # from here on the log has to say whether these files count
            self._publish(finished)
        for rewrite in crowded(self._log.files):
            with self._writing():
                merged = written(self._log, self._duckdb, rewrite)
            self.replace(merged, rewrite.files, same_rows=True)
        return self.version

    def replace(
        self,
        parts: list[Part],
        removed: Sequence[LogFile],
        *,
        same_rows: bool,
        properties: dict[str, str] | None = None,
    ) -> int:
        """Publish parts in the place of files, as one commit; nothing may be staged. Gives the version.

        `same_rows` says that they hold the same rows. Otherwise make the key index anew by opening the lake again.
        """
        self._check_usable()
        if self._parts:
            raise LakeError("Commit or roll back first: something is staged.")
        with self._writing():
            self._mark.version = self._log.commit(parts, removed, same_rows=same_rows, properties=properties)
            self._keys.save()
            self._show()
        return self.version

    def merge_keys(self) -> None:
        """Do to the key index what would hold a commit up; nothing may be staged."""
        with self._writing():
            self._keys.merge()

    def rollback(self) -> None:
        """Drop everything staged since the last commit."""
        for part in self._parts.values():
            part.abandon()
        self._parts.clear()
        self._keys.forget()
        self._mark.next_row_id = self._committed_row_id

    def close(self) -> None:
        """Drop what is not committed and let the lake go."""
        self.rollback()
        self._duckdb.close()
        self._lock.release()

    def __enter__(self) -> LakeWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Say what the disk said, and leave the writer of no use where anything fails in between."""
        self._failed = True
        with writing(self.path):
            yield
        self._failed = False

    def _check_usable(self) -> None:
        if self._failed:
            raise LakeError(f"Writing to {self.path} failed: close this writer and open the lake again.")

    def _part(self, entity: str) -> OpenPart:
        if entity not in self._parts:
            schema = stored_schema(entity, self._log.added.get(entity, ()))
            self._parts[entity] = OpenPart(self._log.folder, entity, self.version + 1, schema)
        return self._parts[entity]

    def _append(self, entity: str, rows: pa.Table) -> None:
        """Add rows that are no versions, giving each its row_id."""
        first = self._mark.next_row_id
        self._mark.next_row_id += rows.num_rows
        numbers = pa.array(np.arange(first, self._mark.next_row_id, dtype=np.int64))
        with self._writing():
            self._part(entity).append(rows.set_column(0, "row_id", numbers))

    def _publish(self, parts: list[Part]) -> None:
        self._mark.version = self._log.commit(parts)
        self._keys.save()
        self._committed_row_id = self._mark.next_row_id
        self._show()

    def _show(self) -> None:
        """Have `lake.duckdb` show what is committed."""
        with self._log.remote.alone() if self._log.remote else nullcontext():
            publish_catalog(self._duckdb, self.path, self._log)

    def _catch_up(self) -> None:
        """Bring the key index to the log's version: from the files of newer commits, else from all files."""
        mark = self._keys.mark
        if mark.version == self.version:
            return
        if mark.version > self.version:
            self._keys.clear()
        mark = self._keys.mark
        newer = [file for file in self._log.files if _version_of(file) > mark.version]
        # Upkeep that was killed may have written known rows into newer files: those below next_row_id.
        entities = {file.entity for file in newer}
        following = [self._fill(entity, [file for file in newer if file.entity == entity]) for entity in entities]
        mark.version, mark.next_row_id = self.version, max([mark.next_row_id, *following])
        self._keys.save()

    def _fill(self, entity: str, files: list[LogFile]) -> int:
        """Read the unknown keys of an entity's files into the index, of other entities none; give the next row_id."""
        mark = self._keys.mark
        source = files_source(self._log.folder, entity, files, added=self._log.added.get(entity, ()))
        [(highest,)] = self._duckdb.execute(f"SELECT max(row_id) FROM {source}").fetchall()
        if entity not in LEVELS:
            return (highest or 0) + 1
        [(last,)] = self._duckdb.execute(f"SELECT max(valid_from) FROM {source}").fetchall()
        mark.passed(last or EPOCH)
        hashes = hash_columns(LEVELS[entity], [field.name for field in self._log.added.get(entity, ())])
        query = f"SELECT row_id, first_seen_at, {hashes}, change = 'remove' AS gone FROM {source}"
        unread = self._duckdb.sql(f"{query} WHERE row_id >= {mark.next_row_id} ORDER BY row_id")
        for number, batch in enumerate(unread.to_arrow_reader(FILL_BATCH), start=1):
            self._keys.stage(entity, _entries(batch))
            if number % SAVE_EVERY == 0:
                self._keys.save()  # under the old version: a second start begins again and ends the same
        return (highest or 0) + 1


def _entries(batch: pa.RecordBatch) -> Run:
    entries = empty_run(batch.num_rows)
    for row, name in ((HIGH, "high"), (LOW, "low"), (HASH, "version"), (ROW, "row_id")):
        entries[row] = batch[name].to_numpy()
    entries[SEEN] = batch["first_seen_at"].cast(pa.int64()).to_numpy()
    entries[HASH, batch["gone"].to_numpy(zero_copy_only=False)] = GONE
    return entries[:, last_of_each(entries[HIGH], entries[LOW])]


def _version_of(file: LogFile) -> int:
    found = part_version(file.path.rpartition("/")[2])
    return -1 if found is None else found
