"""The folder of a research dataset: how far it is, and, in the end, a manifest of its files and an account of it.

While it is made, and for the next time, `.pacslake` holds what came of each series, under the new UIDs alone.
Touches: disk.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from datetime import date, time
from hashlib import file_digest
from pathlib import Path
from typing import Any

import pyarrow as pa

from crawler.errors import UserError
from crawler.export.copies import UNFINISHED, begin, end, sync_folder
from crawler.export.facts import FACTS
from crawler.export.receipt import CSV, OWN, PARQUET, RECEIPT, find_manifest, write_account
from crawler.export.whole import whole_file

Row = dict[str, Any]
STAGED = f"{OWN}/files"
"""Where de-identified DICOM files lie until they get their place, or have become something else."""
_FORM = f"{OWN}/form"
_RECORDS = f"{OWN}/series"
MANIFEST: pa.Schema = pa.schema([("path", pa.string()), ("size", pa.int64()), ("sha256", pa.string()), *FACTS])
"""A row for each file; those that are not DICOM have no facts."""


@dataclass(slots=True)
class Released:
    """What came of one series of the store."""

    study: str
    series: str
    """The new UIDs."""
    patient: str
    """The new code."""
    made_of: str = ""
    """A digest of all that decides what comes of it: what is made of the same needs not be made again."""
    files: list[Row] = field(default_factory=list)
    """A row of `MANIFEST` for each file that may leave; its path is below the folder, in `STAGED` at first."""
    actions: Counter[str] = field(default_factory=Counter)
    """What was done to elements, by action."""
    excluded: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    """Instances that are not in the dataset, by the reason."""
    kept_back: Counter[str] = field(default_factory=Counter)
    """Files in which something of the patient was found, by what that was."""
    lost: Counter[str] = field(default_factory=Counter)
    """Files of the store that are not what they should be, or cannot be read."""
    faces: int = 0
    """Images that declare that a face could be recognised in them."""

    @property
    def instances(self) -> int:
        """Instances of the series that were in the store, whatever came of each."""
        counts = (self.excluded, self.quarantined, self.kept_back, self.lost)
        return len(self.files) + sum(one.total() for one in counts)

    @property
    def waits(self) -> int:
        """Instances that a person has to look at."""
        return self.quarantined.total() + self.kept_back.total()


_COUNTS = ("actions", "excluded", "quarantined", "kept_back", "lost")


class Dataset:
    """One dataset's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, name: str, form: str) -> None:
        """Make the folder, or go on with one of the same name and form. UserError where it holds anything else."""
        begun = self.folder / _FORM
        if begun.is_file() and (theirs := begun.read_text(encoding="utf-8")) != form:
            raise UserError(f"{self.folder} holds a dataset as {theirs}; name another folder for {form}")
        begin(self.folder, "dataset", name)
        for below in (STAGED, _RECORDS):
            (self.folder / below).mkdir(parents=True, exist_ok=True, mode=0o700)
        begun.write_text(form, encoding="utf-8")

    def known(self, series: str, made_of: str) -> Released | None:
        """Give what came of a series if it was made of the same before, and all of it is there still."""
        try:
            told = json.loads(self._record(series).read_bytes())
            told |= {name: Counter(told[name]) for name in _COUNTS}
            found = Released(**{**told, "files": [typed(row) for row in told["files"]]})
        except (FileNotFoundError, TypeError, ValueError, KeyError):
            return None
        return found if found.made_of == made_of and all(map(self._is_there, found.files)) else None

    def keep(self, released: Iterable[Released]) -> None:
        """Write down what came of series, once their files are on disk."""
        sync_folder(self.folder)
        for one in released:
            self._write(one)

    def _write(self, released: Released) -> None:
        with whole_file(self._record(released.series), overwrite=True) as draft:
            draft.write_text(
                json.dumps({one.name: getattr(released, one.name) for one in fields(Released)}, default=_text),
                encoding="utf-8",
            )

    def place(self, released: Released, paths: list[str]) -> Released:
        """Give the files of a series these paths below the folder. A crash leaves each under its old or its new one."""
        rows = [{**row, "path": path} for row, path in zip(released.files, paths, strict=True)]
        moved = [(row["path"], path) for row, path in zip(released.files, paths, strict=True) if row["path"] != path]
        if not moved:
            return released
        for old, new in moved:
            _link(self.folder / old, self.folder / new)
        placed = replace(released, files=rows)
        self._write(placed)
        for old, _ in moved:
            if old not in paths:
                (self.folder / old).unlink()
        return placed

    def clear(self) -> None:
        """Take away everything but what the next steps are made from."""
        for path in self.folder.iterdir():
            if path.name not in (OWN, UNFINISHED):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def is_beside(self, path: Path) -> bool:
        """Say whether this is a file about the dataset as a whole."""
        return path.is_file() and path.name not in (RECEIPT, PARQUET, CSV, UNFINISHED)

    def close(self, rows: list[Row], told: Row) -> None:
        """Take away what an earlier time left, and write manifest and account; the dataset is whole then."""
        shutil.rmtree(self.folder / STAGED, ignore_errors=True)
        kept = {row["path"] for row in rows}
        for path in self._paths_of_before() - kept:
            (self.folder / path).unlink(missing_ok=True)
        for below, _, _ in os.walk(self.folder, topdown=False):
            with suppress(OSError):  # it holds something
                os.rmdir(below)
        write_account(self.folder, MANIFEST, pa.Table.from_pylist(rows, MANIFEST).to_batches(), told)
        end(self.folder)

    def _paths_of_before(self) -> set[str]:
        if not (self.folder / PARQUET).is_file():
            return set()
        return {told.path for told in find_manifest(self.folder / PARQUET, self.folder).told()}

    def _record(self, series: str) -> Path:
        return self.folder / _RECORDS / f"{series}.json"

    def _is_there(self, row: Row) -> bool:
        try:
            return bool(os.stat(self.folder / row["path"]).st_size == row["size"])
        except OSError:
            return False


def typed(row: Row) -> Row:
    """Give a row of a record the types of `MANIFEST`: JSON has no dates and times."""
    return {name: _parsed(value, MANIFEST.field(name).type) for name, value in row.items()}


def row_of(folder: Path, path: str, facts: Row | None = None) -> Row:
    """Give the row of `MANIFEST` of a file below the folder."""
    with open(folder / path, "rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
        return {"path": path, "size": os.fstat(file.fileno()).st_size, "sha256": digest, **(facts or {})}


def _parsed(value: Any, kind: pa.DataType) -> Any:
    if value is None or not pa.types.is_temporal(kind):
        return value
    return date.fromisoformat(value) if pa.types.is_date(kind) else time.fromisoformat(value)


def _text(value: object) -> str:
    if isinstance(value, date | time):
        return value.isoformat()
    raise TypeError(f"no record holds a {type(value).__name__}")


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)
