"""Storage SCU (PS3.4 B.2) of a simulated PACS: the sub-operations of a C-MOVE, over an association of their own.

Those of a C-GET go over the association that asked (`Backward`). One instance is under way at a time.
Touches: network, clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from crawler.errors import PeerError, RefusedError, TransientPeerError
from crawler.model import Limits
from crawler.pacs import command as dimse
from crawler.pacs import framing, negotiation
from crawler.pacs.acceptor import AcceptedAssociation
from crawler.pacs.framing import PduBuffer, PduType
from crawler.pacs.messages import Message, Reassembler
from crawler.pacs.negotiation import EXPLICIT_VR, Agreement, Context, Proposal
from crawler.pacs.upper_layer import Connection
from crawler.testing.objects import SyntheticObject

_ORIGINATOR_AE, _ORIGINATOR_ID = 0x1030, 0x1031
"""Who asked for the object that is sent (PS3.7 9.3.1.1)."""
_PATIENCE = 10.0
_ABORTED = "the storage SCP ended the association"


class Outlet(Protocol):
    """Where objects go."""

    async def store(self, instance: SyntheticObject) -> int | None:
        """Send an object and give the status of the answer; None where the other side does not take its SOP class.

        Raises PeerError when nothing more can be sent.
        """

    async def close(self) -> None:
        """Say that nothing more is sent."""

    def abort(self) -> None:
        """Break off."""


class Delivery:
    """Sends objects by an outlet that is opened for the first one. Once it is lost, or cannot be had, the rest fails.

    Ends it in order at the end of an `async with`, and at once when that is left by an error.
    """

    def __init__(self, open_outlet: Callable[[], Awaitable[Outlet]]) -> None:
        self._open = open_outlet
        self._outlet: Outlet | None = None
        self._is_lost = False

    async def store(self, instance: SyntheticObject) -> int | None:
        """Send an object and give the status of the answer; None when it could not be sent."""
        if self._is_lost:
            return None
        try:
            self._outlet = self._outlet or await self._open()
            return await self._outlet.store(instance)
        except PeerError:
            self._is_lost = True
            return None

    async def __aenter__(self) -> Delivery:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.abort()
        elif self._outlet is not None and not self._is_lost:
            await self._outlet.close()

    def abort(self) -> None:
        """End at once."""
        self._is_lost = True
        if self._outlet is not None:
            self._outlet.abort()


@dataclass(frozen=True, slots=True)
class Route:
    """From whom to whom objects go, and on whose behalf: AE title and message id of the C-MOVE."""

    calling_ae: str
    called_ae: str
    host: str
    port: int
    originator: tuple[str, int]


class Sender:
    """An association that sends objects; `Sender.open` makes one."""

    def __init__(self, connection: Connection, agreement: Agreement, originator: tuple[str, int]) -> None:
        self._connection = connection
        self._agreement = agreement
        self._contexts = {context.abstract_syntax: number for number, context in agreement.contexts.items()}
        self._extras: dict[int, int | str] = {_ORIGINATOR_AE: originator[0], _ORIGINATOR_ID: originator[1]}
        self._sent = 0

    @staticmethod
    async def open(route: Route, sop_classes: Collection[str]) -> Sender:
        """Associate for these SOP classes. Raises PeerError."""
        limits = Limits()
        contexts = tuple(Context(2 * at + 1, uid, (EXPLICIT_VR,)) for at, uid in enumerate(sop_classes))
        proposal = Proposal(route.calling_ae, route.called_ae, contexts, limits.max_pdu)
        buffer = PduBuffer(limits.max_pdu, framing.BEFORE_ANSWER)
        try:
            async with asyncio.timeout(_PATIENCE):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection("the storage SCP", buffer, limits.idle_timeout), route.host, route.port
                )
        except (OSError, TimeoutError) as error:
            raise TransientPeerError("the storage SCP cannot be reached") from error
        try:
            connection.set_deadline(_PATIENCE, "the association request")
            connection.write(negotiation.encode_request(proposal))
            pdu = await connection.next_pdu()
            if pdu.type is not PduType.ASSOCIATE_AC:
                raise RefusedError("the storage SCP refused the association")
            agreement = negotiation.decode_agreement(pdu, proposal)
        except BaseException:
            connection.abort()
            raise
        buffer.expected = framing.established(limits.max_pdu)
        connection.set_deadline(None)
        return Sender(connection, agreement, route.originator)

    async def store(self, instance: SyntheticObject) -> int | None:
        """Send an object and give the status of the answer. Raises PeerError when nothing more can be sent."""
        context_id = self._contexts.get(instance.sop_class)
        if context_id is None:
            return None
        self._sent += 1
        command = _store_request(instance, self._sent, self._extras)
        self._connection.write(framing.frame_message(context_id, command, instance.dataset, self._agreement.max_pdu))
        await self._connection.drain()
        return (await self._answer()).command.status

    async def close(self) -> None:
        """Release the association."""
        self._connection.set_deadline(_PATIENCE, "the release")
        self._connection.write(framing.frame(PduType.RELEASE_RQ))
        with suppress(PeerError):  # it is closed all the same
            await self._connection.next_pdu()
        self._connection.hang_up()

    def abort(self) -> None:
        """End the association at once."""
        self._connection.abort()

    async def _answer(self) -> Message:
        reassembler = Reassembler(Limits().max_object)
        while True:
            pdu = await self._connection.next_pdu()
            if pdu.type is not PduType.P_DATA:
                raise TransientPeerError(_ABORTED)
            for pdv in framing.split_pdvs(pdu.body):
                if (message := reassembler.add(pdv)) is not None:
                    return message


class Backward:
    """Sends objects to who sent the C-GET, over the same association, for SOP classes of which it is the SCP."""

    def __init__(self, assoc: AcceptedAssociation) -> None:
        self._assoc = assoc
        self._contexts = {
            context.abstract_syntax: number
            for number, context in assoc.contexts.items()
            if context.abstract_syntax in assoc.served and context.transfer_syntaxes == (EXPLICIT_VR,)
        }
        self._sent = 0

    async def store(self, instance: SyntheticObject) -> int | None:
        """Send an object and give the status of the answer. Raises PeerError when nothing more can be sent."""
        context_id = self._contexts.get(instance.sop_class)
        if context_id is None:
            return None
        self._sent += 1
        command = _store_request(instance, self._sent, {})
        self._assoc.write(framing.frame_message(context_id, command, instance.dataset, self._assoc.max_pdu))
        await self._assoc.drain()
        message = await self._assoc.next_request()
        if message is None or message.command.field != dimse.C_STORE_RSP:
            raise TransientPeerError(_ABORTED)
        return message.command.status

    async def close(self) -> None:
        """Leave the association to its own end."""

    def abort(self) -> None:
        """Leave the association to its own end."""


def _store_request(instance: SyntheticObject, number: int, extras: Mapping[int, int | str]) -> bytes:
    elements = {dimse.FIELD: dimse.C_STORE_RQ, dimse.MESSAGE_ID: number % 0xFFFF + 1, dimse.PRIORITY: 0}
    identity = {dimse.SOP_CLASS: instance.sop_class, dimse.SOP_INSTANCE: instance.sop_instance}
    return dimse.encode_command({**identity, **elements, dimse.DATA_SET_TYPE: dimse.HAS_DATASET, **extras})
