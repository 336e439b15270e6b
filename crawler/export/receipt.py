"""A receipt: what of a cohort was had, file by file, and what was not and why. It is checked without a lake.

A folder has `manifest.parquet` and `manifest.csv`, the same rows both, and `receipt.json` with their checksums; the
last is written last. Paths of a manifest are relative to the receipt's `root`, a folder. Touches: disk, clock.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from crawler.errors import UserError
from crawler.export.whole import whole_file
from crawler.retrieve.readback import TOLD, Told

if TYPE_CHECKING:
    import duckdb

RECEIPT, PARQUET, CSV = "receipt.json", "manifest.parquet", "manifest.csv"
OWN = ".pacslake"
"""A folder of ours beside them, that no manifest names: what was done, for the next time."""
FORMAT = 1
_ROWS = """SELECT pacs, StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID, SOPClassUID, Modality, path, size, sha256,
        transfer_syntax, source_ae, received_at
    FROM here ORDER BY StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID"""
_BATCH = 65_536


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest to compare files with."""

    file: Path
    root: Path
    altered: bool
    """It is not the one that its receipt was written for."""

    @property
    def is_beside(self) -> bool:
        """Whether the files lie in the manifest's own folder, where nothing else should be."""
        return self.file.parent.resolve() == self.root.resolve()

    @property
    def count(self) -> int | None:
        """How many files it names, where that is quickly told."""
        if self.file.suffix == ".csv":
            return None
        with _damaged(self.file):
            return int(pq.read_metadata(self.file).num_rows)

    def told(self) -> Iterator[Told]:
        """Give what it says of each file. UserError where it cannot be read."""
        with _damaged(self.file):
            if self.file.suffix == ".csv":
                with open(self.file, newline="", encoding="utf-8") as file:
                    yield from (_told(row) for row in csv.DictReader(file))
                return
            with pq.ParquetFile(self.file) as parquet:
                for batch in parquet.iter_batches(_BATCH, columns=list(TOLD)):
                    yield from (_told(row) for row in batch.to_pylist())


@contextmanager
def _damaged(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException):
        raise UserError(f"{file} is no manifest of pacslake, or damaged") from None


def _told(row: dict[str, Any]) -> Told:
    study, series, instance, path, size, digest, transfer_syntax = (row[name] for name in TOLD)
    return Told(study or "", series or "", instance or "", path, int(size), digest, transfer_syntax or "")


def find_manifest(path: Path, root: Path | None) -> Manifest:
    """Find the manifest in a folder, or take the file named. UserError where there is none, or no folder of files."""
    folder = path if path.is_dir() else path.parent
    file = next((one for one in (folder / PARQUET, folder / CSV) if one.is_file()), None) if path.is_dir() else path
    if file is None or not file.is_file():
        raise UserError(f"{path} has no {PARQUET} or {CSV}: name the folder of a receipt, or a manifest")
    receipt = receipt_in(folder)
    digest = receipt.get("manifests", {}).get(file.name)
    below = root or folder / receipt.get("root", ".")
    if not below.is_dir():
        raise UserError(f"the files should be below {below}, which is no folder: --root says where they are")
    return Manifest(file, below, digest is not None and digest != _digest(file))


def written_now() -> str:
    """Give the moment at which an account is written: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def receipt_in(folder: Path) -> dict[str, Any]:
    """Read the receipt in a folder, nothing where there is none. UserError where it cannot be read."""
    if not (folder / RECEIPT).is_file():
        return {}
    try:
        return dict(json.loads((folder / RECEIPT).read_bytes()))
    except (OSError, TypeError, ValueError):
        raise UserError(f"{folder / RECEIPT} is damaged") from None


def write_receipt(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    told: dict[str, Any],
    path_of: Callable[[Told], str] | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write a receipt of the files gathered in `here`; `told` is what `receipt.json` says beside checksums.

    `path_of` says where a file lies below the root, unless it is where it lies in the store.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / RECEIPT).exists() and not overwrite:
        raise UserError(f"{folder / RECEIPT} exists; --overwrite replaces it")
    reader = connection.sql(_ROWS).to_arrow_reader(_BATCH)
    write_account(folder, reader.schema, _placed(reader, path_of), told)


def write_account(folder: Path, schema: pa.Schema, rows: Iterable[pa.RecordBatch], told: dict[str, Any]) -> None:
    """Write manifests of files and, last, `receipt.json` with what is told and with their checksums."""
    (folder / RECEIPT).unlink(missing_ok=True)
    with whole_file(folder / PARQUET, overwrite=True) as parquet, whole_file(folder / CSV, overwrite=True) as table:
        plain = pa.schema([field.with_type(_plain(field.type)) for field in schema])
        with pq.ParquetWriter(parquet, schema) as typed, pyarrow.csv.CSVWriter(table, plain) as text:
            for batch in rows:
                typed.write_batch(batch)
                text.write_batch(pa.record_batch([_as_text(column) for column in batch.columns], plain))
    manifests = {name: _digest(folder / name) for name in (PARQUET, CSV)}
    account = json.dumps({"receipt": FORMAT, **told, "manifests": manifests}, indent=2, ensure_ascii=False)
    with whole_file(folder / RECEIPT) as draft:
        draft.write_text(account + "\n", encoding="utf-8")


def _placed(reader: Iterable[pa.RecordBatch], path_of: Callable[[Told], str] | None) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        if path_of is not None:
            paths = pa.array([path_of(_told(row)) for row in batch.to_pylist()], pa.string())
            batch = batch.set_column(batch.schema.get_field_index("path"), "path", paths)
        yield batch


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_list(kind) else kind


def _as_text(column: pa.Array) -> pa.Array:
    """Give lists as DICOM writes several values, since CSV has none."""
    if not pa.types.is_list(column.type):
        return column
    return pc.binary_join(column.cast(pa.list_(pa.string())), "\\")


def strangers(manifest: Manifest) -> Iterator[str]:
    """Name the files in the manifest's folder that it does not have."""
    known = {told.path for told in manifest.told()} | {RECEIPT, PARQUET, CSV}
    for folder, _, names in os.walk(manifest.root):
        for name in sorted(names):
            path = (Path(folder) / name).relative_to(manifest.root).as_posix()
            if path not in known and not path.startswith(f"{OWN}/"):
                yield path


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()
