"""C-MOVE and C-GET of a simulated PACS (PS3.4 C.4.2, C.4.3), at every level, for one UID or a list of them.

A C-MOVE opens an association to its destination, a C-GET sends over the one that it came by. Touches: network.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from crawler.errors import PeerError
from crawler.model import Model
from crawler.pacs import command as dimse
from crawler.pacs import framing
from crawler.pacs.acceptor import AcceptedAssociation
from crawler.pacs.command import Counters
from crawler.pacs.messages import Message
from crawler.pacs.negotiation import EXPLICIT_VR
from crawler.testing.counts import Counts
from crawler.testing.encoding import Constant, element
from crawler.testing.objects import INSTANCE, Objects, SyntheticObject
from crawler.testing.question import BadQuestionError, Question, read_question
from crawler.testing.sender import Backward, Outlet, Route, Sender

MOVE_MODELS = {
    "1.2.840.10008.5.1.4.1.2.1.2": Model.PATIENT_ROOT,
    "1.2.840.10008.5.1.4.1.2.2.2": Model.STUDY_ROOT,
    "1.2.840.10008.5.1.4.1.2.3.2": Model.PATIENT_STUDY_ONLY,
}
GET_MODELS = {
    "1.2.840.10008.5.1.4.1.2.1.3": Model.PATIENT_ROOT,
    "1.2.840.10008.5.1.4.1.2.2.3": Model.STUDY_ROOT,
    "1.2.840.10008.5.1.4.1.2.3.3": Model.PATIENT_STUDY_ONLY,
}
"""The C-MOVE and C-GET SOP classes (PS3.4 C.3)."""

SUCCESS = 0x0000
PENDING = 0xFF00
CANCELLED = 0xFE00
SOME_FAILED = 0xB000
NOT_PERFORMED = 0xA702
UNKNOWN_DESTINATION = 0xA801
NOT_UNDERSTOOD = 0xA900
"""Statuses of a C-MOVE-RSP (PS3.4 table C.4-2)."""

_PENDING_EVERY = 5
"""Sub-operations between two pending responses."""
_FAILED_UIDS = 0x00080058
_MOST_NAMED = 1000
"""UIDs in the list of failed ones, whose length Explicit VR counts in 16 bits."""


@dataclass
class Tally:
    """How far the sub-operations of one request are."""

    remaining: int
    completed: int = 0
    failed: int = 0
    warning: int = 0
    failed_uids: list[str] = field(default_factory=list)

    def add(self, uid: str, status: int) -> None:
        """Count one that was answered by this status."""
        self.remaining -= 1
        if status == SUCCESS:
            self.completed += 1
        elif status >> 12 == 0xB:
            self.warning += 1
        else:
            self.failed += 1
            self.failed_uids.append(uid)

    @property
    def counters(self) -> Counters:
        """The counters of a pending response."""
        return Counters(self.remaining, self.completed, self.failed, self.warning)

    @property
    def status(self) -> int:
        """The final status that these numbers deserve."""
        if not self.failed and not self.warning:
            return SUCCESS
        return SOME_FAILED if self.completed or self.warning else NOT_PERFORMED


class Retrievals:
    """Answers C-MOVE and C-GET. `destinations` says which host and port an AE title has."""

    def __init__(self, objects: Objects, counts: Counts) -> None:
        self.destinations: dict[str, tuple[str, int]] = {}
        self._objects = objects
        self._counts = counts

    async def answer(self, assoc: AcceptedAssociation, request: Message) -> None:
        """Do what a C-MOVE-RQ or C-GET-RQ asks for. Raises BadQuestionError when that cannot be understood."""
        question = self._read(assoc, request)
        is_move = request.command.field == dimse.C_MOVE_RQ
        (self._counts.moves if is_move else self._counts.gets)[question.level] += 1
        if is_move and request.command.move_destination not in self.destinations:
            self._counts.refused += 1
            assoc.respond(request, UNKNOWN_DESTINATION, comment="unknown move destination")
            return
        images = self._objects.asked_for(question)
        tally = Tally(len(images))
        try:
            outlet = await self._outlet(assoc, request, images)
        except PeerError:
            for uid in images[INSTANCE].to_pylist():
                tally.add(uid, NOT_PERFORMED)
        else:
            await self._send(assoc, request, images, (outlet, tally))
            await outlet.close()
        _finish(assoc, request, tally)

    def _read(self, assoc: AcceptedAssociation, request: Message) -> Question:
        context = assoc.contexts[request.context_id]
        models = MOVE_MODELS if request.command.field == dimse.C_MOVE_RQ else GET_MODELS
        model = models.get(context.abstract_syntax)
        if model is None:
            raise BadQuestionError("this presentation context is not for that request")
        return read_question(request.dataset, explicit_vr=context.transfer_syntaxes[0] == EXPLICIT_VR, model=model)

    async def _outlet(self, assoc: AcceptedAssociation, request: Message, images: pa.Table) -> Outlet:
        command = request.command
        if command.field == dimse.C_GET_RQ or not len(images):
            return Backward(assoc)
        host, port = self.destinations[command.move_destination]
        originator = (assoc.calling_ae, command.message_id or 0)
        route = Route(assoc.called_ae, command.move_destination, host, port, originator)
        return await Sender.open(route, pc.unique(images["SOPClassUID"]).to_pylist())

    async def _send(
        self, assoc: AcceptedAssociation, request: Message, images: pa.Table, way: tuple[Outlet, Tally]
    ) -> None:
        """Send the instances until all are, or the request is cancelled, or the peer has gone."""
        outlet, tally = way
        gone = False
        for number, instance in enumerate(self._objects.made(images)):
            if assoc.is_cancelled(request.command.message_id) or not assoc.is_open:
                return
            try:
                status = NOT_PERFORMED if gone else await self._store(outlet, instance)
            except PeerError:
                gone, status = True, NOT_PERFORMED
            tally.add(instance.sop_instance, status)
            if number % _PENDING_EVERY == 0 and tally.remaining:
                _respond(assoc, request, PENDING, tally.counters)

    async def _store(self, outlet: Outlet, instance: SyntheticObject) -> int:
        self._counts.stores += 1
        return await outlet.store(instance)


def _finish(assoc: AcceptedAssociation, request: Message, tally: Tally) -> None:
    if tally.remaining:
        _respond(assoc, request, CANCELLED, tally.counters, tally.failed_uids)
    else:
        _respond(assoc, request, tally.status, tally.counters._replace(remaining=None), tally.failed_uids)


def _respond(
    assoc: AcceptedAssociation, request: Message, status: int, counters: Counters, failed: list[str] | None = None
) -> None:
    identifier = None
    if failed:
        uids = Constant(_FAILED_UIDS, "UI", "\\".join(failed[:_MOST_NAMED]))
        identifier = element(uids, assoc.contexts[request.context_id].transfer_syntaxes[0] == EXPLICIT_VR)
    command = dimse.response(request.command, status, has_dataset=bool(failed), counters=counters)
    assoc.write(framing.frame_message(request.context_id, command, identifier, assoc.max_pdu))
