"""`pacslake find`: ask one or several PACS one question, and say honestly how it ended.

Touches: network, disk, clock, standard output and error.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from crawler.asking.question import Question
from crawler.errors import LakeError, NotNowError, PeerError
from crawler.lake.resume import findings_of
from crawler.model import HIERARCHY, Identifiers, Level, Model, Outcome
from crawler.pacs.association import FIND_CLASSES, Association, connect
from crawler.pacs.find import FindStream
from crawler.pacs.profile import Profile, profile_from
from crawler.pacs.responses import MAX_ROWS
from crawler.pacs.status import describe, outcome_of
from jobs.exits import Exit
from jobs.found import Asked, Files, Writer, opened, writer
from jobs.peers import Called, Peers

_AT_ONCE = ("text", "json", "jsonl")
"""Formats that show answers as they come."""
_NEGOTIABLE = ("relational queries", "combined date and time", "fuzzy matching of names")
"""What the bytes of the extended negotiation stand for, in their order (PS3.4 C.5.1.1)."""


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


@dataclass(slots=True)
class Ending:
    """How it ended with one PACS."""

    called: Called
    rows: int = 0
    status: int | None = None
    limited: bool = False
    trouble: str | None = None
    seconds: float = 0.0
    capped: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether this is all that there is, or as much as was wanted."""
        ended_well = self.limited or outcome_of(self.status) is Outcome.SUCCESS
        return self.trouble is None and ended_well and not self.capped

    def __str__(self) -> str:
        if self.trouble and not self.rows:
            return f"{self.called.peer.name}: {self.trouble}"
        counted = f"{self.rows:,} answer{'' if self.rows == 1 else 's'}"
        how = self.trouble or ("stopped there, as --limit says" if self.limited else describe(self.status))
        return f"{self.called.peer.name}: {counted} in {self.seconds:.2f} s, {how}"


def run_find(peers: Peers, wanted: Wanted) -> int:
    """Ask, write the answers, say how it ended; give the exit code."""
    charsets = {one.peer.name: one.pacs.charsets for one in peers.called}
    asked = Asked(wanted.question, charsets)
    with ExitStack() as until:
        rows = writer(wanted.kind, asked, opened(wanted.out, until))
        files = Files(wanted.files, wanted.question) if wanted.files else None
        endings = asyncio.run(_ask_all(peers, wanted, rows, files))
        rows.end()
    for ending in endings:
        _doubt(peers, ending, wanted.question)
        for line in (str(ending), *(f"  {note}" for note in ending.notes)):
            click.echo(line, err=True)
    if rows.odd:
        click.echo(
            f"{rows.odd:,} answers hold something malformed, which is left out; --files keeps all bytes", err=True
        )
    if all(ending.is_whole for ending in endings):
        return Exit.PARTIAL if rows.odd else Exit.OK
    return Exit.PARTIAL if any(ending.rows or ending.is_whole for ending in endings) else Exit.ERROR


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
            ending.notes += _turned_down(association, wanted)
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


def _turned_down(association: Association, wanted: Wanted) -> list[str]:
    """Say what was asked for in the negotiation and not granted."""
    granted = association.agreement.extended.get(FIND_CLASSES[wanted.question.model], b"").ljust(3, b"\0")
    pairs = zip(_NEGOTIABLE, wanted.negotiated, granted, strict=False)
    return [
        f"it did not grant {what}; the question was asked all the same" for what, asked, yes in pairs if asked > yes
    ]


def _doubt(peers: Peers, ending: Ending, question: Question) -> None:
    """Note why there may be more than came: what is known of the PACS, and what the question lacks."""
    if not ending.rows and (missing := _missing(question)):
        ending.notes.append(
            f"a query at {question.level} level takes {' and '.join(missing)}, of one each; or --relational, "
            "where it is granted"
        )
    name = ending.called.peer.name
    if not ending.rows or peers.settings is None or not ending.called.peer.is_configured:
        return
    profile = Profile()
    with suppress(LakeError):
        profile = profile_from(findings_of(peers.settings.lake.path, name), ending.called.pacs.overrides)
    if question.level is Level.STUDY and profile.cap and ending.rows == profile.cap:
        ending.capped = True
        ending.notes.append(f"{profile.cap:,} is its cap: there may be more, so ask for less at a time")
    ending.notes += [f"it ignores {key} as a matching key" for key in sorted(profile.unsupported) if question.has(key)]


def _missing(question: Question) -> list[str]:
    """Name the unique keys of the levels above that a hierarchical question must have, and does not."""
    if question.level is Level.WORKLIST:
        return []
    first = 1 if question.model is Model.STUDY_ROOT else 0
    above = HIERARCHY[first : HIERARCHY.index(question.level)]
    return [level.unique_key for level in above if not question.has(level.unique_key)]
