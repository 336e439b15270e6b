"""Parquet files being written, one open part for each entity. Touches: disk."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crawler.lake.files import sync
from crawler.lake.schema import LEVELS, fingerprint, stored_schema

ROW_GROUP = 61_440
"""Rows gathered before a row group is written: half of DuckDB's own, which keeps the memory of a part small."""


@dataclass(frozen=True, slots=True)
class Part:
    """One finished Parquet file, as the log names it."""

    entity: str
    path: str
    """Relative to the log, with forward slashes."""
    size: int
    rows: int
    superseding: int
    """How many of its rows supersede another."""
    statistics: str
    """As JSON, the way a Delta commit wants them."""


def part_name(version: int, entity: str) -> str:
    """Name a new file for the commit of this version."""
    return f"v{version:012d}-{fingerprint(entity)}-{secrets.token_hex(4)}.parquet"


def part_version(name: str) -> int | None:
    """Give the version that a file was written for, None for a file that is not ours."""
    stem, dash, _ = name.partition("-")
    return int(stem[1:]) if dash and stem[:1] == "v" and stem[1:].isdecimal() else None


class OpenPart:
    """A Parquet file that grows by tables of its entity's stored columns."""

    def __init__(self, log: Path, entity: str, version: int) -> None:
        self._entity = entity
        self._path = f"entity={entity}/{part_name(version, entity)}"
        self._file = log / self._path
        self._file.parent.mkdir(exist_ok=True)
        self._writer = pq.ParquetWriter(self._file, stored_schema(entity), **_encoding(entity))
        self._gathered: list[pa.Table] = []
        self._gathered_rows = 0
        self._statistics = _Statistics(entity)

    def append(self, rows: pa.Table) -> None:
        """Add rows; they reach the file a row group at a time."""
        if not rows.num_rows:
            return
        self._statistics.add(rows)
        self._gathered.append(rows)
        self._gathered_rows += rows.num_rows
        if self._gathered_rows >= ROW_GROUP:
            self._write_gathered()

    def finish(self) -> Part:
        """Write what is left, close the file and wait until it is on disk."""
        if self._gathered:
            self._write_gathered()
        self._writer.close()
        sync(self._file)
        seen = self._statistics
        size = self._file.stat().st_size
        return Part(self._entity, self._path, size, seen.rows, seen.rows - seen.first_versions, seen.as_json())

    def abandon(self) -> None:
        """Drop the file."""
        self._gathered.clear()
        with suppress(OSError):  # the disk may be full: the reason why the file is dropped
            self._writer.close()
        self._file.unlink(missing_ok=True)

    def _write_gathered(self) -> None:
        self._writer.write_table(pa.concat_tables(self._gathered), row_group_size=2 * ROW_GROUP)
        self._gathered.clear()
        self._gathered_rows = 0


class _Statistics:
    """Gathers what a Delta commit says of a file."""

    def __init__(self, entity: str) -> None:
        names = stored_schema(entity).names
        self._ranged = [name for name in ("pacs", "row_id", "StudyDate") if name in names]
        self._versioned = "supersedes" in names
        self._low: dict[str, object] = {}
        self._high: dict[str, object] = {}
        self.rows = 0
        self.first_versions = 0

    def add(self, rows: pa.Table) -> None:
        self.rows += rows.num_rows
        self.first_versions += rows["supersedes"].null_count if self._versioned else rows.num_rows
        for name in self._ranged:
            extremes = pc.min_max(rows[name])
            low, high = extremes["min"].as_py(), extremes["max"].as_py()
            if low is not None:
                self._low[name] = min(self._low.get(name, low), low)
                self._high[name] = max(self._high.get(name, high), high)

    def as_json(self) -> str:
        counts = {"numRecords": self.rows, "minValues": self._low, "maxValues": self._high}
        nulls = {"supersedes": self.first_versions} if self._versioned else {}
        return json.dumps({**counts, "nullCount": nulls}, default=str)


def _encoding(entity: str) -> dict[str, object]:
    """Every value of a unique column is another one: no dictionary there, but prefixes in common."""
    names = stored_schema(entity).names
    unique = [LEVELS[entity].unique_key] if entity in LEVELS else []
    plain = {"row_id", "supersedes", "AccessionNumber", *unique}
    encodings = dict.fromkeys(unique, "DELTA_BYTE_ARRAY")
    encodings.update({name: "DELTA_BINARY_PACKED" for name in ("row_id", "supersedes") if name in names})
    dictionary = [name for name in names if name not in plain]
    return {"compression": "zstd", "use_dictionary": dictionary, "column_encoding": encodings}
