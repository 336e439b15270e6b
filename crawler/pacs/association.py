"""Association requestor: call a PACS, verify it, ask it (PS3.8 7.1, PS3.7 9.1). Touches: network, clock.

One association carries one request at a time; who wants more opens more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from crawler import tls
from crawler.certificates import X509, shown
from crawler.errors import PeerError, ProtocolError, RefusedError, TransientPeerError
from crawler.model import Model, Peer
from crawler.pacs import command as dimse
from crawler.pacs import framing, negotiation
from crawler.pacs.calling import call, who
from crawler.pacs.exchange import Exchange, Request
from crawler.pacs.find import FindStream
from crawler.pacs.framing import PduType
from crawler.pacs.identifier import Askable, encode_identifier
from crawler.pacs.messages import Message, Reassembler
from crawler.pacs.negotiation import EXPLICIT_VR, IMPLICIT_VR, Agreement, Context, Proposal
from crawler.pacs.passwords import line_of
from crawler.pacs.responses import MAX_ROWS
from crawler.pacs.sop_classes import FIND_CLASSES
from crawler.pacs.upper_layer import Connection

_RELEASE_PATIENCE = 5.0
_OBJECTS_WITHIN = 5.0
_CALLING_AE_UNKNOWN, _CALLED_AE_UNKNOWN = 3, 7
_SERVICE_USER, _PRESENTATION = 1, 3
_TRANSIENT = 2
"""Reasons, sources and a result of an A-ASSOCIATE-RJ (PS3.8 table 9-21)."""


class Association:
    """An open association; `open` makes one. Models may be asked that it was opened for."""

    def __init__(self, peer: Peer, connection: Connection, agreement: Agreement) -> None:
        self.peer = peer
        self.agreement = agreement
        self._connection = connection
        self._last_message_id = 0
        self._stream: FindStream | Exchange | None = None

    @staticmethod
    async def open(
        peer: Peer,
        syntaxes: Sequence[Model | str],
        *,
        extended: Mapping[str, bytes] | None = None,
        storage: Sequence[tuple[str, Sequence[str]]] = (),
    ) -> Association:
        """Associate with a PACS for C-ECHO and for `syntaxes`: models to be asked, or other SOP classes.

        `extended` is SOP class -> application information of the extended negotiation (PS3.4 C.5.1.1); what the PACS
        granted stands in `agreement.extended`. `storage` are SOP classes that the PACS may store here in a C-GET, each
        with the transfer syntaxes of one presentation context; the classes granted stand in `agreement.served`.
        Raises RefusedError when a person must change a setting, TransientPeerError when trying again may help.
        """
        proposal = _propose(peer, [_sop_class(syntax) for syntax in syntaxes], extended or {}, storage)
        connection = await call(peer)
        try:
            agreement = await _negotiate(peer, connection, proposal)
        except BaseException:
            connection.abort()
            raise
        return Association(peer, connection, agreement)

    @property
    def certificate(self) -> X509 | None:
        """What the PACS showed; None where all goes in the clear."""
        return shown(self._connection.get_extra_info("ssl_object"))

    @property
    def closed(self) -> bool:
        """Whether it can no longer be used."""
        return self._connection.failure is not None

    async def echo(self) -> int:
        """Send a C-ECHO and give its status, 0 for success. Raises PeerError."""
        context = self._context(dimse.VERIFICATION, "Verification (C-ECHO)")
        message_id = self._next_message_id()
        self._connection.set_deadline(self.peer.limits.total_timeout, "a C-ECHO")
        self._send(context, dimse.echo_request(message_id), None)
        try:
            answer = await self._receive(message_id)
        except PeerError:
            self.abort()
            raise
        self._connection.set_deadline(None)
        if answer.command.status is None:
            raise ProtocolError("the PACS answered a C-ECHO without a status")
        return answer.command.status

    def find(self, query: Askable, *, batch_rows: int = MAX_ROWS) -> FindStream:
        """Send a C-FIND and give its answer as a stream of batches. Raises RefusedError, TransientPeerError.

        A batch ends at `batch_rows` rows, give or take what one read brings: who wants few rows can cancel early.
        """
        name = f"{query.model.known_as} C-FIND"
        context = self._context(FIND_CLASSES[query.model], name)
        message_id = self._next_message_id()
        explicit_vr = context.transfer_syntaxes == (EXPLICIT_VR,)
        identifier = query.encode(explicit_vr=explicit_vr)
        self._stream = FindStream(self._connection, context, message_id, self.peer.limits, batch_rows)
        self._send(context, dimse.find_request(message_id, context.abstract_syntax), identifier)
        return self._stream

    def begin(self, request: Request) -> Exchange:
        """Send a request that is answered by messages. Raises RefusedError, TransientPeerError."""
        context = self._context(request.sop_class, request.name)
        message_id = self._next_message_id()
        identifier = encode_identifier(request.identifier, explicit_vr=context.transfer_syntaxes == (EXPLICIT_VR,))
        max_pdu = self.agreement.max_pdu
        self._stream = Exchange(self._connection, context, message_id, max_pdu, request)
        self._send(context, request.command(message_id), identifier)
        return self._stream

    async def release(self) -> bool:
        """End the association in order; a PACS that does not answer is cut off after a few seconds.

        Gives whether it answered.
        """
        if self._stream is not None and not self._stream.is_over:
            self.abort()
        if self.closed:
            return False
        answered = False
        self._connection.set_deadline(_RELEASE_PATIENCE, "the release")
        self._connection.write(framing.frame(PduType.RELEASE_RQ))
        try:
            while (pdu := await self._connection.next_pdu()).type is not PduType.RELEASE_RP:
                if pdu.type is PduType.RELEASE_RQ:  # both sides release at once (PS3.8 7.2.2)
                    self._connection.write(framing.frame(PduType.RELEASE_RP))
                elif pdu.type is PduType.ABORT:
                    break
            answered = pdu.type is PduType.RELEASE_RP
        except PeerError:
            pass  # it is closed all the same
        self._connection.hang_up()
        return answered

    def abort(self) -> None:
        """End the association at once."""
        self._connection.abort()

    def _context(self, sop_class: str, name: str) -> Context:
        if self._stream is not None and not self._stream.is_over:
            raise RuntimeError("the association still receives an answer: iterate it to its end or cancel it first")
        if self._connection.failure is not None:
            raise self._connection.failure
        for context in self.agreement.contexts.values():
            if context.abstract_syntax == sop_class:
                return context
        raise RefusedError(
            f"{who(self.peer)} does not offer {name} to {self.peer.calling_ae}: "
            f"have it permitted there, or {_other_model(self.peer)}"
        )

    def _next_message_id(self) -> int:
        self._last_message_id = self._last_message_id % 0xFFFF + 1
        return self._last_message_id

    def _send(self, context: Context, command: bytes, dataset: bytes | None) -> None:
        framed = framing.frame_message(context.context_id, command, dataset, self.agreement.max_pdu)
        self._connection.write(framed)

    async def _receive(self, message_id: int) -> Message:
        """Wait for the message that answers `message_id`; others are skipped."""
        reassembler = Reassembler(self.peer.limits.max_object)
        while True:
            pdu = await self._connection.next_pdu()
            if pdu.type is not PduType.P_DATA:
                raise TransientPeerError(f"{who(self.peer)} ended the association instead of answering")
            for pdv in framing.split_pdvs(pdu.body):
                message = reassembler.add(pdv)
                if message is not None and message.command.responding_to == message_id:
                    return message


@asynccontextmanager
async def connect(
    peer: Peer, syntaxes: Sequence[Model | str], *, extended: Mapping[str, bytes] | None = None
) -> AsyncIterator[Association]:
    """Open an association for the body of a `with`; release it at the end, abort it on an error."""
    association = await Association.open(peer, syntaxes, extended=extended)
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    await association.release()


def _sop_class(syntax: Model | str) -> str:
    return FIND_CLASSES[syntax] if isinstance(syntax, Model) else syntax


def _other_model(peer: Peer) -> str:
    return f"set {peer.setting('model')} to a model that is" if peer.is_configured else "ask by a model that is"


def contexts_of(sop_classes: Sequence[str], storage: Sequence[tuple[str, Sequence[str]]]) -> tuple[Context, ...]:
    """Propose each transfer syntax in a context of its own, so that the PACS can accept both and we choose.

    Verification comes first, so that an association can always be tried.
    """
    asked = [(uid, (syntax,)) for uid in (dimse.VERIFICATION, *sop_classes) for syntax in (IMPLICIT_VR, EXPLICIT_VR)]
    pairs = enumerate((*asked, *storage))
    return tuple(Context(2 * place + 1, uid, tuple(syntaxes)) for place, (uid, syntaxes) in pairs)


def _propose(
    peer: Peer,
    sop_classes: Sequence[str],
    extended: Mapping[str, bytes],
    storage: Sequence[tuple[str, Sequence[str]]],
) -> Proposal:
    contexts = contexts_of(sop_classes, storage)
    served = frozenset(uid for uid, _ in storage)
    return Proposal(peer.calling_ae, peer.called_ae, contexts, peer.limits.max_pdu, extended, served, _user(peer))


def _user(peer: Peer) -> tuple[str, str] | None:
    """Give user name and passcode where they are told, which is over TLS alone. RefusedError for a wrong file."""
    if peer.user is None or peer.tls is None:
        return None
    return peer.user.username, line_of(peer.user.passcode) if peer.user.passcode else ""


async def _negotiate(peer: Peer, connection: Connection, proposal: Proposal) -> Agreement:
    connection.set_deadline(peer.limits.connect_timeout, "the association request")
    connection.write(negotiation.encode_request(proposal))
    try:
        pdu = await connection.next_pdu()
    except TransientPeerError as lost:
        raise await _objected(peer, connection, lost) from lost
    if pdu.type is PduType.ASSOCIATE_RJ:
        raise _rejected(peer, *bytes(pdu.body).ljust(4, b"\0")[1:4])
    if pdu.type is PduType.ABORT:
        raise TransientPeerError(f"{who(peer)} aborted instead of accepting the association")
    agreement = negotiation.decode_agreement(pdu, proposal)
    if not agreement.contexts:
        raise RefusedError(
            f"{who(peer)} accepted the association but none of the services that were asked for: "
            f"have them permitted there for {peer.calling_ae}, or {_other_model(peer)}"
        )
    connection.buffer.expected = framing.established(peer.limits.max_pdu)
    connection.set_deadline(None)
    return agreement


async def _objected(peer: Peer, connection: Connection, lost: TransientPeerError) -> PeerError:
    """Say why nothing came after TLS: in 1.3 a server looks at our certificate when we believe to be done."""
    if peer.tls is None or isinstance(lost, ProtocolError):
        return lost
    objection = connection.tls_failure
    if objection is None:  # it may have crossed our request, and been lost: call once more, and say nothing
        listening = await call(peer)
        listening.set_deadline(_OBJECTS_WITHIN, "an objection")
        with suppress(TransientPeerError):
            await listening.more()
        listening.reset()
        objection = listening.tls_failure
    return RefusedError(f"{who(peer)} {tls.why_not_called(peer.tls, objection)}") if objection else lost


def _rejected(peer: Peer, result: int, source: int, reason: int) -> PeerError:
    """Say why an association was rejected, and what to change."""
    if source == _SERVICE_USER and reason == _CALLING_AE_UNKNOWN:
        return RefusedError(
            f"{who(peer)} does not know our AE title {peer.calling_ae}: "
            f"have it registered there for this machine, or set local.ae_title to one that is"
        )
    if source == _SERVICE_USER and reason == _CALLED_AE_UNKNOWN:
        return RefusedError(
            f"{who(peer)} is not called {peer.called_ae}: set {peer.setting('ae_title')} to the AE title of the PACS; "
            f"where it is that already, have {peer.calling_ae} registered there: some say so to whom they do not know"
        )
    if result == _TRANSIENT or source == _PRESENTATION:
        return TransientPeerError(f"{who(peer)} rejected the association for now (source {source}, reason {reason})")
    user = f", and as the user {peer.user.username}" if peer.user else ""
    return RefusedError(
        f"{who(peer)} rejected the association for good (source {source}, reason {reason}): "
        f"ask its administrator whether {peer.calling_ae} may call {peer.called_ae}{user}"
    )
