"""Asks SQL from the service's event loop: a few processes answer, each one question at a time.

Touches: processes, pipes, disk, clock.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from crawler.errors import LakeError, NoLakeError, PacslakeError, UserError
from crawler.serve.sql.frames import LONGEST, Frame, FrameReader, framed, told
from crawler.serve.sql.spill import Spill

FORMATS = ("csv", "json", "jsonl", "parquet")
"""In which an answer can be exported."""

Parameters = Sequence[Any] | Mapping[str, Any]
"""Values for `?` in their order, or for `$name` by their names: text, numbers, true, false, None."""

_GRACE = 2.0
"""Seconds that a process has to end a question that is not wanted any more."""
_START, _TAKE = 60.0, 10.0
"""Seconds that a process has to begin, on a machine that does much else, and to take a question."""
_MODEST = {"MALLOC_ARENA_MAX": "2", "TOKIO_WORKER_THREADS": "2", "OMP_NUM_THREADS": "2", "ARROW_IO_THREADS": "2"}
"""How many threads libraries start, each with its own share of address space, on machines of many cores."""
_LAST = (Frame.END, Frame.FAILED)
_ERRORS: dict[str, type[PacslakeError]] = {"user": UserError, "lake": LakeError, "no lake": NoLakeError}


class BusyError(PacslakeError):
    """As many questions wait as may: ask again in a moment."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What questions may take. `memory` and `bytes` are for each one."""

    memory: int = 10**9
    seconds: float = 60.0
    rows: int = 100_000
    bytes: int = 64 << 20
    """Of an answer that is not exported."""
    at_once: int = 2
    waiting: int = 8
    questions: int = 1000
    """That a process answers before another takes its place: what a library leaks is gone with it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question."""

    table: pa.Table
    """Two columns may have one name, and dates lie beyond those that Python has."""
    truncated: bool
    """There are more rows than were wanted."""
    seconds: float
    version: int
    """Of the lake's log."""


class Sandbox:
    """Answers SQL over a lake. Use it as an asynchronous context manager, in one event loop."""

    def __init__(self, lake: Path, limits: Limits | None = None) -> None:
        self._lake = lake.absolute()
        self.limits = limits or Limits()
        self._turns = asyncio.Semaphore(self.limits.at_once)
        self._waiting = 0
        self._idle: list[_Process] = []
        self._alive: set[_Process] = set()
        self._returning: set[asyncio.Task[None]] = set()
        self._closed = False

    async def __aenter__(self) -> Sandbox:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End all processes; a question under way ends with them, and none is taken any more."""
        self._closed = True
        await asyncio.gather(*(process.end() for process in self._alive))
        await asyncio.gather(*self._returning)

    async def ask(
        self,
        sql: str,
        *,
        phi: bool,
        parameters: Parameters = (),
        max_rows: int | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """Answer one SELECT with at most `max_rows` rows; without `phi`, tables lack what identifies anybody.

        UserError where it is refused, wrong, too large or takes too long; BusyError; LakeError. Cancel to stop it.
        """
        began, most = time.monotonic(), min(max_rows or self.limits.rows, self.limits.rows)
        question = _question(sql, phi, parameters) | {"rows": most, "bytes": self.limits.bytes}
        pieces: list[bytes] = []
        async with self._asked(question) as process, _within(seconds or self.limits.seconds):
            size = 0
            async for piece in process.data():
                pieces.append(piece)
                size += len(piece)
                if size > self.limits.bytes:  # the process itself refuses that; one that does not is not ours
                    raise LakeError("The process that answers sent more than it may.")
            said = process.said
        table = await asyncio.to_thread(_read_table, b"".join(pieces))
        return Answer(table, bool(said.get("truncated")), time.monotonic() - began, int(said.get("version", -1)))

    async def export(
        self, sql: str, kind: str, *, phi: bool, parameters: Parameters = (), seconds: float | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Give the whole answer as pieces of a file, of a kind of FORMATS.

        Errors come as of `ask`, mostly before the first piece: take that before you promise a file to anybody. Time
        that the reader takes counts too. Close the generator to stop it.
        """
        if kind not in FORMATS:
            raise UserError(f"There is no format {kind!r}; there are {', '.join(FORMATS)}.")
        question = _question(sql, phi, parameters) | {"format": kind}
        async with self._asked(question) as process:
            until = time.monotonic() + (seconds or 10 * self.limits.seconds)
            pieces = process.data()
            while True:
                async with _within(max(until - time.monotonic(), 0.0)):
                    piece = await anext(pieces, None)
                if piece is None:
                    return
                yield piece

    @asynccontextmanager
    async def _asked(self, question: dict[str, Any]) -> AsyncIterator[_Process]:
        """Give a process that has taken the question. Afterwards it is made ready for the next, or ended."""
        await self._turn()
        process = None
        try:
            for _ in range(self.limits.at_once + 1):  # one that was idle may have died since
                process = self._idle.pop() if self._idle else self._new()
                if await process.ask(question):
                    break
                await self._end(process)
            else:
                raise LakeError("The process that answers questions does not begin.")
            yield process
        finally:
            if process is not None and process.is_idle:
                self._idle.append(process)
                self._turns.release()
            else:  # whoever asked need not wait for it
                back = asyncio.create_task(self._take_back(process))
                self._returning.add(back)
                back.add_done_callback(self._returning.discard)

    def _new(self) -> _Process:
        if self._closed:
            raise LakeError("The service is stopping; ask again when it runs.")
        process = _Process(self._lake, self.limits)
        self._alive.add(process)
        return process

    async def _end(self, process: _Process) -> None:
        await process.end()
        self._alive.discard(process)

    async def _turn(self) -> None:
        if self._turns.locked() and self._waiting >= self.limits.waiting:
            raise BusyError("Too many questions are being answered; ask again in a moment.")
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1

    async def _take_back(self, process: _Process | None) -> None:
        try:
            if process is None:
                return
            if await process.stop() and not self._closed:
                self._idle.append(process)
            else:
                await self._end(process)
        finally:
            self._turns.release()


class _Process:
    """One process, which begins with its first question, and its folder for what does not fit into memory."""

    def __init__(self, lake: Path, limits: Limits) -> None:
        self._spill = Spill()
        self._begin = told(Frame.BEGIN, {"lake": str(lake), "spill": str(self._spill.path), "memory": limits.memory})
        self._questions = limits.questions
        self._process: asyncio.subprocess.Process | None = None
        self._answers: FrameReader | None = None
        self._busy = False
        self.said: dict[str, Any] = {}
        """What it said last: at the end of an answer, say."""

    async def ask(self, question: dict[str, Any]) -> bool:
        """Ask; False where the process is gone, or does not begin."""
        self._busy = True
        self._questions -= 1
        if self._process is None:
            self._process = await self._start()
            self._answers = FrameReader(self._process.stdout) if self._process.stdout else None
            if not await self._exchange(self._begin, _START):
                return False
        return await self._exchange(told(Frame.ASK, question), _TAKE)

    async def _start(self) -> asyncio.subprocess.Process:
        """Start it, with nothing of our environment but where Python looks for modules."""
        paths = os.pathsep.join(filter(None, sys.path))
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "crawler.serve.sql.process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LONGEST,
            cwd=self._spill.path,
            env={"PYTHONPATH": paths, "LANG": "C.UTF-8", **_MODEST},
        )

    async def data(self) -> AsyncIterator[bytes]:
        """Give the pieces of the answer. Raises what the process says went wrong, or that it ended."""
        while True:
            try:
                kind, payload = await self._frame()
            except (EOFError, ConnectionError):
                raise UserError(
                    "The question ended the process that answered it; mostly that is for want of memory. Ask for less."
                ) from None
            if kind is Frame.DATA:
                yield payload
                continue
            self._busy = False
            if kind is Frame.FAILED:
                raise _ERRORS.get(self.said.get("kind", ""), LakeError)(str(self.said.get("message")))
            return

    @property
    def is_idle(self) -> bool:
        """Whether it lives, has nothing to answer, and may be asked again."""
        lives = self._process is not None and self._process.returncode is None
        return lives and not self._busy and self._questions > 0

    async def stop(self) -> bool:
        """Stop what is under way; False where it is gone, or has to be killed because it does not stop in a moment."""
        if not self._busy:
            return self.is_idle
        try:
            async with asyncio.timeout(_GRACE):
                await self._send(framed(Frame.STOP))
                while (await self._frame())[0] not in _LAST:
                    pass
                self._busy = False
        except TimeoutError:
            self._kill()
        except (EOFError, ConnectionError):
            return False
        return self.is_idle

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            if self._process:
                self._process.kill()

    async def end(self) -> None:
        """End it and remove its folder: it ends when nobody is left to ask, or is killed."""
        if self._process and self._process.stdin:
            self._process.stdin.close()
            try:
                async with asyncio.timeout(_GRACE):
                    await self._process.wait()
            except TimeoutError:
                self._kill()
                await self._process.wait()
        await asyncio.to_thread(self._spill.remove)

    async def _exchange(self, sent: bytes, seconds: float) -> bool:
        """Send a frame that it answers by being ready; False where it is gone."""
        with suppress(TimeoutError, EOFError, ConnectionError):
            async with asyncio.timeout(seconds):
                await self._send(sent)
                return (await self._frame())[0] is Frame.READY
        return False

    async def _send(self, sent: bytes) -> None:
        if self._process is None or self._process.stdin is None:
            raise ConnectionError("not begun")
        self._process.stdin.write(sent)
        await self._process.stdin.drain()

    async def _frame(self) -> tuple[Frame, bytes]:
        """Read the next frame, and note what it says. EOFError or ConnectionError where there is none."""
        if self._answers is None:
            raise ConnectionError("not begun")
        kind, payload = await self._answers.read()
        if kind is not Frame.DATA:
            try:
                self.said = dict(json.loads(payload))
            except (ValueError, TypeError):
                raise ConnectionError("no frame of ours") from None
        return kind, payload


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise UserError("The question took longer than it may; ask for less, or for fewer days.") from None


def _question(sql: str, phi: bool, parameters: Parameters) -> dict[str, Any]:
    values = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
    return {"sql": sql, "phi": phi, "parameters": values, "format": None, "rows": None, "bytes": None}


def _read_table(content: bytes) -> pa.Table:
    """Read an Arrow stream of a process that may have been misused: every offset in it is checked."""
    try:
        with pa.ipc.open_stream(content) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except pa.ArrowException as error:
        raise LakeError("The process that answers sent what is no table.") from error
    return table
