"""Association acceptor: listens, negotiates, and hands each complete request to a handler (PS3.8 7.1 to 7.4).

A stranger can cost little: the handshake has a deadline, the associations are counted, and every PDU, message and
object has a cap. What a request means is the handler's business.
Touches: network, clock.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType
from typing import NamedTuple

from crawler.errors import PeerError, ProtocolError, TransientPeerError
from crawler.identity import TlsListen
from crawler.model import Limits
from crawler.pacs import command as dimse
from crawler.pacs import framing, negotiation
from crawler.pacs.doorway import TOO_MANY, Doorway, Manners, turned_back
from crawler.pacs.framing import Pdu, PduBuffer, PduType
from crawler.pacs.inbox import Inbox
from crawler.pacs.leftovers import Leftovers
from crawler.pacs.messages import Message, Reassembler, Sink
from crawler.pacs.negotiation import Agreement, Proposal
from crawler.pacs.upper_layer import Connection
from crawler.tls import Answering, why_not_answered

PERMANENT, TRANSIENT = 1, 2
"""Results of an A-ASSOCIATE-RJ (PS3.8 table 9-21)."""
CALLING_AE_UNKNOWN = (PERMANENT, 1, 3)
CALLED_AE_UNKNOWN = (PERMANENT, 1, 7)
USER_UNKNOWN = (PERMANENT, 1, 1)
LIMIT_EXCEEDED = (TRANSIENT, 3, 2)
_REFUSED = {
    CALLING_AE_UNKNOWN: "its AE title may not call from there",
    CALLED_AE_UNKNOWN: "it calls us by another AE title",
    USER_UNKNOWN: "it names no user, or another one than its AE title must",
    LIMIT_EXCEEDED: "too many associations",
}
_PASSING = 32
"""Connections beside the associations: in their handshake, or released and not hung up. Of more one of that address
goes that has most of them."""
_CANCELLED = 16
"""C-CANCELs that are remembered; a peer has one request under way, and may name any other."""
_REMEMBERED = 100
"""Kinds of rejections that are told apart: a stranger can think of any number of AE titles."""


@dataclass(frozen=True, slots=True)
class Service:
    """What an acceptor offers, and to whom."""

    syntaxes: Mapping[str, Sequence[str]]
    """Abstract syntax -> transfer syntaxes in order of preference."""
    ae_title: str | None = None
    """Our AE title; None answers to any."""
    admits: Callable[[str, str], bool] | None = None
    """Says whether this AE title may call from this address; None lets everybody in."""
    knows: Callable[[str, tuple[str, str] | None], bool] | None = None
    """Says whether who calls by this AE title may be this user, by name and passcode; None asks for no user."""
    extended: Mapping[str, bytes] = field(default_factory=dict)
    """SOP class -> the extended negotiation flags that we can grant (PS3.4 C.5.1.1)."""
    stores_back: bool = False
    """Whether requestors may be the SCP of any SOP class that we offer, as a C-GET needs it."""
    sink_for: Callable[[AcceptedAssociation, int, dimse.Command], Sink | None] | None = None
    """Says where the dataset of a request goes, by presentation context and command; None keeps it in memory."""
    answers: Callable[[AcceptedAssociation, Message], bool] | None = None
    """Answers a request as it is received, which spares a switch of tasks; false leaves it to the handler."""
    turned_away: Callable[[str, str], None] | None = None
    """Is told the address of each connection that was closed, or rejected, for what came on it, and why."""
    tls: TlsListen | None = None
    """How callers are answered by TLS, and in no other way; None in the clear."""
    max_associations: int = 25
    max_per_address: int = 25
    max_per_second: int = 100
    """Connections of one address; a PACS that opens one for each image needs some fifty."""
    handshake_timeout: float = 10.0
    limits: Limits = field(default_factory=Limits)


class Rejection(NamedTuple):
    """Whom an acceptor turned away, and why."""

    calling_ae: str
    called_ae: str
    address: str
    reason: tuple[int, int, int]
    """Result, source and reason of the A-ASSOCIATE-RJ."""


class AcceptedAssociation:
    """One association as its acceptor sees it: requests come in, framed bytes go out."""

    def __init__(self, connection: Connection, proposal: Proposal, granted: Agreement, service: Service) -> None:
        self.address = connection.address
        self.calling_ae = proposal.calling_ae
        self.called_ae = proposal.called_ae
        self.contexts = granted.contexts
        """The accepted presentation contexts by id."""
        self.asked_extended = proposal.extended
        """SOP class -> what the peer asked for in extended negotiation."""
        self.served = granted.served
        """SOP classes of which the peer is the SCP: objects may be sent to it."""
        self.max_pdu = proposal.max_pdu
        """Largest P-DATA-TF that the peer takes, 0 for no limit; pass it to `framing`."""
        self.is_released = False
        self._connection = connection
        self._service = service
        self._requests: deque[Message] = deque()
        reassembler = Reassembler(service.limits.max_object, self._sink_for, service.limits.max_received)
        self._inbox = Inbox(connection, reassembler, self._has_news, self._receive, self._end)
        self._cancelled: set[int] = set()

    @property
    def is_open(self) -> bool:
        """Whether the peer can still be answered."""
        return self._connection.failure is None and not self.is_released

    async def next_request(self) -> Message | None:
        """Wait for the next request; None when the peer released the association. Raises PeerError."""
        await self._inbox.wait()
        return self._requests.popleft() if self._requests else None

    def discard(self) -> None:
        """Give up what has not been answered."""
        self._inbox.close()
        for request in self._requests:
            if request.sink is not None:
                request.sink.discard()

    def is_cancelled(self, message_id: int | None) -> bool:
        """Look, without waiting, whether a C-CANCEL for this request has come (after `drain` or a sleep, say)."""
        while self.is_open and not self._requests and self._inbox.digest():
            pass
        return message_id in self._cancelled

    def write(self, data: bytes) -> None:
        """Send framed bytes; follow each large piece by `drain`."""
        self._connection.write(data)

    async def drain(self) -> None:
        """Wait while the peer lags behind. Raises TransientPeerError when it is gone."""
        await self._connection.drain()

    async def keep_up(self) -> None:
        """Do the same, but say nothing of one that is gone and had taken all."""
        if self._connection.lags:
            await self._connection.drain()

    def respond(self, request: Message, status: int, *, comment: str = "") -> None:
        """Send a response without dataset."""
        encoded = dimse.response(request.command, status, comment=comment)
        self.write(framing.frame_message(request.context_id, encoded, None, self.max_pdu))

    def abort(self) -> None:
        """Send A-ABORT and close."""
        self._connection.abort()

    def reset(self) -> None:
        """Cut the connection by a TCP reset."""
        self._connection.reset()

    async def wait_closed(self, seconds: float) -> None:
        """Keep quiet until the peer hangs up, for so many `seconds` at most."""
        await self._connection.wait_closed(seconds)

    def _has_news(self) -> bool:
        return bool(self._requests) or self.is_released

    def _end(self, pdu: Pdu) -> None:
        if pdu.type is not PduType.RELEASE_RQ:
            self._connection.close()
            raise TransientPeerError(f"{self._connection.label} aborted the association")
        self.write(framing.frame(PduType.RELEASE_RP))
        self.is_released = True

    def _sink_for(self, context_id: int, command: dimse.Command) -> Sink | None:
        self._check_context(context_id)
        if self._service.sink_for is None:
            return None
        self._connection.set_deadline(self._service.limits.total_timeout, "an object")
        return self._service.sink_for(self, context_id, command)

    def _check_context(self, context_id: int) -> None:
        if context_id not in self.contexts:
            raise ProtocolError("the peer used a presentation context that was not accepted")

    def _receive(self, message: Message) -> None:
        self._check_context(message.context_id)
        if message.sink is not None:
            self._connection.set_deadline(None)
        if message.command.field == dimse.C_CANCEL_RQ:
            if message.command.responding_to is not None and len(self._cancelled) < _CANCELLED:
                self._cancelled.add(message.command.responding_to)
            return
        # A message id may be used again once its operation has ended (PS3.7 9.1).
        self._cancelled.discard(message.command.message_id or 0)
        answers = None if self._connection.lags else self._service.answers
        if answers is None or not answers(self, message):
            self._requests.append(message)


Handler = Callable[[AcceptedAssociation, Message], Awaitable[None]]
"""Answers one request. It may wait, and it may abort or reset the association."""


class Acceptor:
    """A listening server; `serve` makes one."""

    def __init__(self, service: Service, handler: Handler) -> None:
        self.service = service
        self.associations = 0
        """Associations open now."""
        self.peak = 0
        """Most associations that were ever open at once."""
        self.rejections: Counter[Rejection] = Counter()
        """How many associations were rejected: the first hundred kinds."""
        self.port = 0
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()
        self._passing: dict[asyncio.Task[None], str] = {}
        """The addresses of those that are no association yet, or no longer; the oldest first."""
        self._untaken: set[socket.socket] = set()
        self._addresses: Counter[str] = Counter()
        self._doorway: Doorway | None = None
        self._leftovers = Leftovers()
        self._tls = Answering(service.tls) if service.tls else None

    async def __aenter__(self) -> Acceptor:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def listen(self, host: str, port: int) -> None:
        """Begin to listen; port 0 lets the system choose one, `port` then tells which."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        await self.listen_on(socket.create_server((host, port), family=family))

    async def listen_on(self, channel: socket.socket) -> None:
        """Begin to listen on a socket that is bound already, and is then ours."""
        manners = Manners(self.service.handshake_timeout, self.service.max_per_second)
        self._doorway = Doorway(channel, manners, self._begin, self._turn_away)
        self.port = channel.getsockname()[1]

    async def close(self) -> None:
        """Stop listening and cut every association."""
        if self._doorway is not None:
            self._doorway.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _turn_away(self, address: str, why: str) -> None:
        if self.service.turned_away is not None:
            self.service.turned_away(address, why)

    def _begin(self, channel: socket.socket, address: str) -> None:
        if len(self._passing) >= _PASSING:
            [(most, _)] = Counter(self._passing.values()).most_common(1)
            oldest = next(task for task, of in self._passing.items() if of == most)
            del self._passing[oldest]
            oldest.cancel()
            self._turn_away(most, TOO_MANY)
        self._untaken.add(channel)
        task = asyncio.get_running_loop().create_task(self._take(channel, address))
        self._tasks.add(task)
        self._passing[task] = address
        task.add_done_callback(partial(self._ended, channel))

    def _ended(self, channel: socket.socket, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._passing.pop(task, None)
        self._leftovers.add()
        if channel in self._untaken:  # it was cancelled before it began
            self._untaken.discard(channel)
            channel.close()

    async def _take(self, channel: socket.socket, address: str) -> None:
        """Make a connection of a socket, by TLS or without, and attend to it."""
        self._untaken.discard(channel)
        limits, patience = self.service.limits, self.service.handshake_timeout

        def connection() -> Connection:
            return Connection("the caller", PduBuffer(limits.max_pdu, framing.BEFORE_REQUEST), limits.idle_timeout)

        if self._tls is None and turned_back(channel):
            self._turn_away(address, "speaks TLS, which is not set up here: set tls_certificate and tls_key")
            return
        context = self._tls.context() if self._tls else None
        try:
            _, made = await asyncio.get_running_loop().connect_accepted_socket(
                connection, channel, ssl=context, ssl_handshake_timeout=patience if context else None
            )
        except OSError as error:  # those of TLS too
            self._turn_away(address, why_not_answered(self.service.tls, error) if self.service.tls else "went away")
            return
        await self._attend(made, address)

    async def _attend(self, connection: Connection, address: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            assoc = await self._negotiate(connection)
            if assoc is not None:
                self._passing.pop(task, None)
                self._leftovers.spare()
                await self._converse(assoc)
                self._passing[task] = address
                await connection.wait_closed()
        except ProtocolError as error:
            connection.refuse(str(error))
            self._turn_away(address, str(error))
        except PeerError as error:  # the peer went away or was cut off; there is nobody left to answer
            if connection.is_late and task in self._passing:
                self._turn_away(address, str(error))
        except asyncio.CancelledError:
            connection.abort()
            raise
        except Exception as error:  # a handler's mistake must not stop the server
            connection.abort()
            context = {"message": "a DICOM request handler failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
        finally:
            connection.close()

    async def _negotiate(self, connection: Connection) -> AcceptedAssociation | None:
        connection.set_deadline(self.service.handshake_timeout, "the association request")
        pdu = await connection.next_pdu()
        if pdu.type is not PduType.ASSOCIATE_RQ:
            return None
        proposal = negotiation.decode_request(pdu)
        refusal = self._refusal(proposal, connection.address)
        if refusal is not None:
            self._remember(Rejection(proposal.calling_ae, proposal.called_ae, connection.address, refusal))
            self._turn_away(connection.address, _REFUSED[refusal])
            connection.write(negotiation.rejection(*refusal))
            return None
        limits = self.service.limits
        extended = self.service.extended
        answers = {
            uid: negotiation.flags(asked, extended[uid]) for uid, asked in proposal.extended.items() if uid in extended
        }
        served = proposal.served & self.service.syntaxes.keys() if self.service.stores_back else frozenset[str]()
        if self.service.knows is None:
            proposal = replace(proposal, expects_answer=False)
        reply, granted = negotiation.agree(proposal, self.service.syntaxes, limits.max_pdu, answers, served)
        connection.buffer.expected = framing.established(limits.max_pdu)
        connection.set_deadline(None)
        connection.write(reply)
        return AcceptedAssociation(connection, proposal, granted, self.service)

    async def _converse(self, assoc: AcceptedAssociation) -> None:
        self.associations += 1
        self._addresses[assoc.address] += 1
        self.peak = max(self.peak, self.associations)
        try:
            while (request := await assoc.next_request()) is not None:
                await self._handler(assoc, request)
                await assoc.keep_up()
        finally:
            self.associations -= 1
            self._addresses -= Counter((assoc.address,))  # and forgets who has none left
            assoc.discard()

    def _remember(self, rejection: Rejection) -> None:
        if rejection in self.rejections or len(self.rejections) < _REMEMBERED:
            self.rejections[rejection] += 1

    def _refusal(self, proposal: Proposal, address: str) -> tuple[int, int, int] | None:
        service = self.service
        if service.ae_title is not None and proposal.called_ae != service.ae_title:
            return CALLED_AE_UNKNOWN
        if service.admits is not None and not service.admits(proposal.calling_ae, address):
            return CALLING_AE_UNKNOWN
        if service.knows is not None and not service.knows(proposal.calling_ae, proposal.user):
            return USER_UNKNOWN
        is_full = self.associations >= service.max_associations or self._addresses[address] >= service.max_per_address
        return LIMIT_EXCEEDED if is_full else None


async def serve(service: Service, handler: Handler, *, host: str = "127.0.0.1", port: int = 0) -> Acceptor:
    """Listen for associations and let `handler` answer each request.

    Raises OSError when the port cannot be had, UserError when a file of `service.tls` is wrong.
    Use it as `async with await serve(…) as acceptor:` or call `close()` yourself.
    """
    acceptor = Acceptor(service, handler)
    await acceptor.listen(host, port)
    return acceptor
