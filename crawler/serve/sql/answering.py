"""Answers questions one after the other, in a process that is confined already. Touches: disk, pipes, threads."""

from __future__ import annotations

import io
import json
import os
import queue
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import duckdb
import pyarrow as pa

from crawler.errors import LakeError, NoLakeError, PacslakeError, UserError
from crawler.lake.answer import stream
from crawler.serve.sql.frames import LONGEST, Frame, framed, read_frame, told
from crawler.serve.sql.statement import checked
from crawler.serve.sql.views import Tables

_ROWS_AT_ONCE = 2048
_BROKEN = (duckdb.FatalException, duckdb.InternalException, duckdb.IOException, MemoryError, pa.ArrowMemoryError)
"""After these another process had better answer the next question."""
_SENTENCES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (duckdb.InterruptException, "The question was stopped."),
    (
        (duckdb.OutOfMemoryException, MemoryError, pa.ArrowMemoryError),
        "The question takes more memory than it may; ask for fewer rows or columns, or group by less.",
    ),
    (
        duckdb.ConversionException,
        "A value cannot be converted to the type asked for; TRY_CAST gives null where that is so.",
    ),
    (duckdb.OutOfRangeException, "A number is out of its type's range; cast to a larger type first."),
    (
        duckdb.InvalidInputException,
        "A function does not take a value that it was given; TRY(…) gives null where that is so.",
    ),
    (duckdb.IOException, "A file of the lake cannot be read. `pacslake verify` says which."),
)
"""What an error while rows are read says. DuckDB's own words may hold values that a PACS sent."""
_OTHERWISE = "DuckDB could not answer the question."


@dataclass(frozen=True, slots=True)
class Place:
    """What the process reads, and where it may write."""

    lake: Path
    spill: Path
    memory: int


class Frames(io.RawIOBase):
    """A stream whose bytes leave as frames of data, and no more of them than wanted."""

    def __init__(self, channel: BinaryIO, most: int | None) -> None:
        self._channel = channel
        self._left = most

    def writable(self) -> bool:
        """Say that it is written to."""
        return True

    def write(self, content: Any) -> int:
        """Send a piece. UserError where the answer becomes larger than it may."""
        piece = bytes(content[:LONGEST])
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                raise UserError("The answer is too large to be shown; ask for fewer columns, or export it.")
        self._channel.write(framed(Frame.DATA, piece))
        self._channel.flush()
        return len(piece)


class Answering:
    """Takes questions from one end, gives answers to the other."""

    def __init__(self, place: Place, answers: BinaryIO) -> None:
        self._place = place
        self._answers = answers
        self._tables: dict[bool, Tables] = {}
        self._running: duckdb.DuckDBPyConnection | None = None
        self._stopped = False

    def listen(self, questions: BinaryIO, asked: queue.SimpleQueue[dict[str, Any]]) -> None:
        """Take what comes: a question waits for its turn, a stop is obeyed at once. When nobody is left, end."""
        while frame := read_frame(questions):
            kind, payload = frame
            if kind is Frame.ASK:
                self._stopped = False
                asked.put(json.loads(payload))
            elif kind is Frame.STOP:
                self._stopped = True
                self._interrupt()
        self.leave()  # the service is gone, and a query under way is nobody's

    def _interrupt(self) -> None:
        if running := self._running:
            with suppress(duckdb.Error):  # closed at this very moment
                running.interrupt()

    def leave(self) -> NoReturn:
        """End the process at once, with nothing left behind."""
        shutil.rmtree(self._place.spill, ignore_errors=True)
        os._exit(0)

    def answer(self, question: dict[str, Any]) -> bool:
        """Answer one question; False where the process should answer no other."""
        self._send(Frame.READY, {})
        try:
            self._send(Frame.END, self._answered(question))
        except PacslakeError as error:
            self._send(Frame.FAILED, {"kind": _kind(error), "message": str(error)})
            return isinstance(error, UserError)  # a lake made anew lies in a folder that this process cannot read
        except _BROKEN as error:
            kind = "lake" if isinstance(error, duckdb.IOException) else "user"
            self._send(Frame.FAILED, {"kind": kind, "message": _sentence(error)})
            return False
        except (duckdb.Error, pa.ArrowException, UnicodeError) as error:
            self._send(Frame.FAILED, {"kind": "user", "message": _sentence(error)})
        return True

    def _answered(self, question: dict[str, Any]) -> dict[str, Any]:
        tables = self._tables_for(question["phi"])
        version = tables.refresh()
        with self._connected(tables) as connection:
            with _about_the_statement():
                statement = checked(connection, question["sql"], tables.known)
                relation = connection.sql(statement, params=question["parameters"] or None)
            if self._stopped:
                raise UserError(str(_SENTENCES[0][1]))
            with io.BufferedWriter(Frames(self._answers, question["bytes"]), LONGEST) as sink:
                if question["format"]:
                    stream(connection, relation, question["format"], sink)
                    return {"version": version}
                return {"version": version, "truncated": _send_rows(relation, question["rows"], sink)}

    def _tables_for(self, phi: bool) -> Tables:
        if phi not in self._tables:
            self._tables[phi] = Tables(self._place.lake, phi, self._place.memory, self._place.spill)
        return self._tables[phi]

    @contextmanager
    def _connected(self, tables: Tables) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection that a stop interrupts."""
        with tables.connect() as connection:
            self._running = connection
            try:
                yield connection
            finally:
                self._running = None

    def _send(self, frame: Frame, content: dict[str, Any]) -> None:
        self._answers.write(told(frame, content))
        self._answers.flush()


def serve(place: Place, questions: BinaryIO, answers: BinaryIO) -> NoReturn:
    """Answer until the other end goes away, or until something broke."""
    asked: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    answering = Answering(place, answers)
    threading.Thread(target=answering.listen, args=(questions, asked), daemon=True).start()
    while answering.answer(asked.get()):
        pass
    answering.leave()


@contextmanager
def _about_the_statement() -> Iterator[None]:
    """Let DuckDB's words reach who asks: before any row is read they are about the statement alone."""
    try:
        yield
    except (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError) as error:
        raise UserError(str(error).rstrip()) from error


def _send_rows(relation: duckdb.DuckDBPyRelation, most: int, sink: BinaryIO) -> bool:
    """Send at most so many rows as an Arrow stream; says whether there were more."""
    with closing(relation.to_arrow_reader(_ROWS_AT_ONCE)) as reader, pa.ipc.new_stream(sink, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch.slice(0, most))
            most -= batch.num_rows
            if most < 0:
                return True
    return False


def _kind(error: PacslakeError) -> str:
    if isinstance(error, NoLakeError):
        return "no lake"
    return "lake" if isinstance(error, LakeError) else "user"


def _sentence(error: BaseException) -> str:
    return next((sentence for kinds, sentence in _SENTENCES if isinstance(error, kinds)), _OTHERWISE)
