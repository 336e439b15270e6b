"""Answers to SQL as bytes, streamed by DuckDB's own writers, and DuckDB's errors as ours. Touches: disk, pipes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import duckdb

from crawler.errors import LakeError, UserError
from crawler.lake.schema import literal

FORMATS = {
    "csv": "FORMAT csv, HEADER",
    "json": "FORMAT json, ARRAY true",
    "jsonl": "FORMAT json",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
}
"""The options of DuckDB's COPY, by the name that a person types."""

_CHUNK = 1 << 20


@contextmanager
def plain_errors() -> Iterator[None]:
    """Raise what DuckDB raises as UserError when the statement is wrong, else as LakeError."""
    try:
        yield
    except (duckdb.ParserException, duckdb.SyntaxException, duckdb.BinderException, duckdb.CatalogException) as error:
        raise UserError(str(error).rstrip()) from error
    except duckdb.Error as error:
        # The text after the first line, and what stands in quotes, may be a value that a PACS sent.
        raise LakeError(_without_quoted(str(error).partition("\n")[0])) from error


def save(relation: duckdb.DuckDBPyRelation, kind: str, path: Path) -> None:
    """Write the whole answer into a file, which appears only when it is complete."""
    _copy(relation, kind, str(path))


def stream(relation: duckdb.DuckDBPyRelation, kind: str, sink: BinaryIO) -> None:
    """Write the whole answer into an open stream; memory stays bounded by DuckDB's buffers.

    DuckDB writes into a pipe of ours in its own thread, because it would open `/dev/stdout` anew and cut a file off.
    """
    reading, writing = os.pipe()
    failures: list[duckdb.Error] = []

    def produce() -> None:
        try:
            _copy(relation, kind, f"/dev/fd/{writing}")
        except duckdb.Error as error:
            failures.append(error)
        finally:
            os.close(writing)

    producer = threading.Thread(target=produce, name="answer")
    producer.start()
    try:
        while chunk := os.read(reading, _CHUNK):
            sink.write(chunk)
        sink.flush()
    finally:
        os.close(reading)  # a producer that is still writing gets EPIPE and ends
        producer.join()
    if failures:
        raise failures[0]


def _copy(relation: duckdb.DuckDBPyRelation, kind: str, target: str) -> None:
    relation.query("pacslake_answer", f"COPY pacslake_answer TO {literal(target)} ({FORMATS[kind]})")


def _without_quoted(text: str) -> str:
    parts = text.split("'")
    return "'".join("…" if place % 2 else part for place, part in enumerate(parts))
