"""Storage SCP (PS3.4 B.2): listens, and takes what PACS send to us into a store. Touches: network, disk, clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pynetdicom import ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts

from crawler.identity import TlsListen
from crawler.model import AETitle, Limits, Quota
from crawler.pacs import command as dimse
from crawler.pacs.acceptor import AcceptedAssociation, Acceptor, Service, serve
from crawler.pacs.messages import Message, Sink
from crawler.pacs.negotiation import EXPLICIT_VR, IMPLICIT_VR
from crawler.pacs.strangers import Strangers
from crawler.retrieve.expectation import Sender, admits
from crawler.retrieve.layout import Layout, by_hash
from crawler.retrieve.storing import Report, Storing

_TRANSFER_SYNTAXES = tuple(dict.fromkeys((EXPLICIT_VR, IMPLICIT_VR, *ALL_TRANSFER_SYNTAXES)))
"""Any will do, since objects are kept as they are sent. Who proposes several for one context can convert, and is asked
for Explicit VR: nothing is compressed on the way that was not, and private elements keep their VR."""
SYNTAXES = {
    dimse.VERIFICATION: (IMPLICIT_VR,),
    **{str(context.abstract_syntax): _TRANSFER_SYNTAXES for context in AllStoragePresentationContexts},
}
"""What may be sent here: abstract syntax -> transfer syntaxes in order of preference."""


LARGEST_COMMAND = 64 * 1024


@dataclass(frozen=True, slots=True)
class Receiving:
    """Where to listen, for whom, and where to put what comes."""

    store: Path
    ae_title: AETitle
    senders: tuple[Sender, ...]
    layout: Layout = by_hash
    quota: Quota | None = None
    """Of one sender in a day."""
    host: str = "0.0.0.0"
    port: int = 0
    max_associations: int = 25
    max_per_address: int = 10
    limits: Limits = field(default_factory=lambda: replace(Limits(), max_object=LARGEST_COMMAND))
    tls: TlsListen | None = None
    """None takes what comes in the clear, and nothing else."""


class Receiver(Storing):
    """A store that PACS can call; `receive` makes one."""

    acceptor: Acceptor

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.acceptor.port

    def sink_for(self, assoc: AcceptedAssociation, context_id: int, command: dimse.Command) -> Sink | None:
        """Begin an object."""
        return self.begin(assoc.contexts[context_id], command, assoc.calling_ae)

    def answers(self, assoc: AcceptedAssociation, request: Message) -> bool:
        """Answer a request, if there is room for what it brings."""
        if not self.groups.has_room:
            return False
        status, comment = self.end(request)
        assoc.respond(request, status, comment=comment)
        return True

    async def answer(self, assoc: AcceptedAssociation, request: Message) -> None:
        """Answer a request when there is room."""
        status, comment = await self.serve(request)
        assoc.respond(request, status, comment=comment)


@asynccontextmanager
async def receive(receiving: Receiving, report: Report) -> AsyncIterator[Receiver]:
    """Listen for objects until the block ends; what was answered with success is then reported.

    Raises UserError when another process owns the store or a file of `tls` is wrong, OSError when the port cannot be
    had, and what `report` raised.
    """
    async with Receiver.opened(receiving.store, report, receiving.layout, receiving.quota) as receiver:
        service = Service(
            syntaxes=SYNTAXES,
            ae_title=receiving.ae_title,
            admits=lambda ae_title, address: admits(receiving.senders, ae_title, address),
            sink_for=receiver.sink_for,
            answers=receiver.answers,
            turned_away=Strangers(),
            max_associations=receiving.max_associations,
            max_per_address=receiving.max_per_address,
            limits=receiving.limits,
            tls=receiving.tls,
        )
        async with await serve(service, receiver.answer, host=receiving.host, port=receiving.port) as acceptor:
            receiver.acceptor = acceptor
            yield receiver
