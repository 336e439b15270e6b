"""Crawl one PACS: windows from the machine, queries by a few associations, answers kept. Touches: network, clock."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from crawler.errors import RefusedError
from crawler.lake.memory import Memory, Remembered
from crawler.model import UNDATED, Finding, Identifiers, Level, Model, Peer, SweepRecord, SweepState, Window
from crawler.pacs.identifier import Query
from crawler.pacs.profile import attributes
from crawler.plan.answers import Accept, Answer, Ask, Retry
from crawler.plan.settled import Settled
from crawler.plan.sweep import SweepMachine
from jobs.below import STOPPED, Descent
from jobs.caller import Caller, together
from jobs.doubting import DoubtsBelow
from jobs.gate import Gate
from jobs.learned import learned
from jobs.ledger import Ledger, Tally
from jobs.notes import Notes
from jobs.publish import Publisher, Source
from jobs.revisit import Revisit
from jobs.web import caller_of


@dataclass
class Crawl:
    """One PACS in one sweep. `run` returns when the machine is finished, or soon after `stop`."""

    peer: Peer
    model: Model
    levels: Sequence[Level]
    source: Source
    machine: SweepMachine
    publisher: Publisher
    begun: SweepRecord
    """The sweep's record when this crawl went on with it."""
    gate: Gate
    """Through which all that is asked goes."""
    memory: Memory | None = None
    """What the lake knew of the PACS before this crawl."""
    settled: dict[Level, Settled] = field(default_factory=dict)
    """Since when what lies below studies is known; empty to ask for all of it again."""
    tally: Tally = field(default_factory=Tally)
    days: int = field(init=False)
    """How many days were due when the crawl began."""
    over: bool = False
    """Whether `run` has returned."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _doubts: DoubtsBelow = field(default_factory=DoubtsBelow)
    _notes: Notes = field(default_factory=Notes)

    def __post_init__(self) -> None:
        self._stopping = self.gate.stopping
        self.days = self.machine.days_due
        self._descent = Descent(self.model, self.source, self.publisher, self.tally, self._stopping)
        self._revisit = Revisit(self.model, self.source, self.publisher, self.tally, self.memory, self.settled)

    async def run(self, associations: int) -> None:
        """Work off the windows over at most so many associations at once."""
        async with together() as workers:
            for number in range(associations):
                workers.create_task(self._work(self._caller(), spare=number > 0))
        await self._cover_notes(over=True)
        for window, ledgers in self._doubts.take(self.machine.cap):
            await self._write(window, ledgers)
        self.tally.trouble = self.machine.why_not(self.tally.trouble)
        self.over = True

    def stop(self) -> None:
        """Finish the queries under way, hand out no further window."""
        self._stopping.set()
        self._changed.set()

    @property
    def state(self) -> SweepState:
        """How far the sweep has come."""
        if self.machine.exhausted and not (self.tally.unproven or self.machine.abandoned):
            return SweepState.COMPLETE
        if self._stopping.is_set():
            return SweepState.INTERRUPTED
        return SweepState.PARTIAL if self.machine.finished else SweepState.RUNNING

    def record(self) -> SweepRecord:
        """Make the sweep's row for the lake: what was there when this crawl began, and what it has done since.

        It says `running` until `run` has returned: the last window may be settled while another is still asked below.
        """
        state, over_at = (self.state, datetime.now(UTC)) if self.over else (SweepState.RUNNING, None)
        return self.tally.added_to(replace(self.begun, state=state), over_at)

    def findings(self) -> list[Finding]:
        """Say what the crawl found out about the PACS that was not known before."""
        pacs, now = self.source.pacs, datetime.now(UTC)
        found = learned(self.source.profile, self.machine.found_out)
        of_studies = [Finding(pacs, self.model.dated_level, name, *said, now) for name, said in found.items()]
        return of_studies + self._descent.findings()

    def _caller(self) -> Caller:
        return caller_of(self.peer, self.model, self.gate, self.source.profile, self._descent.omitting)

    async def _work(self, caller: Caller, *, spare: bool) -> None:
        try:
            if spare and not await caller.reaches():
                return
            while (ask := await self._next()) is not None:
                await self._settle(caller, ask)
                self._changed.set()
            await self._cover_notes(caller)
        except RefusedError as refused:
            self.machine.abandon(str(refused))
        finally:
            self.tally.trouble = self.tally.trouble or caller.trouble
            self._changed.set()
            await caller.hang_up()

    async def _next(self) -> Ask | None:
        """Wait for a question that is due; None when the crawl is over."""
        while not (self._stopping.is_set() or self.machine.finished):
            ask = self.machine.next()
            if ask is not None:
                return ask
            if not self.machine.finished:
                self._changed.clear()
                await self._changed.wait()
        return None

    async def _settle(self, caller: Caller, ask: Ask) -> None:
        """Ask one question until the machine has a verdict; descend below an answer that stands, and cover it."""
        while True:
            ledger = Ledger(self.model.dated_level, query=ask.query)
            answer = await self._ask(caller, ask, ledger)
            verdict = self.machine.answered(ask, answer)
            self.tally.queries += ledger.queries
            if not isinstance(verdict, Retry):
                break
            if await self.gate.stopped_within(verdict.after):
                verdict = STOPPED
                break
        if not caller.reached and not self._stopping.is_set():
            self.machine.abandon(caller.trouble or "the PACS was never reached")
        self.gate.given_up = self.machine.abandoned is not None and self.gate.standing.is_open
        if isinstance(verdict, Accept):
            ledger.verdict = verdict
            with self._notes.writing(ask.window):
                await self._accept(caller, ask.window, ledger)
        await self._cover_notes(caller)

    async def _accept(self, caller: Caller, window: Window, ledger: Ledger) -> None:
        """Descend level by level as long as each is complete, and write the window's rows of the ledger."""
        self.tally.rows[ledger.level] += ledger.rows
        ledgers = [ledger]
        known = await self._revisit.known(window) if ledger.complete else {}
        if ledger.complete and (window.key is None or window == UNDATED):
            await self._revisit.miss_studies(caller, ledger, window, known)
        for level in self.levels[1:]:
            if ledgers[-1].complete:
                ledgers.append(await self._below(caller, level, ledgers[-1], known))
        self.tally.windows += 1
        self.tally.queries += sum(one.queries for one in ledgers[1:])
        if not self._doubts.holds(window, ledgers):
            await self._write(window, ledgers)

    async def _write(self, window: Window, ledgers: list[Ledger]) -> None:
        if not ledgers[-1].complete:
            self.tally.doubt(ledgers[-1].verdict.state)
        rows = [one.coverage(self.source, window, self.machine.cap) for one in ledgers]
        await self.publisher.cover(rows, self.record())

    async def _below(self, caller: Caller, level: Level, above: Ledger, known: dict[str, Remembered]) -> Ledger:
        """Ask for what lies below the rows of an answer, but for those that have not changed since that was done."""
        due = await self._revisit.due(level, above.keys, known)
        ledger = await self._descent.ask_below(caller, level, due, above)
        ledger.unchanged = above.unchanged + len(above.keys) - len(due)
        if ledger.complete:
            await self._revisit.miss_below(caller, ledger, due, known)
        return ledger

    async def _cover_notes(self, caller: Caller | None = None, *, over: bool = False) -> None:
        """Write what the machine found out later about windows, empty ones mostly."""
        for window, verdict in self._notes.due(self.machine.take_notes(over=over)):
            ledger = Ledger(self.model.dated_level, verdict)
            if caller is not None and not self._stopping.is_set():
                await self._revisit.miss_where_empty(caller, ledger, window)
            self.tally.windows += (is_empty := ledger.complete and window.key is None)
            await self._write(window, [ledger, *map(Ledger, self.levels[1:] if is_empty else ())])

    async def _ask(self, caller: Caller, ask: Ask, ledger: Ledger) -> Answer:
        async def keep(batch: Identifiers) -> None:
            kept = await self.publisher.keep(self.source, batch, ask, ledger.level)
            ledger.count(len(batch), kept)
            self.tally.count(kept)

        wanted = attributes(self.source.profile, ledger.level)
        ended = await caller.ask(Query.of_window(self.model, ask.query, wanted), ledger, keep)
        return Answer(ended, ledger.answers, ledger.sight)
