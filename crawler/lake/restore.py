"""Repairing a lake that `verify` found broken. Touches: disk, clock.

Nothing is thrown away: what is broken goes to `quarantine/`. Where rows are lost the ledger says so from then on, so
that `coverage` shows those days as not proven and `backfill` asks for them again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable

from crawler.errors import LakeError
from crawler.lake import ledger
from crawler.lake.commits import commit_file, log_folder
from crawler.lake.engine import connect
from crawler.lake.files import replace_with
from crawler.lake.flaws import Flaw, Harm
from crawler.lake.healing import healed
from crawler.lake.lock import OwnerLock
from crawler.lake.log import HISTORY_KEY, Log, open_table, recommit
from crawler.lake.losses import Asked, Loss, in_doubt
from crawler.lake.parts import OpenPart, Part
from crawler.lake.published import CATALOG
from crawler.lake.remote import LOG, Remote, remote_of
from crawler.lake.repair import set_aside
from crawler.lake.schema import LEVELS, TABLES
from crawler.lake.there import mend_copy, mend_store
from crawler.lake.upkeep import Wanted, maintain
from crawler.lake.verify import Verified, verify
from crawler.lake.views import files_source
from crawler.lake.writer import LakeWriter
from crawler.lake.writing import writing
from crawler.model import Coverage, Level, Window


@dataclass(slots=True)
class Repaired:
    """What was wrong, and what is no longer proven because of it."""

    flaws: list[Flaw] = field(default_factory=list)
    doubts: list[Coverage] = field(default_factory=list)


def plan(path: Path) -> Repaired:
    """Say what is wrong and what repairing it would put in doubt; changes nothing."""
    found = verify(path)
    lost = [flaw for flaw in found.flaws if flaw.harm is Harm.DATA]
    if not lost:
        return Repaired(found.flaws)
    log = Log(log_folder(path.absolute()), open_table(path.absolute()))
    if log.remote:  # what the store has is fetched again
        there = {one.name for one in log.remote.listed(LOG)}
        lost = [flaw for flaw in lost if flaw.path not in there]
    return Repaired(found.flaws, _doubts(log, lost) if lost else [])


def repair(path: Path) -> Repaired:
    """Repair what can be, set aside what cannot. LakeLockedError where another process owns the lake."""
    with writing(path.absolute()):
        return _repair(path.absolute())


def _repair(lake: Path) -> Repaired:
    done = Repaired()
    lock = OwnerLock(lake)
    try:
        remote = remote_of(lake)
        found = verify(lake) if remote is None else _exchanged(remote, done)
        if broken := [flaw for flaw in found.flaws if flaw.harm is Harm.LOG]:
            done.flaws += broken
            if remote:
                raise LakeError(f"The log is broken in {remote.url} too: restore it from a backup.")
            _mend_log(lake, broken)
            found = verify(lake)
        done.flaws += found.flaws
        if any(flaw.harm is Harm.LOG for flaw in found.flaws):
            raise LakeError(f"The log of {lake} is too badly broken to be read: restore the lake from a backup.")
        done.doubts = _drop_lost(lake, [flaw for flaw in found.flaws if flaw.harm is Harm.DATA])
        _make_room(lake, found)
    finally:
        lock.release()
    with LakeWriter.open(lake, create=False) as writer:
        if any(flaw.harm in (Harm.DATA, Harm.ROWS) for flaw in found.flaws):
            # Which rows are current may have changed: the files that hold them apart are written anew.
            maintain(writer, Wanted(keep_files=timedelta(days=7), whole=True, some_lost=True))
    return done


def _exchanged(remote: Remote, done: Repaired) -> Verified:
    """Bring what is broken in a copy from its store, and what the store lacks there; give what is left."""
    found = verify(remote.lake)
    for _ in range(2):  # data files are judged once the log is whole
        broken = [flaw for flaw in found.flaws if flaw.harm in (Harm.LOG, Harm.DATA, Harm.STORE)]
        if not broken:
            break
        done.flaws += broken
        mend_copy(remote, broken)
        mend_store(remote, Log(log_folder(remote.lake), open_table(remote.lake)), broken)
        found = verify(remote.lake)
    return found


def _mend_log(lake: Path, broken: Iterable[Flaw]) -> None:
    """Set broken checkpoints aside, and give broken commits back what they said."""
    log = log_folder(lake)
    for path in sorted(lake / flaw.path for flaw in broken):
        if "checkpoint" in path.name:
            for name in (path.with_suffix(".parquet"), path.with_suffix(".sha256"), path.with_name("_last_checkpoint")):
                if name.exists():
                    set_aside(lake, name)
        elif path.name[:20].isdecimal():
            _mend_commit(lake, log, int(path.name[:20]))


def _mend_commit(lake: Path, log: Path, version: int) -> None:
    """Turn back a flipped bit, else write the commit anew from the files that bear its version."""
    path = commit_file(log, version)
    content = path.read_bytes() if path.exists() else b""
    whole = healed(content)
    if path.exists():
        set_aside(lake, path)
    if whole:
        replace_with(path, whole)
    else:
        recommit(log, version, DeltaTable(log, version=version - 1) if version else None)


def _drop_lost(lake: Path, lost: list[Flaw]) -> list[Coverage]:
    """Take lost files out of the log, with a ledger row for all that is in doubt, and set them aside."""
    if not lost:
        return []
    log = Log(log_folder(lake), open_table(lake))
    doubts = _doubts(log, lost)
    names = {flaw.path.removeprefix("log/") for flaw in lost}
    gone = [file for file in log.files if file.path in names]
    now = datetime.now(UTC).replace(tzinfo=None)
    versions = any(file.entity in TABLES for file in gone)
    highest = max((row["max.row_id"] or 0 for row in _added(log)), default=0)
    parts = [_ledger_part(log, doubts, highest + 1)] if doubts else []
    log.commit(parts, gone, properties={HISTORY_KEY: now.isoformat()} if versions else None)
    for file in gone:
        if (log.folder / file.path).exists():
            set_aside(lake, log.folder / file.path)
    return doubts


def _ledger_part(log: Log, rows: list[Coverage], first_row_id: int) -> Part:
    table = ledger.coverage_rows(rows)
    numbers = np.arange(first_row_id, first_row_id + table.num_rows, dtype=np.int64)
    part = OpenPart(log.folder, "window", log.version + 1)
    part.append(table.set_column(0, "row_id", pa.array(numbers)))
    return part.finish()


def _make_room(lake: Path, found: Verified) -> None:
    """Set replaced files aside that are broken, and remove caches: they are made again on opening."""
    for flaw in found.flaws:
        if flaw.harm is Harm.LEFTOVER:
            set_aside(lake, lake / flaw.path)
    (lake / "keys" / "manifest.json").unlink(missing_ok=True)
    (lake / CATALOG).unlink(missing_ok=True)


def _added(log: Log) -> list[dict[str, Any]]:
    table = DeltaTable(log.folder)
    rows: list[dict[str, Any]] = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    return rows


def _doubts(log: Log, lost: Iterable[Flaw]) -> list[Coverage]:
    names = {flaw.path.removeprefix("log/") for flaw in lost}
    losses = [_loss(row) for row in _added(log) if row["path"] in names and row["partition.entity"] in _PROVEN]
    windows, sweeps = (
        files_source(log.folder, entity, [one for one in log.files if one.entity == entity and one.path not in names])
        for entity in ("window", "sweep")
    )
    query = f"""SELECT row_id, pacs, level, asked_at, coalesce(began, asked_at), date_from, date_to, time_from, time_to,
            "key" FROM {windows} AS asked LEFT JOIN (
            SELECT sweep_id, min(started_at) AS began FROM {sweeps} GROUP BY sweep_id) AS sweep USING (sweep_id)"""
    with connect() as connection:
        rows = connection.execute(query).fetchall()
    left = [
        Asked(row_id, pacs, Level(level), Window(*window), asked_at, began)
        for row_id, pacs, level, asked_at, began, *window in rows
    ]
    return in_doubt(losses, left, datetime.now(UTC))


_PROVEN = (*LEVELS, "window")
"""Entities without which something is no longer proven."""


def _loss(row: dict[str, Any]) -> Loss:
    first, last = row.get("min.pacs"), row.get("max.pacs")
    days: tuple[date, date] | None = None
    if row["partition.entity"] == "study" and row.get("min.StudyDate"):
        days = (row["min.StudyDate"], row["max.StudyDate"])
    return Loss(
        path=row["path"],
        level=LEVELS.get(row["partition.entity"]),
        pacs=(first, last) if first and last else None,
        days=days,
        first_row_id=row.get("min.row_id") or 0,
        written_at=datetime.fromtimestamp(row["modification_time"] / 1000, UTC).replace(tzinfo=None),
    )
