"""Answers to SQL as bytes, streamed by DuckDB's own writers, with its errors as ours.

Touches: disk, pipes, threads.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import duckdb

from crawler.apart import apart, let_end
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
_PATIENCE = 2.0
"""Seconds for what was interrupted to end. A disk that does not answer takes longer, and of fifty COPYs one never ends:
in DuckDB 2.0 it may wait for its own threads for ever."""

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
        raise LakeError(_without_values(str(error))) from error


def _without_values(said: str) -> str:
    """Leave out what may be a value of a PACS, from the first quote or line's end on; keep the system's reason."""
    reason = next((f": {words}" for words in map(os.strerror, errno.errorcode) if f": {words}" in said), "")
    return re.sub(r"[\"'\n].*", f"…{reason}", said, flags=re.DOTALL)


def interruptibly(connection: duckdb.DuckDBPyConnection, work: Callable[[], T]) -> T:
    """Do the work in a thread, so that Ctrl-C ends it at once: DuckDB does not look for signals while it runs."""
    with _beside(connection, work) as running:
        return running.result()


@contextmanager
def _beside(connection: duckdb.DuckDBPyConnection, work: Callable[[], T]) -> Iterator[Future[T]]:
    """Have the work done meanwhile, and DuckDB break it off where this is left by an exception."""
    running = apart(work, "answer")
    try:
        yield running
    except BaseException:
        connection.interrupt()
        let_end(running, _PATIENCE)
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

    with _beside(connection, produce) as producer:
        try:
            while chunk := os.read(reading, _CHUNK):
                sink.write(chunk)
            sink.flush()
        finally:
            os.close(reading)  # a producer that is writing gets EPIPE and ends
        producer.result()


def _copy(relation: duckdb.DuckDBPyRelation, kind: str, target: str) -> int:
    statement = f"COPY pacslake_answer TO {literal(target)} ({FORMATS[kind]})"
    copied: Any = relation.query("pacslake_answer", statement)
    return int(copied.fetchall()[0][0])
