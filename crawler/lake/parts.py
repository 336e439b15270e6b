"""Parquet files being written, one open part for each entity. Touches: disk."""

from __future__ import annotations

import json
import os
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crawler.lake.files import digest, sync
from crawler.lake.schema import LEVELS, fingerprint_of, stored_schema

ROW_GROUP = 61_440
"""Rows gathered before a row group is written: half of DuckDB's own, which keeps the memory of a part small."""

NOW, PAST = "-now", "-past"
"""End of the name of a file that upkeep wrote: of rows that were current then, and of rows that were not."""
_OURS = re.compile(rf"v(\d{{12,}})-[0-9a-f]{{8}}-[0-9a-f]+({NOW}|{PAST})?\.parquet")
DIGEST = 32
"""Hexadecimal digits of a file's SHA-256 that its name holds."""


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
    first_row_id: int
    statistics: str
    """As JSON, the way a Delta commit wants them."""


def part_version(name: str) -> int | None:
    """Give the version that a file was written for, None for a file that is not ours."""
    ours = _OURS.fullmatch(name)
    return int(ours[1]) if ours else None


def part_digest(name: str) -> str | None:
    """Give the first digits of the SHA-256 that a file must have by its name; None for one of an earlier release."""
    fields = name.removesuffix(".parquet").split("-")
    return fields[2] if len(fields) > 2 and len(fields[2]) == DIGEST else None


def is_as_named(path: Path) -> bool:
    """Whether a file has the digest that its name gives, if it gives one."""
    told = part_digest(path.name)
    return told is None or digest(path)[:DIGEST] == told


def part_of(log: Path, file: Path) -> Part:
    """Say of a finished file what its commit says."""
    entity = file.parent.name.removeprefix("entity=")
    known = stored_schema(entity)
    wanted = [name for name in ("row_id", "pacs", "supersedes", "StudyDate") if name in known.names]
    seen = _Statistics(known)
    seen.add(pq.read_table(file, columns=wanted, partitioning=None))
    superseding = seen.rows - seen.first_versions
    path = file.relative_to(log).as_posix()
    return Part(entity, path, file.stat().st_size, seen.rows, superseding, seen.first_row_id, seen.as_json())


class OpenPart:
    """A Parquet file that grows by tables of its entity's stored columns, or of the columns given.

    Its name is final, and says what is in it, once it is finished.
    """

    def __init__(
        self, log: Path, entity: str, version: int, schema: pa.Schema | None = None, standing: str = ""
    ) -> None:
        schema = schema or stored_schema(entity)
        self._entity = entity
        self._named = (f"v{version:012d}-{fingerprint_of(schema)}", standing)
        self._file = log / f"entity={entity}" / f"{self._named[0]}-{secrets.token_hex(4)}.parquet"
        self._file.parent.mkdir(exist_ok=True)
        self._writer = pq.ParquetWriter(self._file, schema, **_encoding(entity, schema))
        self._gathered: list[pa.Table] = []
        self._gathered_rows = 0
        self._statistics = _Statistics(schema)

    @property
    def rows(self) -> int:
        """How many rows it has so far."""
        return self._statistics.rows

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
        """Write what is left, close the file, wait until it is on disk and give it its name."""
        if self._gathered:
            self._write_gathered()
        self._writer.close()
        sync(self._file)
        stem, standing = self._named
        named = self._file.with_name(f"{stem}-{digest(self._file)[:DIGEST]}{standing}.parquet")
        os.rename(self._file, named)
        self._file = named
        seen, path = self._statistics, f"{named.parent.name}/{named.name}"
        superseding = seen.rows - seen.first_versions
        return Part(self._entity, path, named.stat().st_size, seen.rows, superseding, seen.first_row_id, seen.as_json())

    def abandon(self) -> None:
        """Drop the file."""
        self._gathered.clear()
        with suppress(OSError):  # the disk may be full: the reason why the file is dropped
            self._writer.close()
        with suppress(OSError):  # the next writer drops it
            self._file.unlink(missing_ok=True)

    def _write_gathered(self) -> None:
        self._writer.write_table(pa.concat_tables(self._gathered), row_group_size=2 * ROW_GROUP)
        self._gathered.clear()
        self._gathered_rows = 0


class _Statistics:
    """Gathers what a Delta commit says of a file."""

    def __init__(self, schema: pa.Schema) -> None:
        names = schema.names
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

    @property
    def first_row_id(self) -> int:
        return int(str(self._low.get("row_id", 0)))

    def as_json(self) -> str:
        counts = {"numRecords": self.rows, "minValues": self._low, "maxValues": self._high}
        nulls = {"supersedes": self.first_versions} if self._versioned else {}
        return json.dumps({**counts, "nullCount": nulls}, default=str)


def _encoding(entity: str, schema: pa.Schema) -> dict[str, object]:
    """Every value of a unique column is another one: no dictionary there, but prefixes in common."""
    names = schema.names
    unique = [LEVELS[entity].unique_key] if entity in LEVELS else []
    plain = {"row_id", "supersedes", "AccessionNumber", *unique}
    encodings = dict.fromkeys(unique, "DELTA_BYTE_ARRAY")
    encodings.update({name: "DELTA_BINARY_PACKED" for name in ("row_id", "supersedes") if name in names})
    dictionary = [name for name in names if name not in plain]
    return {"compression": "zstd", "use_dictionary": dictionary, "column_encoding": encodings}
