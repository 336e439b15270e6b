"""Which of the staged rows are new, changed, unchanged or duplicates. Pure: decides, writes nothing.

Rows are compared by hashes that DuckDB computes over stored columns, so that the same figures come out of a staged
table and of a file read back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from crawler import columns
from crawler.lake.runs import HASH, HIGH, LOW, ROW, SEEN, Run, empty_run, last_of_each, look_up
from crawler.lake.schema import literal, quoted, stored_schema
from crawler.model import Level

GONE = np.uint64(0)
"""What stands for the hash of a version that says that its key has vanished. No row has it."""

OWNERS = {Level.STUDY: "PatientID", Level.SERIES: "StudyInstanceUID", Level.IMAGE: "SeriesInstanceUID"}
"""To whom a row says that it belongs."""

MICROSECOND = np.dtype("datetime64[us]")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a stage writes beside the answers: from which row_id on, when, and for which sweep."""

    next_row_id: int
    valid_from: datetime
    sweep_id: str
    added: tuple[pa.Field, ...] = ()
    """The level's columns beyond the catalogue's."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a staged table changes: rows for the log, entries for the key index, and counts."""

    rows: pa.Table
    entries: Run
    inserted: int
    updated: int
    unchanged: int
    duplicates: int


def hash_columns(level: Level, added: Sequence[str] = ()) -> str:
    """Give the SQL of a stored row's two key hashes and its version's hash, named high, low and version.

    A null in an `added` column leaves the hash as it was before the lake had this column.
    """
    decoded = ", ".join(quoted(name) for name in columns.schema(level).names)
    version = f"hash({decoded})"
    for name in added:
        also = f"CASE WHEN {quoted(name)} IS NULL THEN 0::UBIGINT ELSE hash({literal(name)}, {quoted(name)}) END"
        version = f"xor({version}, {also})"
    return f"{_key_hashes(level)}, greatest({version}, 1::UBIGINT) AS version"


def hash_keys(connection: duckdb.DuckDBPyConnection, level: Level, pacs: str, keys: Sequence[str]) -> Run:
    """Hash unique keys as `hash_rows` does, in their order; all but HIGH and LOW is left open."""
    named = pa.table({"pacs": pa.repeat(pacs, len(keys)), level.unique_key: pa.array(keys, pa.string())})
    connection.register("staged", named)
    try:
        found = connection.execute(f"SELECT {_key_hashes(level)} FROM staged").fetchnumpy()
    finally:
        connection.unregister("staged")
    hashed = empty_run(len(keys))
    hashed[HIGH], hashed[LOW] = found["high"], found["low"]
    return hashed


def _key_hashes(level: Level) -> str:
    key = f"pacs || chr(31) || {quoted(level.unique_key)}"
    return f"hash({key}) AS high, hash({literal('#')} || {key}) AS low"


def hash_rows(connection: duckdb.DuckDBPyConnection, level: Level, stored: pa.Table) -> Run:
    """Hash a stored table's rows, in their order; ROW and SEEN are left open."""
    connection.register("staged", stored)
    added = [name for name in stored.schema.names if name not in stored_schema(level.entity).names]
    try:
        found = connection.execute(f"SELECT {hash_columns(level, added)} FROM staged").fetchnumpy()
    finally:
        connection.unregister("staged")
    hashed = empty_run(stored.num_rows)
    for row, name in ((HIGH, "high"), (LOW, "low"), (HASH, "version")):
        hashed[row] = found[name]
    return hashed


def keyless(level: Level, decoded: pa.Table) -> pa.BooleanArray | pa.ChunkedArray:
    """Tell which rows have no unique key: null or empty."""
    key = decoded[level.unique_key]
    return pc.fill_null(pc.equal(key, ""), True)


def disputed(level: Level, decoded: pa.Table) -> NDArray[np.bool_]:
    """Tell which rows give way to a later one of their key that belongs to somebody else: one UID for what are two."""
    if level not in OWNERS:
        return np.zeros(decoded.num_rows, np.bool_)
    keys = decoded[level.unique_key].combine_chunks().dictionary_encode().indices.to_numpy()
    last = np.zeros(decoded.num_rows, np.int64)
    last[keys] = np.arange(decoded.num_rows)  # of repeated places the last assignment stays
    owners = decoded[OWNERS[level]].combine_chunks()
    other: NDArray[np.bool_] = pc.fill_null(pc.not_equal(owners, owners.take(pa.array(last[keys]))), False).to_numpy(
        zero_copy_only=False
    )
    return other


def compare(stored: pa.Table, hashed: Run, runs: Sequence[Run], level: Level, stamp: Stamp) -> Change:
    """Compare staged rows with the newest versions that the runs (oldest first) know."""
    order = last_of_each(hashed[HIGH], hashed[LOW])
    latest = hashed[:, order]
    known, current = look_up(list(runs), latest[HIGH], latest[LOW])
    changed = current[HASH] != latest[HASH]  # where nothing is known, GONE stands there
    order, known = order[changed], known[changed]
    entries, current = latest[:, changed], current[:, changed]
    moment = np.datetime64(stamp.valid_from, "us")
    file_order = np.argsort(order)
    entries[ROW, file_order] = np.arange(stamp.next_row_id, stamp.next_row_id + order.size, dtype=np.uint64)
    entries[SEEN] = np.where(known, current[SEEN], moment.astype(np.uint64))
    rows = stored if order.size == stored.num_rows else stored.take(pa.array(order[file_order]))
    versions = _bookkeeping(entries[:, file_order], current[:, file_order], known[file_order], stamp)
    updated = int(np.count_nonzero(known))
    return Change(
        rows=_stored_table(rows, versions, stored_schema(level.entity, stamp.added)),
        entries=entries,
        inserted=int(known.size) - updated,
        updated=updated,
        unchanged=latest.shape[1] - int(known.size),
        duplicates=hashed.shape[1] - latest.shape[1],
    )


def _bookkeeping(entries: Run, previous: Run, known: NDArray[np.bool_], stamp: Stamp) -> dict[str, pa.Array]:
    length = known.size
    kinds = [entries[HASH] == GONE, ~known, previous[HASH] == GONE]
    return {
        "row_id": pa.array(entries[ROW].view(np.int64)),
        "supersedes": pa.array(previous[ROW].view(np.int64), mask=~known),
        "change": pa.array(np.select(kinds, ["remove", "insert", "reappear"], "update"), pa.string()),
        "valid_from": pa.repeat(pa.scalar(stamp.valid_from, pa.timestamp("us")), length),
        "first_seen_at": pa.array(entries[SEEN].view(MICROSECOND)),
        "sweep_id": pa.repeat(pa.scalar(stamp.sweep_id, pa.string()), length),
    }


def _stored_table(rows: pa.Table, versions: dict[str, pa.Array], schema: pa.Schema) -> pa.Table:
    arrays = [versions[name] if name in versions else rows[name] for name in schema.names]
    return pa.Table.from_arrays(arrays, schema=schema)
