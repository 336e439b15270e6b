"""Ask a PACS which instances a series has, or which series a study has; the lake learns both. Touches: network."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Protocol

from crawler.model import Level, Model
from crawler.retrieve.reconcile import Listing
from crawler.retrieve.track import Item
from jobs.below import Descent
from jobs.caller import Caller
from jobs.children import Parent
from jobs.doubting import verdict_below
from jobs.ledger import Ledger, Tally
from jobs.publish import Publisher, Source


class Looks(Protocol):
    """Asks a PACS what there is to bring."""

    model: Model
    source: Source

    async def listing(self, caller: Caller, item: Item) -> Listing:
        """Say which instances a series has. Raises RefusedError."""

    async def series(self, caller: Caller, item: Item) -> tuple[list[Item], str | None]:
        """Say which series a study has, and what is wrong with that, if something is. Raises RefusedError."""


@dataclass
class Looking:
    """What looks at one PACS have in common."""

    model: Model
    source: Source
    publisher: Publisher
    stopping: asyncio.Event
    tally: Tally = field(default_factory=Tally)

    async def listing(self, caller: Caller, item: Item) -> Listing:
        """Ask which instances a series has; where the answer proves nothing, give what was known of it before.

        Raises RefusedError, as all that asks.
        """
        ledger = await self._ask(caller, item)
        proven = ledger.complete and not ledger.rejects
        return Listing(frozenset(keys[-1] for keys in ledger.keys)) if proven else Listing(count=item.instances)

    async def series(self, caller: Caller, item: Item) -> tuple[list[Item], str | None]:
        """Ask which series a study has; give what is wrong with the answer too, None where all is well."""
        ledger = await self._ask(caller, item)
        trouble = None if ledger.complete else ledger.verdict.reason or "its series cannot be listed"
        return [Item(item.study_uid, uid, item.patient_id) for _, uid in ledger.keys], trouble

    async def _ask(self, caller: Caller, item: Item) -> Ledger:
        """Ask for what lies below a series, or a study."""
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
