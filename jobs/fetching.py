"""Bring from one PACS what its order machine hands out: looks, requests, checks. Touches: network, clock, disk."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace

from crawler.errors import RefusedError, TransientPeerError
from crawler.model import Limits, Peer
from crawler.pacs.association import Association
from crawler.retrieve.get import get
from crawler.retrieve.move import move
from crawler.retrieve.order import Order
from crawler.retrieve.reconcile import Ended
from crawler.retrieve.retrieval import Retrieval
from crawler.retrieve.status import Destination, advice, advice_without_answer
from crawler.retrieve.storing import Storing
from crawler.retrieve.track import Check, Fetch, Look, Task
from crawler.retrieve.wanted import Wanted, wanted_by
from jobs.arrivals import Arrivals
from jobs.caller import Besides, Caller, together
from jobs.gate import Gate
from jobs.looking import Looks

GLANCE = 0.5
"""Seconds between looks at whether something has changed of which nobody tells."""


@dataclass
class Fetching:
    """One PACS in one retrieval. `run` returns when its order is finished, or soon after its gate is stopped."""

    peer: Peer
    looking: Looks
    gate: Gate
    order: Order
    storing: Storing
    arrivals: Arrivals
    way: Besides
    """What associations are opened for: C-MOVE, or C-GET with what may be stored."""
    limits: Limits
    """How long one request may take, and how long nothing may come."""
    destination: Destination
    """Where a C-MOVE has things sent."""
    hint: str | None = None
    """What a person can do about the last request that failed."""
    seconds: float | None = None
    """How long it took; None while it goes on."""
    _under_way: set[Retrieval] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, associations: int) -> None:
        """Work off the order over at most so many associations at once."""
        began = _now()
        async with together() as workers:
            for number in range(associations):
                workers.create_task(self._work(spare=number > 0))
        self.seconds = _now() - began

    @property
    def over(self) -> bool:
        """Whether nothing more is asked."""
        return self.seconds is not None

    @property
    def gets(self) -> bool:
        """Whether objects come by C-GET."""
        return bool(self.way.storage)

    def stop(self) -> None:
        """Have requests under way cancelled, and make no other."""
        self.gate.stopping.set()
        for retrieval in self._under_way:
            retrieval.cancel()
        self._changed.set()

    def feed(self) -> None:
        """Tell requests under way that something has arrived."""
        for retrieval in self._under_way:
            retrieval.feed()
        self._changed.set()

    async def _work(self, *, spare: bool) -> None:
        caller = Caller(self.peer, self.looking.model, self.gate, self.looking.source.profile, self.way)
        try:
            if spare and not await caller.reaches():
                return
            while (task := await self._next()) is not None:
                await self._do(caller, task)
                self._changed.set()
        finally:
            self._changed.set()
            await caller.hang_up()

    async def _next(self) -> Task | None:
        """Wait for a task that is due; None when the order is finished."""
        while True:
            if self.gate.stopping.is_set():
                self.order.abandon(self.gate.stopped or "a stop was asked for")
            if trouble := self.storing.trouble_in_words or self.storing.spent(self.peer.called_ae):
                self.order.abandon(trouble)
            if self.storing.groups.is_over:
                self.order.abandon("what arrives cannot be written down")
            task = self.order.next(_now())
            if task is not None or self.order.finished:
                return task
            self._changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), GLANCE)

    async def _do(self, caller: Caller, task: Task) -> None:
        try:
            match task:
                case Look():
                    await self._look(caller, task)
                case Fetch():
                    await self._fetch(caller, task)
                case Check():
                    self.order.checked(task, await self.arrivals.broken(task.item.uid))
        except RefusedError as refused:
            self.order.abandon(str(refused))
            self.order.put_back(task)

    async def _look(self, caller: Caller, look: Look) -> None:
        """Ask what there is of a series, or which series a study has."""
        if look.item.series_uid:
            listing = await self.looking.listing(caller, look.item)
        else:
            series, trouble = await self.looking.series(caller, look.item)
        if self.gate.stopping.is_set():
            self.order.put_back(look)
        elif not caller.reached:
            raise RefusedError(caller.trouble or "the PACS was never reached")
        elif look.item.series_uid:
            self.order.looked(look, listing, _now())
        else:
            self.order.found(look, series, trouble)
            self.expect()

    def expect(self) -> None:
        """Have what is wanted accepted."""
        expected = self.storing.expectation
        self.storing.expectation = replace(expected, series=expected.series.union(self.order.tracks))

    async def _fetch(self, caller: Caller, fetch: Fetch) -> None:
        """Send a request and wait for its end; what came of it is told by its arrival."""
        before = self.arrivals.instances
        try:
            wanted = wanted_by(self.looking.model, fetch)
            wanted.elements()
        except RefusedError as unaskable:
            self.order.fetched(fetch, Ended(trouble=str(unaskable)), _now())
            return
        try:
            association = await caller.permitted()
        except TransientPeerError as lost:
            self.order.fetched(fetch, Ended(trouble=str(lost)), _now())
            return
        if association is None:
            self.order.put_back(fetch)
            return
        began = _now()
        try:
            ended = await self._run(association, wanted)
        except TransientPeerError as lost:
            caller.drop()
            if self.arrivals.instances == before:
                self.hint = self.hint or advice_without_answer(self.looking.source.pacs, self.destination)
            self.gate.lost(began=self.arrivals.instances > before)
            ended = Ended(trouble=str(lost))
        except BaseException:
            self.gate.let_go()
            raise
        else:
            self.gate.answered("retrieve", self.arrivals.instances - before, _now() - began)
        await self.storing.settled()
        self.order.fetched(fetch, ended, _now())

    async def _run(self, association: Association, wanted: Wanted) -> Ended:
        if self.gets:
            retrieval = get(association, wanted, self.storing, self.limits)
        else:
            retrieval = move(association, wanted, self.destination.ae_title, self.limits)
        self._under_way.add(retrieval)
        try:
            said = await retrieval.run()
        finally:
            self._under_way.discard(retrieval)
        if not self.gets:
            self.hint = advice(said.status, self.looking.source.pacs, self.destination) or self.hint
        return Ended(said)


def _now() -> float:
    return asyncio.get_running_loop().time()
