"""Crawl a PACS under Patient Root: list its patients, then ask for each one's studies and what lies below.

The unique keys of all levels above must be in a query there (PS3.4 C.4.1.2.1), so that PatientID has to be known first.
Patients are asked for without days, their studies within the days asked for. Touches: network.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from crawler.errors import RefusedError
from crawler.model import (
    UNDATED,
    Finding,
    Identifiers,
    Level,
    Outcome,
    SweepState,
    Window,
    WindowState,
)
from crawler.pacs.identifier import Query, window_keys
from crawler.pacs.profile import attributes
from crawler.pacs.status import describe
from crawler.plan.answers import Accept, Ask
from jobs.below import CHILD_TRIES, STOPPED, Descent
from jobs.caller import Caller, together
from jobs.crawl import Crawl
from jobs.doubting import verdict_below
from jobs.ledger import Ledger
from jobs.listing import Listing, broken_off


@dataclass
class PatientCrawl(Crawl):
    """One PACS in one sweep, patient by patient. When it was cut off, the next one begins with the patients again."""

    _due: list[str] = field(default_factory=list)
    _totals: dict[Level, Ledger] = field(default_factory=dict)
    _undated: Ledger = field(default_factory=lambda: Ledger(Level.STUDY))

    @property
    def state(self) -> SweepState:
        """How far the sweep has come."""
        if not self.over:
            return SweepState.RUNNING
        if self._stopping.is_set() and self.tally.unproven:
            return SweepState.INTERRUPTED
        return SweepState.PARTIAL if self.tally.unproven else SweepState.COMPLETE

    def findings(self) -> list[Finding]:
        """Say what was found out about the PACS: nothing."""
        return []

    async def run(self, associations: int) -> None:
        """List the patients, then work them off over at most so many associations at once."""
        self._totals = {level: Ledger(level) for level in self.levels[1:]}
        listing = Listing(self.model, self.source, self.publisher, self.tally, self._stopping)
        caller = self._caller()
        try:
            patients = await listing.run(caller)
            self._due = patients[::-1] if Level.STUDY in self.levels else []
        except RefusedError as refused:
            self.tally.trouble = str(refused)
            listing.ledger.verdict = Accept(WindowState.REFUSED, "the PACS turned us away")
        finally:
            await caller.hang_up()
        self.tally.trouble = self.tally.trouble or caller.trouble
        self.tally.parents_due += len(self._due)
        async with together() as workers:
            for number in range(associations):
                workers.create_task(self._work_off(self._caller(), spare=number > 0))
        await self._cover_all(listing)
        self.over = True

    async def _work_off(self, caller: Caller, *, spare: bool) -> None:
        """Ask for one patient after the other."""
        try:
            if spare and not await caller.reaches():
                return
            while self._due and not self._stopping.is_set():
                await self._ask_patient(caller, self._due.pop())
                await self.publisher.cover([], self.record())
        except RefusedError as refused:
            self.tally.trouble = str(refused)
        finally:
            self.tally.trouble = self.tally.trouble or caller.trouble
            await caller.hang_up()

    async def _ask_patient(self, caller: Caller, patient: str) -> None:
        """Ask for one patient's studies, and for what lies below them."""
        dated, undated = await self._ask_studies(caller, patient)
        self._count(dated)
        add(self._undated, undated)
        self.tally.rows[Level.STUDY] += dated.rows + undated.rows
        profile = replace(self.source.profile, uid_lists=False)  # PS3.4 C.4.1.2.1 wants the one key above
        source = replace(self.source, profile=profile)
        above = {"PatientID": patient}
        descent = Descent(self.model, source, self.publisher, self.tally, self._stopping, above)
        keys, counts = dated.keys + undated.keys, {**dated.counts, **undated.counts}
        for level in self.levels[2:]:
            found = await descent.ask(caller, level, keys, counts)
            self._count(found)
            keys, counts = found.keys, found.counts
        self.tally.parents_asked += 1

    async def _ask_studies(self, caller: Caller, patient: str) -> tuple[Ledger, Ledger]:
        """Ask for a patient's studies, again where the answer breaks off; give those with a date and those without."""
        days = self._days
        named = replace(days, key=f"PatientID={patient}") if "&" not in patient else days
        asks = [Ask(days, named), Ask(UNDATED, UNDATED)] if days == Window() else [Ask(days, named)]
        keys = {**window_keys(days), "PatientID": patient}
        query = Query(self.model, Level.STUDY, keys, attributes(self.source.profile, Level.STUDY))
        queries = 0
        for _ in range(CHILD_TRIES):
            ledgers = (Ledger(Level.STUDY), Ledger(Level.STUDY))

            async def keep(batch: Identifiers, ledgers: tuple[Ledger, Ledger] = ledgers) -> None:
                for ledger, ask in zip(ledgers, asks, strict=False):
                    kept = await self.publisher.keep(self.source, batch, ask)
                    ledger.count(len(batch), kept)
                    self.tally.count(kept)

            ended = await caller.ask(query, ledgers[0], keep)
            queries += ledgers[0].queries
            if ended is not Outcome.INTERRUPTED:
                break
        ledgers[0].queries = queries
        ledgers[0].verdict = ledgers[1].verdict = self._verdict(ledgers[0], ended)
        return ledgers

    def _verdict(self, ledger: Ledger, ended: Outcome) -> Accept:
        """Say what the answer about one patient proves."""
        cap = self.source.profile.cap
        if ended is not Outcome.SUCCESS:
            text = f"the STUDY query of a patient ended with {describe(ledger.status)}"
            return broken_off(ledger) or Accept(WindowState.REFUSED, text)
        if ledger.outside:
            return Accept(WindowState.FILTER_IGNORED, f"{ledger.outside} rows do not belong to the patient asked for")
        if cap is not None and ledger.answers >= cap:
            return Accept(WindowState.CAPPED, "a patient has as many studies as the cap of this PACS")
        return ledger.verdict

    def _count(self, ledger: Ledger) -> None:
        add(self._totals[ledger.level], ledger)
        self.tally.queries += ledger.queries

    async def _cover_all(self, listing: Listing) -> None:
        """Write the ledger: a level proves nothing while the one above it does not."""
        above, rows = listing.ledger, [*listing.parts, listing.ledger.coverage(self.source, Window())]
        if self._due and above.complete:
            above = Ledger(Level.PATIENT, STOPPED)
        for level, total in self._totals.items():
            total.verdict = verdict_below(total, total.largest, self.source.profile.cap) or total.verdict
            if total.complete and not above.complete:
                total.verdict = Accept(
                    above.verdict.state, f"not every {above.level.query_retrieve_level} was asked for"
                )
            rows.append(total.coverage(self.source, self._days, self.source.profile.cap))
            if self._days == Window():
                ledger = replace(self._undated if level is Level.STUDY else Ledger(level), verdict=total.verdict)
                rows.append(ledger.coverage(self.source, UNDATED, self.source.profile.cap))
            above = total
        self.tally.windows += 1
        if not above.complete:
            self.tally.doubt(above.verdict.state)
        await self.publisher.cover(rows, self.record())

    @property
    def _days(self) -> Window:
        return Window(self.begun.date_from, self.begun.date_to)


def add(total: Ledger, part: Ledger) -> None:
    """Count a part into a total; the first thing that speaks against a part speaks against the total."""
    total.answers += part.answers
    total.rows += part.rows
    total.queries += part.queries
    total.rejects += part.rejects
    total.outside += part.outside
    total.sight += part.sight
    total.largest = max(total.largest, part.largest)
    total.doubtful |= part.doubtful
    total.short |= part.short
    total.status = part.status if total.complete else total.status
    total.verdict = total.verdict if not total.complete else part.verdict
