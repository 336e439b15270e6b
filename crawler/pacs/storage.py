"""Storage SCU (PS3.4 B.2): sends instances over an association of their own, or back over the one of a C-GET.

One instance is under way at a time, in fragments, so that its size costs no memory. Touches: network, clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from crawler.errors import PeerError, RefusedError, TransientPeerError
from crawler.identity import TlsCall
from crawler.model import AETitle, Limits, Peer
from crawler.pacs import command as dimse
from crawler.pacs import framing, negotiation
from crawler.pacs.acceptor import AcceptedAssociation
from crawler.pacs.calling import call
from crawler.pacs.framing import PduType
from crawler.pacs.messages import Message, Reassembler
from crawler.pacs.negotiation import Agreement, Context, Proposal
from crawler.pacs.upper_layer import Connection

_ORIGINATOR_AE, _ORIGINATOR_ID = 0x1030, 0x1031
"""Who asked for the object that is sent (PS3.7 9.3.1.1)."""
_PATIENCE = 10.0
_MOST_CONTEXTS = 128
_FRAGMENT = 1 << 18
"""Of a dataset, where the peer sets no limit."""
_ABORTED = "the storage SCP ended the association"


class Instance(Protocol):
    """What is sent: a dataset, encoded in a transfer syntax, and what it is."""

    @property
    def sop_class(self) -> str:
        """Its SOP Class UID."""

    @property
    def sop_instance(self) -> str:
        """Its SOP Instance UID."""

    @property
    def transfer_syntax(self) -> str:
        """How it is encoded."""

    def fragments(self, size: int) -> Iterator[bytes]:
        """Give the dataset in pieces of so many bytes at most, one at least. OSError where it cannot be read."""


class Outlet(Protocol):
    """Where objects go."""

    async def store(self, instance: Instance) -> int | None:
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
        self.trouble: PeerError | None = None
        """Why nothing more could be sent."""
        self._open = open_outlet
        self._outlet: Outlet | None = None
        self._is_lost = False

    async def store(self, instance: Instance) -> int | None:
        """Send an object and give the status of the answer; None when it could not be sent."""
        if self._is_lost:
            return None
        try:
            self._outlet = self._outlet or await self._open()
            return await self._outlet.store(instance)
        except PeerError as error:
            self._is_lost, self.trouble = True, error
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
class Place:
    """Where somebody takes objects."""

    host: str
    port: int
    tls: TlsCall | None = None
    """None where all goes in the clear."""


@dataclass(frozen=True, slots=True)
class Route:
    """From whom to whom objects go, and on whose behalf: AE title and message id of the C-MOVE."""

    calling_ae: str
    called_ae: str
    place: Place
    originator: tuple[str, int]


class Sender:
    """An association that sends objects; `Sender.open` makes one."""

    def __init__(self, connection: Connection, agreement: Agreement, originator: tuple[str, int]) -> None:
        self._connection = connection
        self._agreement = agreement
        self._contexts = _by_kind(agreement.contexts)
        self._extras: dict[int, int | str] = {_ORIGINATOR_AE: originator[0], _ORIGINATOR_ID: originator[1]}
        self._sent = 0

    @staticmethod
    async def open(route: Route, kinds: Collection[tuple[str, str]]) -> Sender:
        """Associate for these pairs of SOP class and transfer syntax, the first 128 of them. Raises PeerError."""
        limits, place = Limits(connect_timeout=_PATIENCE), route.place
        called, calling = AETitle(route.called_ae), AETitle(route.calling_ae)
        peer = Peer(called, place.host, place.port, called, calling, limits, place.tls, is_configured=False)
        offered = list(kinds)[:_MOST_CONTEXTS]
        contexts = tuple(Context(2 * at + 1, uid, (syntax,)) for at, (uid, syntax) in enumerate(offered))
        proposal = Proposal(route.calling_ae, route.called_ae, contexts, limits.max_pdu)
        connection = await call(peer)
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
        connection.buffer.expected = framing.established(limits.max_pdu)
        connection.set_deadline(None)
        return Sender(connection, agreement, route.originator)

    async def store(self, instance: Instance) -> int | None:
        """Send an object and give the status of the answer. Raises PeerError when nothing more can be sent."""
        context_id = self._contexts.get((instance.sop_class, instance.transfer_syntax))
        if context_id is None:
            return None
        self._sent += 1
        command = _store_request(instance, self._sent, self._extras)
        await _send(self._connection, framing.frame_message(context_id, command, None, self._agreement.max_pdu))
        for framed in _framed(instance, context_id, self._agreement.max_pdu):
            await _send(self._connection, framed)
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
        served = {number: one for number, one in assoc.contexts.items() if one.abstract_syntax in assoc.served}
        self._contexts = _by_kind(served)
        self._sent = 0

    async def store(self, instance: Instance) -> int | None:
        """Send an object and give the status of the answer. Raises PeerError when nothing more can be sent."""
        context_id = self._contexts.get((instance.sop_class, instance.transfer_syntax))
        if context_id is None:
            return None
        self._sent += 1
        command = _store_request(instance, self._sent, {})
        await _send(self._assoc, framing.frame_message(context_id, command, None, self._assoc.max_pdu))
        for framed in _framed(instance, context_id, self._assoc.max_pdu):
            await _send(self._assoc, framed)
        message = await self._assoc.next_request()
        if message is None or message.command.field != dimse.C_STORE_RSP:
            raise TransientPeerError(_ABORTED)
        return message.command.status

    async def close(self) -> None:
        """Leave the association to its own end."""

    def abort(self) -> None:
        """Leave the association to its own end."""


async def _send(link: Connection | AcceptedAssociation, framed: bytes) -> None:
    link.write(framed)
    await link.drain()


def _by_kind(contexts: Mapping[int, Context]) -> dict[tuple[str, str], int]:
    """Give the presentation context for each pair of SOP class and transfer syntax."""
    return {(one.abstract_syntax, one.transfer_syntaxes[0]): number for number, one in contexts.items()}


def _framed(instance: Instance, context_id: int, max_pdu: int) -> Iterator[bytes]:
    """Frame a dataset fragment by fragment. TransientPeerError where it cannot be read to its end."""
    size = max_pdu - framing.PDV_HEADER.size if max_pdu else _FRAGMENT
    try:
        waiting: bytes | None = None
        for fragment in instance.fragments(max(size, 1)):
            if waiting is not None:
                yield framing.frame_fragment(context_id, waiting, is_last=False)
            waiting = fragment
        yield framing.frame_fragment(context_id, waiting or b"", is_last=True)
    except OSError as error:
        raise TransientPeerError("an instance cannot be read") from error


def _store_request(instance: Instance, number: int, extras: Mapping[int, int | str]) -> bytes:
    elements = {dimse.FIELD: dimse.C_STORE_RQ, dimse.MESSAGE_ID: number % 0xFFFF + 1, dimse.PRIORITY: 0}
    identity = {dimse.SOP_CLASS: instance.sop_class, dimse.SOP_INSTANCE: instance.sop_instance}
    return dimse.encode_command({**identity, **elements, dimse.DATA_SET_TYPE: dimse.HAS_DATASET, **extras})
