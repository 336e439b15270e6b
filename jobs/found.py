"""Answers to `pacslake find` in the form that a person asked for, as they come. Touches: disk, standard output."""

from __future__ import annotations

import csv
import io
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crawler.asking.columns import attributes_of
from crawler.asking.dicom_json import json_text
from crawler.asking.dump import as_lines
from crawler.asking.files import file_of
from crawler.asking.question import Question
from crawler.asking.tree import Field, Tree, read_tree
from crawler.decode.decode import decode_attributes
from crawler.export.whole import whole_file
from crawler.model import Identifiers
from crawler.pacs.sop_classes import FIND_CLASSES
from jobs.table import cell, render

SOURCE = "source"
_TOGETHER = 1000
"""Rows of a table that are aligned together."""
_BLOCK = 0x00090010
"""Where DICOM JSON says which PACS an object comes from, when there are several."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose answers come: the question, and what each PACS means by its character sets."""

    question: Question
    charsets: Mapping[str, Mapping[str, str]]

    @property
    def several(self) -> bool:
        """Whether rows have to say whose they are."""
        return len(self.charsets) > 1


class Writer(Protocol):
    """Takes batches of answers."""

    odd: int
    """Answers with something that could not be read."""

    def add(self, source: str, batch: Identifiers) -> None:
        """Take a batch from one PACS."""

    def end(self) -> None:
        """Write what waits to be written."""


def writer(kind: str, asked: Asked, sink: BinaryIO) -> Writer:
    """Give the writer of a format."""
    if kind in ("table", "csv", "parquet"):
        return _Rows(kind, asked, sink)
    return _Datasets(kind, asked, sink)


class _Datasets:
    """Whole datasets: as text, as an array of JSON objects, or an object a line."""

    def __init__(self, kind: str, asked: Asked, sink: BinaryIO) -> None:
        self.odd = 0
        self._kind, self._asked, self._sink = kind, asked, sink
        self._count = 0
        self._vrs = asked.question.vrs

    def add(self, source: str, batch: Identifiers) -> None:
        write = self._text if self._kind == "text" else self._json
        for data in datasets(batch):
            meant = self._asked.charsets[source]
            tree = read_tree(data, explicit_vr=batch.explicit_vr, meant=meant, vrs=self._vrs)
            if tree is None:
                self.odd += 1
                continue
            self._count += 1
            self._sink.write(write(source, tree).encode("utf-8", "replace"))
        self._sink.flush()

    def end(self) -> None:
        if self._kind == "json":
            self._sink.write(b"\n]\n" if self._count else b"[]\n")
        self._sink.flush()

    def _text(self, source: str, tree: Tree) -> str:
        return "\n".join([f"# {source}, answer {self._count}", *as_lines(tree), "", ""])

    def _json(self, source: str, tree: Tree) -> str:
        if self._asked.several:
            tree = {**tree, _BLOCK: Field("LO", "PACSLAKE"), _BLOCK & 0xFFFF0000 | 0x1001: Field("LO", source)}
        shown = json_text(tree)
        if self._kind == "jsonl":
            return shown + "\n"
        return ("[\n" if self._count == 1 else ",\n") + shown


class _Rows:
    """What was asked for as columns: for people, CSV or Parquet."""

    def __init__(self, kind: str, asked: Asked, sink: BinaryIO) -> None:
        self.odd = 0
        self._kind, self._asked, self._sink = kind, asked, sink
        self._attributes = attributes_of(asked.question)
        self._tables: list[pa.Table] = [self._table("", Identifiers.of([]))]

    def add(self, source: str, batch: Identifiers) -> None:
        self._tables.append(self._table(source, batch))

    def end(self) -> None:
        table = pa.concat_tables(self._tables)
        if self._kind == "parquet":
            pq.write_table(table, self._sink, compression="zstd")
        elif self._kind == "csv":
            self._sink.writelines(_csv(table))
        else:
            self._sink.writelines(f"{line}\n".encode() for line in _aligned(table))
        self._sink.flush()

    def _table(self, source: str, batch: Identifiers) -> pa.Table:
        decoded = decode_attributes(batch, self._attributes, self._asked.charsets.get(source, {}))
        faults = pc.list_value_length(decoded["faults"])
        self.odd += pc.sum(pc.greater(faults, 0)).as_py() or 0
        columns = {one.columns[0]: decoded[one.columns[0]] for one in self._attributes[1:]}
        return pa.table({SOURCE: pa.array([source] * len(batch), pa.string()), **columns})


def _csv(table: pa.Table) -> Iterator[bytes]:
    yield _csv_line(table.column_names)
    for row in _rows(table):
        yield _csv_line(["" if value is None else value if isinstance(value, str) else cell(value) for value in row])


def _csv_line(values: list[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue().encode()


def _aligned(table: pa.Table) -> Iterator[str]:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    rows = [tuple("" if value is None else value for value in row) for row in _rows(table)]
    for at in range(0, max(len(rows), 1), _TOGETHER):
        yield from render(table.column_names, rows[at : at + _TOGETHER], width)


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def datasets(batch: Identifiers) -> Iterator[bytes]:
    """Give each encoded dataset of a batch."""
    whole = memoryview(batch.data)
    return (bytes(whole[begin:end]) for begin, end in zip(batch.starts, batch.ends, strict=True))


class Files:
    """One DICOM file for each answer, in a folder."""

    def __init__(self, folder: Path, question: Question) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._sop_class = folder, FIND_CLASSES[question.model]
        self._counts: dict[str, int] = {}

    def add(self, source: str, batch: Identifiers) -> None:
        """Write a batch from one PACS."""
        for data in datasets(batch):
            number = self._counts[source] = self._counts.get(source, 0) + 1
            name = f"{source.replace('/', '_')}-{number:06}.dcm"
            content = file_of(data, self._sop_class, explicit_vr=batch.explicit_vr)
            opener = partial(os.open, mode=0o600)  # patients' data: nobody else reads it
            with open(self._folder / name, "wb", opener=opener) as file:
                file.write(content)


def opened(out: Path | None, until: ExitStack) -> BinaryIO:
    """Give where answers go: standard output, or a file that appears when all is written."""
    if out is None:
        return sys.stdout.buffer
    return until.enter_context(open(until.enter_context(whole_file(out, overwrite=True)), "wb"))
