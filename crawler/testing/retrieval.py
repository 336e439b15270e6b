"""C-MOVE and C-GET of a simulated PACS (PS3.4 C.4.2, C.4.3), at every level, for one UID or a list of them.

A C-MOVE opens an association to its destination, a C-GET sends over the one that it came by. How it lies about that is
in quirks.py. Touches: network, clock.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from crawler.model import Level
from crawler.pacs import command as dimse
from crawler.pacs import framing
from crawler.pacs.acceptor import AcceptedAssociation
from crawler.pacs.command import Counters
from crawler.pacs.encoding import Constant, element
from crawler.pacs.messages import Message
from crawler.pacs.negotiation import EXPLICIT_VR
from crawler.pacs.sop_classes import GET_MODELS, MOVE_MODELS
from crawler.pacs.status import CANCELLED, PENDING, SUCCESS
from crawler.pacs.storage import Backward, Delivery, Outlet, Place, Route, Sender
from crawler.pacs.suboperations import NOT_PERFORMED
from crawler.testing.breaking import break_off
from crawler.testing.counts import Counts
from crawler.testing.objects import Objects, SyntheticObject
from crawler.testing.question import BadQuestionError, Question, read_question
from crawler.testing.quirks import Offline, Quirks
from crawler.testing.shelf import Shelf
from crawler.testing.tally import Tally

_UNKNOWN_DESTINATION = 0xA801
_PENDING_EVERY = 5
"""Sub-operations between two pending responses."""
_PENDING_PAUSE = 0.1
"""Seconds between those that never end."""
_FAILED_UIDS = 0x00080058
_MOST_NAMED = 1000
"""UIDs in the list of failed ones, whose length Explicit VR counts in 16 bits."""


@dataclass(frozen=True, slots=True)
class Job:
    """One request under way."""

    assoc: AcceptedAssociation
    request: Message
    images: pa.Table
    tally: Tally

    @property
    def is_move(self) -> bool:
        """Whether it is a C-MOVE."""
        return self.request.command.field == dimse.C_MOVE_RQ


class Retrievals:
    """Answers C-MOVE and C-GET. `destinations` says which host and port an AE title has."""

    def __init__(self, objects: Objects, quirks: Quirks, counts: Counts) -> None:
        self.destinations: dict[str, tuple[str, int]] = {}
        self._objects = objects
        self._quirks = quirks
        self._counts = counts
        self._shelf = Shelf(quirks)
        self._asked = 0
        self._under_way = 0
        self._times_sent: Counter[str] = Counter()
        self._next_at = 0.0
        self._later: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Give up what was to be sent later."""
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)

    async def answer(self, assoc: AcceptedAssociation, request: Message) -> None:
        """Do what a C-MOVE-RQ or C-GET-RQ asks for. Raises BadQuestionError when that cannot be understood."""
        question = _read(assoc, request)
        is_move = request.command.field == dimse.C_MOVE_RQ
        (self._counts.moves if is_move else self._counts.gets)[question.level] += 1
        self._asked += 1
        if refusal := self._refusal(request, question.level):
            self._counts.refused += 1
            assoc.respond(request, refusal)
            return
        with self._counted():
            images = self._existing(self._objects.asked_for(question))
            images, shelved = self._shelf.fetch(images, time.monotonic())
            if is_move and len(shelved) and self._quirks.offline is Offline.COMES:
                self._send_later(Job(assoc, request, shelved, Tally(len(shelved))), self._quirks.offline_for)
            await self._retrieve(Job(assoc, request, images, Tally(len(images))))

    def _refusal(self, request: Message, level: Level) -> int:
        """Give the status by which a request is refused, 0 for none. Raises BadQuestionError."""
        quirks = self._quirks
        if (level is Level.SERIES and quirks.no_series_level) or (level is Level.IMAGE and quirks.no_image_level):
            raise BadQuestionError("nothing is retrieved at this level")
        if request.command.field == dimse.C_MOVE_RQ and request.command.move_destination not in self.destinations:
            return _UNKNOWN_DESTINATION
        is_busy = quirks.max_retrievals and self._under_way >= quirks.max_retrievals
        is_unable = quirks.a702_every and self._asked % quirks.a702_every == 0
        return NOT_PERFORMED if is_busy or is_unable else SUCCESS

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._under_way += 1
        self._counts.peak_retrievals = max(self._counts.peak_retrievals, self._under_way)
        try:
            yield
        finally:
            self._under_way -= 1

    def _existing(self, images: pa.Table) -> pa.Table:
        every = self._quirks.phantom_every
        exist = [not every or number % every != 0 for number in images["InstanceNumber"].to_pylist()]
        return images.filter(pa.array(exist, pa.bool_()))

    async def _retrieve(self, job: Job) -> None:
        if job.is_move and self._quirks.late:
            for instance, is_sent in self._sendings(job):
                job.tally.add(instance.sop_instance, SUCCESS if is_sent else NOT_PERFORMED)
            self._send_later(job, self._quirks.late)
        else:
            async with Delivery(lambda: self._outlet(job)) as delivery:
                await self._send(job, delivery)
        if self._quirks.never_ends:
            await self._go_on(job)
        self._finish(job)

    def _sendings(self, job: Job) -> Iterator[tuple[SyntheticObject, bool]]:
        """Give each instance, and whether it is sent."""
        every = self._quirks.skips_every
        for number, instance in enumerate(self._objects.made(job.images)):
            yield instance, not every or number % every != every - 1

    async def _send(self, job: Job, delivery: Delivery) -> None:
        """Send the instances until all are, or the request is cancelled, or the peer has gone."""
        for number, (instance, is_sent) in enumerate(self._sendings(job)):
            if number == self._quirks.breaks_after:
                delivery.abort()
                await break_off(job.assoc, self._quirks.failure)
                return
            if self._is_over(job):
                return
            status = await self._store(delivery, instance) if is_sent else NOT_PERFORMED
            job.tally.add(instance.sop_instance, status)
            if number % _PENDING_EVERY == 0 and job.tally.remaining:
                _respond(job, PENDING, job.tally.pending(self._quirks.claims))

    async def _store(self, delivery: Delivery, instance: SyntheticObject) -> int:
        status = None
        for _ in range(2 if self._quirks.twice else 1):
            await self._wait_for_turn()
            is_other = self._quirks.alters_again and self._times_sent[instance.sop_instance]
            status = await delivery.store(instance.altered() if is_other else instance)
            if status is None:
                return NOT_PERFORMED
            self._times_sent[instance.sop_instance] += 1
            self._counts.stores += 1
        return NOT_PERFORMED if status is None else status

    async def _wait_for_turn(self) -> None:
        """Keep to so many instances a second, over all requests."""
        if self._quirks.sends_per_second:
            now = time.monotonic()
            self._next_at = max(now, self._next_at) + 1 / self._quirks.sends_per_second
            await asyncio.sleep(self._next_at - now)

    def _send_later(self, job: Job, seconds: float) -> None:
        async def send() -> None:
            await asyncio.sleep(seconds)
            async with Delivery(lambda: self._outlet(job)) as delivery:
                for instance, is_sent in self._sendings(job):
                    if is_sent:
                        await self._store(delivery, instance)

        task = asyncio.get_running_loop().create_task(send())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _outlet(self, job: Job) -> Outlet:
        command = job.request.command
        if not job.is_move:
            return Backward(job.assoc)
        place = Place(*self.destinations[command.move_destination])
        calling_ae = self._quirks.sends_as or job.assoc.called_ae
        originator = (job.assoc.calling_ae, command.message_id or 0)
        route = Route(calling_ae, command.move_destination, place, originator)
        sop_classes = pc.unique(job.images["SOPClassUID"]).to_pylist()
        return await Sender.open(route, [(uid, EXPLICIT_VR) for uid in sop_classes])

    async def _go_on(self, job: Job) -> None:
        while not self._is_over(job):
            _respond(job, PENDING, job.tally.pending(self._quirks.claims))
            await asyncio.sleep(_PENDING_PAUSE)
        job.tally.remaining = max(job.tally.remaining, 1)

    def _is_over(self, job: Job) -> bool:
        """Say whether the request was cancelled, or the peer has gone."""
        is_cancelled = job.assoc.is_cancelled(job.request.command.message_id) and not self._quirks.ignores_cancel
        return is_cancelled or not job.assoc.is_open

    def _finish(self, job: Job) -> None:
        told = job.tally.final(self._quirks.claims)
        self._counts.cancelled += told.status == CANCELLED
        _respond(job, told.status, told.counters, told.failed_uids)


def _read(assoc: AcceptedAssociation, request: Message) -> Question:
    context = assoc.contexts[request.context_id]
    models = MOVE_MODELS if request.command.field == dimse.C_MOVE_RQ else GET_MODELS
    model = models.get(context.abstract_syntax)
    if model is None:
        raise BadQuestionError("this presentation context is not for that request")
    return read_question(request.dataset, explicit_vr=context.transfer_syntaxes[0] == EXPLICIT_VR, model=model)


def _respond(job: Job, status: int, counters: Counters, failed: list[str] | None = None) -> None:
    assoc, request, identifier = job.assoc, job.request, None
    if failed:
        uids = Constant(_FAILED_UIDS, "UI", "\\".join(failed[:_MOST_NAMED]))
        identifier = element(uids, assoc.contexts[request.context_id].transfer_syntaxes[0] == EXPLICIT_VR)
    command = dimse.response(request.command, status, has_dataset=bool(failed), counters=counters)
    assoc.write(framing.frame_message(request.context_id, command, identifier, assoc.max_pdu))
