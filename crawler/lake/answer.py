"""Answers to SQL as bytes, streamed by DuckDB's own writers, with its errors as ours.

Touches: disk, pipes, threads.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import duckdb

from crawler.errors import OUT_OF_MEMORY, LakeError, UserError
from crawler.lake.schema import literal

FORMATS = {
    "csv": "FORMAT csv, HEADER",
    "json": "FORMAT json, ARRAY true",
    "jsonl": "FORMAT json",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
}
"""The options of DuckDB's COPY, by the name that a person types."""

_CHUNK = 1 << 20

T = TypeVar("T")


@contextmanager
def plain_errors() -> Iterator[None]:
    """Raise what DuckDB raises as UserError when the statement is wrong, else as LakeError."""
    try:
        yield
    except (duckdb.ParserException, duckdb.SyntaxException, duckdb.BinderException, duckdb.CatalogException) as error:
        raise UserError(str(error).rstrip()) from error
    except duckdb.OutOfMemoryException as error:
        raise LakeError(OUT_OF_MEMORY) from error
    except duckdb.Error as error:
        # The text after the first line, and from the first quote on, may be a value that a PACS sent, quotes and all.
        raise LakeError(re.sub(r"[\"'\n].*", "…", str(error), flags=re.DOTALL)) from error


def interruptibly(connection: duckdb.DuckDBPyConnection, work: Callable[[], T]) -> T:
    """Do the work in a thread, so that Ctrl-C ends it at once: DuckDB does not look for signals while it runs."""
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(work)
        try:
            return running.result()
        except KeyboardInterrupt:
            connection.interrupt()
            raise


def save(relation: duckdb.DuckDBPyRelation, kind: str, path: Path) -> int:
    """Write the whole answer into a file, which appears only when it is complete; gives the number of rows."""
    return _copy(relation, kind, str(path))


def stream(connection: duckdb.DuckDBPyConnection, relation: duckdb.DuckDBPyRelation, kind: str, sink: BinaryIO) -> None:
    """Write the whole answer into an open stream; memory stays bounded by DuckDB's buffers.

    DuckDB writes into a pipe of ours from another thread, because it would open `/dev/stdout` anew and cut a file off.
    """
    reading, writing = os.pipe()

    def produce() -> None:
        try:
            _copy(relation, kind, f"/dev/fd/{writing}")
        finally:
            os.close(writing)

    with ThreadPoolExecutor(1) as thread:
        producer = thread.submit(produce)
        try:
            while chunk := os.read(reading, _CHUNK):
                sink.write(chunk)
            sink.flush()
        except BaseException:
            connection.interrupt()
            raise
        finally:
            os.close(reading)  # a producer that is writing gets EPIPE and ends
        producer.result()


def _copy(relation: duckdb.DuckDBPyRelation, kind: str, target: str) -> int:
    statement = f"COPY pacslake_answer TO {literal(target)} ({FORMATS[kind]})"
    copied: Any = relation.query("pacslake_answer", statement)
    return int(copied.fetchall()[0][0])
