"""Storage SCP (PS3.4 B.2): takes what PACS send to us, onto disk, and reports it when it is there for good.

Success is answered when an object is written; it is reported some milliseconds later, when its group is on disk. A
crash in between costs a new request, as what was not reported counts as not received. Touches: network, disk, clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from pynetdicom import ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts

from crawler.model import AETitle, Limits
from crawler.pacs import command as dimse
from crawler.pacs.acceptor import AcceptedAssociation, Acceptor, Service, serve
from crawler.pacs.messages import Message, Sink
from crawler.pacs.negotiation import EXPLICIT_VR, IMPLICIT_VR
from crawler.retrieve.expectation import Expectation, Sender, admits
from crawler.retrieve.groups import Groups
from crawler.retrieve.header import file_meta
from crawler.retrieve.instance import CANNOT_UNDERSTAND, MEANINGS, OUT_OF_RESOURCES, SUCCESS, Instance, rows_of
from crawler.retrieve.spool import Incoming, Spool

_UNRECOGNIZED_OPERATION = 0x0211
_TRANSFER_SYNTAXES = tuple(dict.fromkeys((EXPLICIT_VR, IMPLICIT_VR, *ALL_TRANSFER_SYNTAXES)))
"""Any will do, since objects are kept as they are sent. Who proposes several for one context can convert, and is asked
for Explicit VR: nothing is compressed on the way that was not, and private elements keep their VR."""
_SYNTAXES = {
    dimse.VERIFICATION: (IMPLICIT_VR,),
    **{str(context.abstract_syntax): _TRANSFER_SYNTAXES for context in AllStoragePresentationContexts},
}

Report = Callable[[pa.Table], None]
"""Takes rows of `FILES` that are durable. Called in a thread; what it raises ends the receiver."""


@dataclass(frozen=True, slots=True)
class Receiving:
    """Where to listen, for whom, and where to put what comes."""

    store: Path
    ae_title: AETitle
    senders: tuple[Sender, ...]
    host: str = "0.0.0.0"
    port: int = 0
    max_associations: int = 25
    max_per_address: int = 10
    limits: Limits = field(default_factory=lambda: Limits(max_object=64 * 1024))


class Receiver:
    """What takes objects; `receive` makes one. Set `expectation` to what is wanted, at any time."""

    def __init__(self, spool: Spool, report: Report) -> None:
        self.expectation = Expectation()
        self.refusals: Counter[int] = Counter()
        """How many objects were refused, by status."""
        self.acceptor: Acceptor
        self.groups = Groups(self._settle)
        self._spool = spool
        self._report = report

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.acceptor.port

    @property
    def trouble(self) -> OSError | None:
        """Why nothing can be written; every object is refused until `resume`."""
        return self._spool.trouble

    def resume(self) -> None:
        """Try to write again."""
        self._spool.trouble = None

    def sink_for(self, assoc: AcceptedAssociation, context_id: int, command: dimse.Command) -> Sink | None:
        """Begin an object."""
        if command.field != dimse.C_STORE_RQ:
            return None
        context = assoc.contexts[context_id]
        instance = Instance(command.sop_class, command.sop_instance, context.transfer_syntaxes[0], assoc.calling_ae)
        refusal = instance.refusal(context.abstract_syntax)
        if self._spool.trouble is not None or self.groups.is_over:
            refusal = OUT_OF_RESOURCES
        meta = b""
        if refusal == SUCCESS:
            meta = file_meta(instance.sop_class, instance.sop_instance, instance.transfer_syntax)
        incoming = Incoming(self._spool, instance, meta, lambda head: instance.judge(head, self.expectation))
        if refusal != SUCCESS:
            incoming.refuse(refusal)
        return incoming

    async def answer(self, assoc: AcceptedAssociation, request: Message) -> None:
        """Answer a C-STORE or a C-ECHO."""
        if request.command.field == dimse.C_ECHO_RQ:
            assoc.respond(request, SUCCESS)
            return
        if request.command.field != dimse.C_STORE_RQ:
            assoc.respond(request, _UNRECOGNIZED_OPERATION)
            return
        status = CANNOT_UNDERSTAND
        if isinstance(request.sink, Incoming) and (status := request.sink.finish()) == SUCCESS:
            await self.groups.add(request.sink)
        if status != SUCCESS:
            self.refusals[status] += 1
        assoc.respond(request, status, comment=MEANINGS.get(status, ""))

    def _settle(self, group: list[Incoming]) -> None:
        if kept := self._spool.settle(group):
            self._report(rows_of(kept, datetime.now(UTC).replace(tzinfo=None)))


@asynccontextmanager
async def receive(receiving: Receiving, report: Report) -> AsyncIterator[Receiver]:
    """Listen for objects until the block ends; what was answered with success is then reported.

    Raises UserError when another process owns the store, OSError when the port cannot be had, and what `report` raised.
    """
    spool = Spool.open(receiving.store)
    try:
        receiver = Receiver(spool, report)
        service = Service(
            syntaxes=_SYNTAXES,
            ae_title=receiving.ae_title,
            admits=lambda ae_title, address: admits(receiving.senders, ae_title, address),
            sink_for=receiver.sink_for,
            max_associations=receiving.max_associations,
            max_per_address=receiving.max_per_address,
            limits=receiving.limits,
        )
        try:
            async with await serve(service, receiver.answer, host=receiving.host, port=receiving.port) as acceptor:
                receiver.acceptor = acceptor
                yield receiver
        finally:
            await receiver.groups.close()
    finally:
        spool.close()
