"""A peer on loopback for association tests, and how to call it. Touches: network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from crawler.model import AETitle, Limits, Model, Peer, Window
from crawler.pacs import command as dimse
from crawler.pacs import framing, negotiation
from crawler.pacs.acceptor import AcceptedAssociation, Acceptor, Service, serve
from crawler.pacs.association import Association
from crawler.pacs.identifier import Query
from crawler.pacs.messages import Message
from crawler.pacs.sop_classes import FIND_CLASSES

FIND = FIND_CLASSES[Model.STUDY_ROOT]
SYNTAXES = dict.fromkeys((dimse.VERIFICATION, FIND), (negotiation.IMPLICIT_VR, negotiation.EXPLICIT_VR))
EVERYTHING = Query.of_window(Model.STUDY_ROOT, Window())
ROWS = 60_000
HASTE = Limits(connect_timeout=5, idle_timeout=0.4, total_timeout=20)


async def answer(assoc: AcceptedAssociation, request: Message) -> None:
    """Answer an echo, and a C-FIND with many small identifiers until it is cancelled."""
    if request.command.field == dimse.C_ECHO_RQ:
        assoc.respond(request, 0)
        return
    pending = dimse.response(request.command, 0xFF00, has_dataset=True)
    for first in range(0, ROWS, 1000):
        if assoc.is_cancelled(request.command.message_id):
            assoc.respond(request, 0xFE00)
            return
        rows = [b"\x20\0\x0d\0\x08\0\0\0%08d" % number for number in range(first, first + 1000)]
        assoc.write(framing.frame_messages(request.context_id, pending, rows, assoc.max_pdu))
        await assoc.drain()
        await asyncio.sleep(0)
    assoc.respond(request, 0, comment="done")


@asynccontextmanager
async def acceptor(
    handler: Callable[[AcceptedAssociation, Message], Awaitable[None]] = answer, **settings: object
) -> AsyncIterator[Acceptor]:
    service = Service(syntaxes=SYNTAXES, **settings)  # type: ignore[arg-type]  # each test gives what it needs
    async with await serve(service, handler) as server:
        yield server


def peer(port: int, called: str = "SIM", calling: str = "ME", limits: Limits | None = None) -> Peer:
    return Peer("test", "127.0.0.1", port, AETitle(called), AETitle(calling), limits or Limits())


async def rows_of(assoc: Association, query: Query = EVERYTHING) -> tuple[list[bytes], int | None]:
    stream, rows = assoc.find(query), []
    async for batch in stream:
        rows += [bytes(batch.data[low:high]) for low, high in zip(batch.starts, batch.ends, strict=True)]
    assert stream.rows == len(rows)
    return rows, stream.status
