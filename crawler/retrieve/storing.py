"""A store that takes objects, whether a PACS calls to send them (receiver) or sends them in a C-GET (get).

Success is answered when an object is written; it is reported some milliseconds later, when its group is on disk. A
crash in between costs a new request, as what was not reported counts as not received. Touches: disk, clock.
"""

from __future__ import annotations

import asyncio
import errno
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import pyarrow as pa

from crawler.model import Quota
from crawler.pacs import command as dimse
from crawler.pacs.command import Command
from crawler.pacs.messages import Message
from crawler.pacs.negotiation import Context
from crawler.retrieve.expectation import Expectation
from crawler.retrieve.files import Row, row_of, table_of
from crawler.retrieve.groups import Aside, Groups
from crawler.retrieve.incoming import Arrived, Incoming
from crawler.retrieve.instance import MEANINGS, SUCCESS
from crawler.retrieve.layout import Layout, by_hash
from crawler.retrieve.spool import Spool
from crawler.retrieve.taking import Taking

_FEW = 2
"""Files that are moved at a time."""
_FULL = (errno.ENOSPC, errno.EDQUOT)

Report = Callable[[pa.Table], None]
"""Takes rows of `FILES` that are durable. Called in a thread; what it raises ends the store's work."""


class Storing:
    """What takes objects; `opened` makes one. Set `expectation` to what is wanted, at any time."""

    def __init__(self, spool: Spool, report: Report) -> None:
        self.refusals: Counter[int] = Counter()
        """How many objects were refused, by status."""
        self.groups = Groups(self._settle, spool.discard)
        self._spool = spool
        self._report = report
        self._taking = Taking(spool.intake)

    @property
    def expectation(self) -> Expectation:
        """What is wanted; set it at any time."""
        return self._taking.expectation

    @expectation.setter
    def expectation(self, wanted: Expectation) -> None:
        self._taking.expectation = wanted

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, store: Path, report: Report, layout: Layout = by_hash, quota: Quota | None = None
    ) -> AsyncIterator[Self]:
        """Own a store until the block ends; what was answered with success is then reported. `quota` is each sender's.

        Raises UserError when another process owns it, and what `report` raised.
        """
        spool = Spool.open(store, layout)
        try:
            if quota is not None:
                spool.heed(quota)
            storing = cls(spool, report)
            try:
                yield storing
            finally:
                await storing.groups.close()
        finally:
            spool.close()

    def spent(self, ae_title: str) -> str | None:
        """Say for a person that no more is taken today of a sender; None while there is."""
        if not self._spool.intake.is_spent(ae_title):
            return None
        keys = "[local] max_gb_per_day or max_objects_per_day"
        return f"{ae_title} has sent as much today as {keys} lets it: run this again tomorrow (UTC), or raise that"

    @property
    def trouble(self) -> OSError | None:
        """Why nothing can be written; every object is refused until `resume`."""
        return self._spool.intake.trouble

    @property
    def trouble_in_words(self) -> str | None:
        """Say that for a person, with what to do; None while there is no trouble."""
        if self.trouble is None:
            return None
        if self.trouble.errno in _FULL:
            return f"the store {self._spool.store} is full ({self.trouble.strerror}): make room and run this again"
        return f"the store {self._spool.store} cannot be written: {self.trouble.strerror}"

    def resume(self) -> None:
        """Try to write again."""
        self._spool.intake.trouble = None

    async def settled(self) -> None:
        """Wait until everything is reported that was answered with success."""
        await self.groups.settled()

    def begin(self, context: Context, command: Command, source_ae: str) -> Incoming | None:
        """Begin an object, given its C-STORE-RQ; None for any other command."""
        self._taking.is_over = self.groups.is_over
        return self._taking.begin(context, command, source_ae)

    async def serve(self, request: Message) -> tuple[int, str]:
        """Give the status and comment that a request deserves, and take what has come with it, when there is room."""
        await self.groups.room()
        status = self._taking.end(request)
        if isinstance(request.sink, Incoming) and status == SUCCESS:
            self.groups.add(request.sink.arrived)
        elif request.command.field == dimse.C_STORE_RQ:
            self.refusals[status] += 1
        return status, MEANINGS.get(status, "")

    async def _settle(self, group: list[Arrived], aside: Aside) -> None:
        """Make a group durable, move it to its places and report it. What fails on the way is lost.

        What waits for the disk is done aside. What only names files is done here, a few at a time: a thread that runs
        Python in between would make the one that receives wait for the interpreter's lock after each of its system
        calls.
        """
        spool, now = self._spool, datetime.now(UTC).replace(tzinfo=None)
        if not await aside(spool.sync):
            for arrived in group:
                spool.discard(arrived)
            return
        rows: list[Row] = []
        namesakes: list[Arrived] = []
        for at in range(0, len(group), _FEW):
            kept, others = spool.place(group[at : at + _FEW])
            rows += [row_of(one, now) for one in kept]
            namesakes += others
            await asyncio.sleep(0)  # who has sent something meanwhile is answered first
        if namesakes:
            rows += [row_of(one, now) for one in await aside(spool.compare, namesakes)]
        if rows:
            await aside(self._tell, table_of(rows))

    def _tell(self, rows: pa.Table) -> None:
        if self._spool.sync():
            self._report(rows)
