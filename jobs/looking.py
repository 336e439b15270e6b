"""Ask a PACS which instances a series has, or which series a study has; the lake learns both. Touches: network."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from crawler.model import Level, Model
from crawler.retrieve.reconcile import Listing
from crawler.retrieve.track import Item
from jobs.below import Descent
from jobs.caller import Caller
from jobs.children import Parent
from jobs.doubting import verdict_below
from jobs.ledger import Ledger, Tally
from jobs.publish import Publisher, Source


@dataclass
class Looking:
    """What looks at one PACS have in common."""

    model: Model
    source: Source
    publisher: Publisher
    stopping: asyncio.Event
    tally: Tally = field(default_factory=Tally)

    async def ask(self, caller: Caller, item: Item) -> Ledger:
        """Ask for what lies below a series, or a study. Raises RefusedError."""
        above = {"PatientID": item.patient_id or ""} if self.model is not Model.STUDY_ROOT else {}
        profile = replace(self.source.profile, uid_lists=False, relational=False)
        source = replace(self.source, profile=profile, names_images=True)
        descent = Descent(self.model, source, self.publisher, self.tally, self.stopping, above)
        level = Level.IMAGE if item.series_uid else Level.SERIES
        parent: Parent = (item.study_uid, item.series_uid) if item.series_uid else (item.study_uid,)
        known = {} if item.instances is None or level is Level.SERIES else {parent: item.instances}
        ledger = await descent.ask(caller, level, [parent], known)
        ledger.verdict = verdict_below(ledger, ledger.largest, profile.cap) or ledger.verdict
        return ledger


def listing_of(ledger: Ledger, item: Item) -> Listing:
    """Say what is known of a series; where the answer about it proves nothing, what was known of it before."""
    proven = ledger.complete and not ledger.rejects
    return Listing(frozenset(keys[-1] for keys in ledger.keys)) if proven else Listing(count=item.instances)


def series_of(ledger: Ledger, item: Item) -> list[Item]:
    """Give the series of a study."""
    return [Item(item.study_uid, uid, item.patient_id) for _, uid in ledger.keys]
