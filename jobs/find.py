"""`pacslake find`: ask one or several PACS one question, and say honestly how it ended.

Touches: network, disk, clock, standard output and error.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import click

from crawler.asking.question import Question
from crawler.errors import NotNowError, PeerError
from crawler.model import Identifiers, Model
from crawler.pacs.association import connect
from crawler.pacs.find import FindStream
from crawler.pacs.responses import MAX_ROWS
from crawler.pacs.sop_classes import FIND_CLASSES
from jobs.endings import Ending, doubt, turned_down
from jobs.exits import Exit
from jobs.found import Asked, Files, Writer, opened, writer
from jobs.peers import Called, Peers

_AT_ONCE = ("text", "json", "jsonl")
"""Formats that show answers as they come."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The question, what is negotiated, and where answers go."""

    question: Question
    negotiated: tuple[bool, bool, bool] = (False, False, False)
    """Relational, combined date and time, fuzzy."""
    limit: int | None = None
    kind: str = "table"
    out: Path | None = None
    files: Path | None = None

    @property
    def extended(self) -> Mapping[str, bytes]:
        """What the extended negotiation says; the first two bytes are always 1 for a worklist (PS3.4 K.5.1)."""
        relational, combined, fuzzy = self.negotiated
        if self.question.model is Model.WORKLIST:
            sent = bytes((1, 1, 1)) if fuzzy else b""
        else:
            sent = bytes((relational, combined, fuzzy)) if combined or fuzzy else bytes((1,) * relational)
        return {FIND_CLASSES[self.question.model]: sent} if sent else {}


def run_find(peers: Peers, wanted: Wanted) -> int:
    """Ask, write the answers, say how it ended; give the exit code. PeerError where nothing came of it."""
    charsets = {one.peer.name: one.pacs.charsets for one in peers.called}
    try:
        with ExitStack() as until:
            rows = writer(wanted.kind, Asked(wanted.question, charsets), opened(wanted.out, until))
            files = Files(wanted.files, wanted.question) if wanted.files else None
            endings = asyncio.run(_ask_all(peers, wanted, rows, files))
            if not any(ending.rows or ending.is_whole for ending in endings):
                _say(peers, wanted.question, endings)
                raise PeerError("no PACS answered the question")
            rows.end()
    except BrokenPipeError:  # whoever reads along, `head` say, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    _say(peers, wanted.question, endings)
    if rows.odd:
        click.echo(f"{rows.odd:,} answers hold something malformed, left out here; --files keeps all bytes", err=True)
    return Exit.OK if all(ending.is_whole for ending in endings) and not rows.odd else Exit.PARTIAL


def _say(peers: Peers, question: Question, endings: list[Ending]) -> None:
    for ending in endings:
        doubt(peers.settings, ending, question)
        for line in (str(ending), *(f"  {note}" for note in ending.notes)):
            click.echo(line, err=True)


async def _ask_all(peers: Peers, wanted: Wanted, rows: Writer, files: Files | None) -> list[Ending]:
    """Ask all PACS at the same time."""
    async with peers.permitted():
        return list(await asyncio.gather(*(_ask(called, wanted, rows, files) for called in peers.called)))


async def _ask(called: Called, wanted: Wanted, rows: Writer, files: Files | None) -> Ending:
    ending, began = Ending(called), time.monotonic()

    def keep(batch: Identifiers) -> None:
        ending.rows += len(batch)
        rows.add(called.peer.name, batch)
        if files is not None:
            files.add(called.peer.name, batch)

    model = wanted.question.model
    try:
        async with called.gate.asking(), connect(called.peer, [model], extended=wanted.extended) as association:
            ending.notes += turned_down(association, wanted.question.model, wanted.negotiated)
            at_once = wanted.kind in _AT_ONCE or wanted.limit is not None
            answer = association.find(wanted.question, batch_rows=1 if at_once else MAX_ROWS)
            await _receive(answer, wanted.limit, keep, ending)
    except (PeerError, NotNowError) as error:
        ending.trouble = str(error)
    ending.seconds = time.monotonic() - began
    return ending


async def _receive(answer: FindStream, limit: int | None, keep: Callable[[Identifiers], None], ending: Ending) -> None:
    """Take what comes; what is more than the limit is cancelled."""
    async for batch in answer:
        room = len(batch) if limit is None else limit - ending.rows
        keep(_first(batch, room))
        if limit is not None and ending.rows >= limit:
            if not answer.is_over:
                await answer.cancel()
            break
    ending.status = answer.status
    ending.limited = limit is not None and (answer.rows > limit or (answer.status != 0 and ending.rows == limit))
    if answer.optional_keys_unsupported:
        ending.notes.append("it leaves some of the keys out of account, as it says (0xFF01)")


def _first(batch: Identifiers, count: int) -> Identifiers:
    if count >= len(batch):
        return batch
    return replace(batch, starts=batch.starts[:count], ends=batch.ends[:count])
