"""Crawl one PACS: windows from the machine, queries over a few associations, answers to the publisher.

Touches: network, clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from crawler.errors import RefusedError
from crawler.model import Identifiers, Level, Model, Outcome, Peer, SweepRecord, SweepState, Window
from crawler.pacs.identifier import Query
from crawler.pacs.profile import attributes
from crawler.plan.sweep import Answer, Retry, Split, SweepMachine
from jobs.below import STOPPED, Descent
from jobs.caller import Caller
from jobs.ledger import Ledger, Tally
from jobs.publish import Publisher, Source


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
    tally: Tally = field(default_factory=Tally)
    days: int = field(init=False)
    """How many days were due when the crawl began."""
    over: bool = False
    """Whether `run` has returned."""
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.days = self.machine.days_due
        self._descent = Descent(self.model, self.source, self.publisher, self.tally, self._stopping)

    async def run(self, associations: int) -> None:
        """Work off the windows over at most so many associations at once."""
        async with asyncio.TaskGroup() as workers:
            for number in range(associations):
                caller = Caller(self.peer, self.model, once=self.source.profile.one_query_per_association)
                workers.create_task(self._work(caller, spare=number > 0))
        self.tally.trouble = self.machine.abandoned or self.tally.trouble
        self.over = True

    def stop(self) -> None:
        """Finish the queries under way, hand out no further window."""
        self._stopping.set()
        self._changed.set()

    @property
    def bounded(self) -> bool:
        """Whether the first day to ask for is known, so that days tell how far the crawl is."""
        return self.machine.date_from is not None

    @property
    def state(self) -> SweepState:
        """How far the sweep has come."""
        if self.machine.exhausted and not self.tally.unproven:
            return SweepState.COMPLETE
        if self._stopping.is_set():
            return SweepState.INTERRUPTED
        return SweepState.PARTIAL if self.machine.finished else SweepState.RUNNING

    def record(self) -> SweepRecord:
        """Make the sweep's row for the lake: what was there when this crawl began, and what it has done since.

        It says `running` until `run` has returned: the last window may be settled while another is still asked below.
        """
        state = self.state if self.over else SweepState.RUNNING
        return self.tally.added_to(replace(self.begun, state=state), datetime.now(UTC) if self.over else None)

    async def _work(self, caller: Caller, *, spare: bool) -> None:
        try:
            if spare and not await caller.reaches():
                return
            while (window := await self._next()) is not None:
                await self._settle(caller, window)
                self._changed.set()
        except RefusedError as refused:
            self.machine.abandon(str(refused))
        finally:
            self.tally.trouble = self.tally.trouble or caller.trouble
            self._changed.set()
            await caller.hang_up()

    async def _next(self) -> Window | None:
        """Wait for a window that is due; None when the crawl is over."""
        while not (self._stopping.is_set() or self.machine.finished):
            window = self.machine.next()
            if window is not None:
                return window
            self._changed.clear()
            await self._changed.wait()
        return None

    async def _settle(self, caller: Caller, window: Window) -> None:
        """Ask for one window until the machine accepts what came, descend below it, and cover it."""
        while True:
            ledger = Ledger(Level.STUDY)
            ended = await self._ask_window(caller, window, ledger)
            verdict = self.machine.answered(window, Answer(ended, ledger.answers, ledger.outside))
            if not isinstance(verdict, Retry):
                break
            if await self._stopped_within(verdict.after):
                verdict = STOPPED
                break
        if isinstance(verdict, Split):
            return
        if not caller.reached:
            self.machine.abandon(caller.trouble or "the PACS was never reached")
        ledger.verdict = verdict
        ledgers = [ledger]
        for level in self.levels[1:]:
            if ledgers[-1].complete:
                ledgers.append(await self._descent.ask(caller, level, ledgers[-1].keys))
        self.tally.settle(ledgers)
        await self.publisher.cover([one.coverage(self.source, window) for one in ledgers], self.record())

    async def _ask_window(self, caller: Caller, window: Window, ledger: Ledger) -> Outcome:
        async def keep(batch: Identifiers) -> None:
            kept = await self.publisher.keep(self.source, batch, window)
            ledger.count(len(batch), kept)
            self.tally.count(Level.STUDY, kept)

        return await caller.ask(
            Query.of_window(self.model, window, attributes(self.source.profile, Level.STUDY)), ledger, keep
        )

    async def _stopped_within(self, seconds: float) -> bool:
        """Wait so long, or until a stop is asked for; say which."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()
