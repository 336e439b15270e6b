"""C-MOVE and C-GET SCP for the files that are here (PS3.4 C.4.2, C.4.3), with counters that say what is missing.

What the lake knows of and the store does not have counts as failed and is named: nobody takes a part for the whole.
Touches: network, disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from crawler.lake.elsewhere import Elsewhere
from crawler.lake.here import Holding, StoredInstance
from crawler.model import HIERARCHY, Level
from crawler.pacs import command as dimse
from crawler.pacs.acceptor import AcceptedAssociation
from crawler.pacs.messages import Message
from crawler.pacs.storage import Backward, Delivery, Outlet, Place, Route, Sender
from crawler.pacs.suboperations import NOT_PERFORMED, SubOperations
from crawler.serve.find.errand import Errand
from crawler.serve.find.forwarding import Forwarder, forward
from crawler.serve.find.question import NOT_IN_MODEL, BadQuestionError, Question

UNKNOWN_DESTINATION = 0xA801
_PENDING_EVERY = 10
"""Sub-operations between two pending responses."""


def wanted_of(question: Question) -> dict[str, list[str]]:
    """Give what is to be sent: the unique keys that have values. BadQuestionError where that of the level has none."""
    unique = {level.unique_key for level in HIERARCHY}
    keys = {place.attribute.keyword: value for place, value in question.keys if place.attribute.keyword in unique}
    if question.level.unique_key not in keys:
        raise BadQuestionError(NOT_IN_MODEL, f"{question.level.unique_key} must have a value at this level")
    if any(sign in value for value in keys.values() for sign in "*?"):
        raise BadQuestionError(NOT_IN_MODEL, "unique keys take no wildcards here")
    above = question.level is not Level.PATIENT  # whose the study is follows from its UID
    return {name: value.split("\\") for name, value in keys.items() if name != "PatientID" or not above}


class Retrieving:
    """Sends; `destinations` are the places of the AE titles that a C-MOVE may name."""

    def __init__(self, destinations: Mapping[str, Place], forwarder: Forwarder | None = None) -> None:
        self._destinations = destinations
        self._forwarder = forwarder

    def check(self, request: Message) -> None:
        """BadQuestionError where a C-MOVE is to go where nobody knows."""
        if request.command.field == dimse.C_MOVE_RQ and request.command.move_destination not in self._destinations:
            raise BadQuestionError(UNKNOWN_DESTINATION, "this AE title is none of find_scp.destinations")

    async def retrieve(
        self, assoc: AcceptedAssociation, request: Message, holding: Holding, parts: Sequence[Elsewhere] = ()
    ) -> SubOperations:
        """Send what is here, have the parts sent by the PACS that have them, and answer with what came of it."""
        errand = Errand(assoc, request, holding, _counted(holding, parts))
        async with Delivery(lambda: self._outlet(errand)) as delivery:
            await _send(errand, delivery)
        if delivery.trouble is not None and assoc.is_open:
            structlog.get_logger().warning("files could not be sent", reason=str(delivery.trouble))
        if self._forwarder is not None:
            await forward(errand, parts, self._forwarder)
        if assoc.is_open:
            errand.end()
        return errand.told

    async def _outlet(self, errand: Errand) -> Outlet:
        command = errand.request.command
        if command.field == dimse.C_GET_RQ:
            return Backward(errand.assoc)
        place = self._destinations[command.move_destination]
        originator = (errand.assoc.calling_ae, command.message_id or 0)
        route = Route(errand.assoc.called_ae, command.move_destination, place, originator)
        return await Sender.open(
            route, dict.fromkeys((one.sop_class, one.transfer_syntax) for one in errand.holding.here)
        )


def _counted(holding: Holding, parts: Sequence[Elsewhere]) -> SubOperations:
    """Count what is to be sent, and as failed what nobody is asked for."""
    passed_on = {name for part in parts for name in part.names}
    lost = [uid for uid in holding.missing if uid not in passed_on]
    unnamed = max(0, holding.unnamed - sum(part.count - len(part.names) for part in parts))
    remaining = len(holding.here) + sum(part.count for part in parts)
    return SubOperations(remaining, failed=len(lost) + unnamed, failed_uids=lost)


async def _send(errand: Errand, delivery: Delivery) -> None:
    """Send the instances until all are, or the request is cancelled, or who asked has gone."""
    for number, instance in enumerate(errand.holding.here):
        await asyncio.sleep(0)
        if not errand.is_wanted:
            return
        errand.told.add(instance.sop_instance, await _stored(delivery, instance))
        if number % _PENDING_EVERY == 0 and errand.told.remaining:
            errand.go_on()


async def _stored(delivery: Delivery, instance: StoredInstance) -> int:
    if not instance.path.is_file():
        return NOT_PERFORMED
    status = await delivery.store(instance)
    return NOT_PERFORMED if status is None else status
