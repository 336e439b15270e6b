"""What people did, as lines of JSON that are only ever added: `audit/YYYY-MM.jsonl` in the lake's folder.

Each line bears the SHA-256 of the one before, over all months, so that a line which was changed, put in or left out
shows. The last ones can be cut off without a trace in here: the service logs the hash of each line for that. Only the
owner may read: what was asked in SQL may name patients. Touches: disk, clock.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crawler.errors import LakeError
from crawler.lake.files import sync
from crawler.lake.folders import AUDIT
from crawler.lake.schema import literal

FIRST = "0" * 64
"""What the very first line has for the hash of the one before."""

_BLOCK = 1 << 16


_COLUMNS = {
    "at": "TIMESTAMP",
    **dict.fromkeys(("person", "role", "address", "action", "outcome", "what"), "VARCHAR"),
    "rows": "BIGINT",
    "phi_columns": "VARCHAR[]",
    "lake_version": "BIGINT",
    "seconds": "DOUBLE",
    "previous": "VARCHAR",
}
"""What a line may tell, as columns; times are UTC."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that is not as it was written, or not where."""

    file: str
    line: int
    why: str


class AuditLog:
    """That of one lake."""

    def __init__(self, lake: Path) -> None:
        self._folder = lake / AUDIT
        self._has_lake = lake.is_dir()

    @property
    def view(self) -> str:
        """The SQL that makes them the view `audit`, for those who may read the files. What is no line is left out."""
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in _COLUMNS.items())
        nothing = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in _COLUMNS.items())
        files = ", ".join(literal(str(file)) for file in self._files())
        how = f"columns = {{{columns}}}, format = 'newline_delimited', ignore_errors = true"
        lines = f"read_json([{files}], {how})" if files else f"(SELECT {nothing} WHERE false)"
        return f'CREATE OR REPLACE VIEW audit AS FROM {lines} WHERE "at" IS NOT NULL'

    def append(self, values: Mapping[str, Any]) -> str:
        """Add a line; when this returns its hash, it is on disk. LakeError where it cannot be."""
        try:
            with self._held():
                return self._append(values)
        except OSError as error:
            raise LakeError(f"The audit in {self._folder} cannot be written: {error.strerror}.") from None

    def entries(self, first: str = "", last: str = "9999-99") -> Iterator[dict[str, Any]]:
        """Give the lines of these months (as 2026-03), oldest first. What is no JSON object is left to `broken`."""
        for file in self._files():
            if first <= file.stem <= last:
                for line in file.read_bytes().splitlines(keepends=True):
                    values = _values(line)
                    if values is not None:
                        yield values

    def broken(self, first: str = "") -> tuple[list[Broken], int, str]:
        """Check the chain from a month on: what is broken, how many lines there are, and the hash of the last one."""
        found, count, previous = [], 0, None if first else FIRST
        for file in self._files():
            if file.stem < first:
                continue
            for number, line in enumerate(file.read_bytes().splitlines(keepends=True), start=1):
                values = _values(line)
                if values is None:
                    found.append(Broken(file.name, number, "is not a line of the audit"))
                elif previous is not None and values.get("previous") != previous:
                    found.append(Broken(file.name, number, "does not follow the line before it"))
                previous, count = _hash(line), count + 1
        return found, count, previous or FIRST

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9].jsonl"))

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Keep other processes from adding a line meanwhile. A lake that was taken away is missed: OSError then."""
        self._folder.mkdir(mode=0o700, parents=not self._has_lake, exist_ok=True)
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _append(self, values: Mapping[str, Any]) -> str:
        now = datetime.now(UTC)
        files = self._files()
        newest = files[-1].stem if files else ""
        file = self._folder / f"{max(f'{now:%Y-%m}', newest)}.jsonl"  # a clock set back must not turn the order round
        is_new = not file.exists()
        previous = FIRST
        for known in reversed(files):
            _drop_torn_end(known)
            if last := _last_line(known):
                previous = _hash(last)
                break
        told = {"at": now.isoformat(timespec="microseconds"), **values, "previous": previous}
        line = json.dumps(told, ensure_ascii=False, default=str).encode(errors="replace") + b"\n"
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(line)
            out.flush()
            os.fsync(handle)
        if is_new:
            sync(self._folder)
        return _hash(line)


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _values(line: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) and line.endswith(b"\n") else None


def _drop_torn_end(file: Path) -> None:
    """Drop a line that a power cut left half written: nobody was told that it is there."""
    size = file.stat().st_size
    torn = len(_after_last_newline(file, size))
    if torn:
        os.truncate(file, size - torn)


def _last_line(file: Path) -> bytes:
    """Give the last whole line of a file that ends with one; nothing of an empty file."""
    size = file.stat().st_size
    return _after_last_newline(file, size - 1) + b"\n" if size else b""


def _after_last_newline(file: Path, end: int) -> bytes:
    """Give the bytes before `end` that follow the last line break before it."""
    found = b""
    with open(file, "rb") as content:
        while end > 0 and b"\n" not in found:
            begin = max(end - _BLOCK, 0)
            content.seek(begin)
            found, end = content.read(end - begin) + found, begin
    return found.rpartition(b"\n")[2]
