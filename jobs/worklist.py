"""Crawl a Modality Worklist, window by window; what is no longer on it has gone. Touches: network, disk."""

from __future__ import annotations

from dataclasses import dataclass, field

from crawler.lake.memory import Remembered
from crawler.model import Level, Window
from jobs.caller import Caller
from jobs.crawl import Crawl
from jobs.ledger import Ledger
from jobs.revisit import Revisit


@dataclass
class Items(Revisit):
    """The items that complete answers lacked.

    A worklist forgets what is done, and a PACS need not match its items by any UID (PS3.4 K.6.1.2.2). So an item has
    gone when the complete answer about its day lacks it, unless another day of the same sweep has it.
    """

    _lacking: set[str] = field(default_factory=set)

    async def known(self, window: Window) -> dict[str, Remembered]:
        """Give nothing: there is no level below a worklist."""
        return {}

    async def miss_studies(self, caller: Caller, ledger: Ledger, window: Window, known: dict[str, Remembered]) -> None:
        """Note which items of a window its complete answer lacked."""
        memory = self.memory
        if memory is not None:
            before = await self.publisher.read(lambda: memory.scheduled(window))
            self._lacking |= before - {key for (key,) in ledger.keys}

    async def miss_where_empty(self, caller: Caller, ledger: Ledger, window: Window) -> None:
        """Note the items of a window that is proven to have none."""
        if ledger.complete and window.key is None:
            await self.miss_studies(caller, ledger, window, {})

    async def remove(self) -> None:
        """Have removed what was lacking and was not seen elsewhere."""
        self.tally.removed += await self.publisher.read(self._remove_lacking)

    def _remove_lacking(self) -> int:
        gone = sorted(self._lacking - self._new(Level.WORKLIST, sorted(self._lacking)))
        return self.publisher.writer.remove(Level.WORKLIST, self.source.pacs, self.source.sweep_id, gone)


@dataclass
class WorklistCrawl(Crawl):
    """One worklist in one sweep."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._revisit = self._items = Items(self.model, self.source, self.publisher, self.tally, self.memory)

    async def run(self, associations: int) -> None:
        """Work off the windows; at the end, if all were asked for, say what has gone."""
        await super().run(associations)
        if self.machine.exhausted and not self.machine.abandoned:
            await self._items.remove()
