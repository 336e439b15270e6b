"""List the patients of a PACS under Patient Root, by what PatientID begins with where they are too many for one answer.

Touches: network.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from crawler.model import Coverage, Identifiers, Level, Model, Outcome, Window, WindowState
from crawler.pacs.identifier import Query
from crawler.pacs.profile import attributes
from crawler.pacs.status import describe
from crawler.plan.answers import Accept
from crawler.plan.prefixes import EVERYBODY, Prefixes
from jobs.below import CHILD_TRIES, STOPPED
from jobs.caller import Caller
from jobs.ledger import Ledger, Tally
from jobs.publish import Child, Publisher, Source


@dataclass
class Listing:
    """The PATIENT level of one crawl."""

    model: Model
    source: Source
    publisher: Publisher
    tally: Tally
    stopping: asyncio.Event
    ledger: Ledger = field(default_factory=lambda: Ledger(Level.PATIENT))
    """What is known of all patients together."""
    parts: list[Coverage] = field(default_factory=list)
    """Ledger rows of those asked for by the beginning of their PatientID."""

    async def run(self, caller: Caller) -> list[str]:
        """Ask for all patients; give their IDs, sorted. Raises RefusedError."""
        prefixes, lost = Prefixes(self.source.profile.cap), None
        while lost is None and (value := prefixes.next()) is not None:
            part = Ledger(Level.PATIENT)
            ids = await self._ask(caller, value, part)
            lost = STOPPED if self.stopping.is_set() else broken_off(part)
            verdict = prefixes.answered(value, ids, part.answers, whole=part.status == 0)
            self.ledger.queries += part.queries
            self.ledger.rejects += part.rejects
            if value != EVERYBODY and (lost or verdict):
                part.verdict = lost or verdict or part.verdict
                self.parts.append(part.coverage(self.source, Window(key=f"PatientID={value}"), prefixes.cap))
        self.ledger.rows = self.tally.rows[Level.PATIENT] = len(prefixes.ids)
        self.ledger.verdict = lost or prefixes.verdict()
        if self.ledger.complete and self.ledger.rejects:
            text = f"{self.ledger.rejects} patients have no PatientID, without which no studies can be asked for"
            self.ledger.verdict = Accept(WindowState.REFUSED, text)
        self.tally.queries += self.ledger.queries
        return sorted(prefixes.ids)

    async def _ask(self, caller: Caller, value: str, ledger: Ledger) -> list[str]:
        """Ask for some patients, again where the answer breaks off; give their IDs."""
        matching = {} if value == EVERYBODY else {"PatientID": value}
        query = Query(self.model, Level.PATIENT, matching, attributes(self.source.profile, Level.PATIENT))

        async def keep(batch: Identifiers) -> None:
            kept = await self.publisher.keep_children(self.source, Level.PATIENT, [Child((), batch)])
            ledger.count(len(batch), kept)
            self.tally.count(kept)

        for _ in range(CHILD_TRIES):
            ledger.answers = ledger.rows = ledger.rejects = 0
            if await caller.ask(query, ledger, keep) is not Outcome.INTERRUPTED:
                break
        return [patient for (patient,) in ledger.keys]


def broken_off(ledger: Ledger) -> Accept | None:
    """Say that no answer came to its end, where that is so."""
    if ledger.status is not None:
        return None
    return Accept(WindowState.INTERRUPTED, f"a {ledger.level.query_retrieve_level} query ended with {describe(None)}")
