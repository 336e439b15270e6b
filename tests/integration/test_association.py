"""Calling: our requestor against our acceptor, well-behaved and not."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable

import pytest

from crawler.errors import RefusedError, TransientPeerError
from crawler.model import AETitle, Limits, Model, Peer, Window
from crawler.pacs import command as dimse
from crawler.pacs import framing, negotiation
from crawler.pacs.acceptor import AcceptedAssociation, Service, serve
from crawler.pacs.association import Association, connect
from crawler.pacs.framing import PduType
from crawler.pacs.identifier import Query
from crawler.pacs.messages import Message
from tests.integration.calls import EVERYTHING, FIND, HASTE, ROWS, acceptor, answer, peer, rows_of


def test_echo_and_find_on_one_association() -> None:
    async def scenario() -> None:
        async with acceptor() as server, connect(peer(server.port), [Model.STUDY_ROOT]) as assoc:
            for _ in range(2):
                assert await assoc.echo() == 0
                rows, status = await rows_of(assoc)
                assert (len(rows), rows[-1][-8:], status) == (ROWS, b"%08d" % (ROWS - 1), 0)
            assert server.associations == 1
        assert assoc.closed

    asyncio.run(scenario())


@pytest.mark.parametrize("max_pdu", [64, 200, 16384, 1 << 20])
def test_every_pdu_length_gives_the_same_rows(max_pdu: int) -> None:
    async def scenario() -> None:
        limits = Limits(max_pdu=max_pdu)
        async with acceptor() as server, connect(peer(server.port, limits=limits), [Model.STUDY_ROOT]) as assoc:
            rows, status = await rows_of(assoc)
            assert [row[-8:] for row in rows] == [b"%08d" % number for number in range(ROWS)]
            assert status == 0

    asyncio.run(scenario())


def test_two_associations_at_once() -> None:
    async def scenario() -> None:
        async with acceptor() as server:
            async with connect(peer(server.port), [FIND]) as one, connect(peer(server.port), [FIND]) as other:
                answers = await asyncio.gather(rows_of(one), rows_of(other))
            assert [len(rows) for rows, _ in answers] == [ROWS, ROWS]
            assert server.peak == 2

    asyncio.run(scenario())


def test_a_cancelled_find_leaves_the_association_usable() -> None:
    async def scenario() -> None:
        async with acceptor() as server, connect(peer(server.port), [Model.STUDY_ROOT]) as assoc:
            stream = assoc.find(EVERYTHING)
            await anext(stream)
            assert await stream.cancel()
            assert stream.status == 0xFE00
            assert stream.rows < ROWS
            assert await assoc.echo() == 0

    asyncio.run(scenario())


def test_a_cancel_that_is_ignored_ends_in_an_abort(monkeypatch: pytest.MonkeyPatch) -> None:
    async def deaf(assoc: AcceptedAssociation, request: Message) -> None:
        await assoc.wait_closed(10)

    async def scenario() -> None:
        async with acceptor(deaf) as server:
            assoc = await Association.open(peer(server.port), [Model.STUDY_ROOT])
            assert not await assoc.find(EVERYTHING).cancel()
            assert assoc.closed

    monkeypatch.setattr("crawler.pacs.find.CANCEL_PATIENCE", 0.2)
    asyncio.run(scenario())


def test_an_unfinished_answer_blocks_the_next_request() -> None:
    async def scenario() -> None:
        async with acceptor() as server:
            assoc = await Association.open(peer(server.port), [Model.STUDY_ROOT])
            await anext(assoc.find(EVERYTHING))
            with pytest.raises(RuntimeError, match="iterate it to its end or cancel"):
                assoc.find(EVERYTHING)
            assoc.abort()

    asyncio.run(scenario())


def test_extended_negotiation_is_granted_as_far_as_it_is_offered() -> None:
    async def scenario() -> None:
        asked, offered = {FIND: b"\1\1\1\0"}, {FIND: b"\1\0\1"}
        async with (
            acceptor(extended=offered) as server,
            connect(peer(server.port), [FIND], extended=asked) as assoc,
        ):
            assert assoc.agreement.extended == {FIND: b"\1\0\1\0"}

    asyncio.run(scenario())


def test_explicit_vr_is_asked_where_implicit_is_refused() -> None:
    async def scenario() -> None:
        service = Service(syntaxes={FIND: (negotiation.EXPLICIT_VR,)})
        async with await serve(service, answer) as server, connect(peer(server.port), [FIND]) as assoc:
            batch = await anext(stream := assoc.find(EVERYTHING))
            assert batch.explicit_vr
            await stream.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"ae_title": "OTHER"}, RefusedError, "is not called SIM: set pacs.test.ae_title"),
        (
            {"admits": lambda ae_title, _: ae_title == "YOU"},
            RefusedError,
            "does not know our AE title ME: .* local.ae_title",
        ),
        ({"max_associations": 0}, TransientPeerError, "rejected the association for now"),
    ],
)
def test_a_rejection_says_what_to_change(settings: dict[str, object], error: type[Exception], says: str) -> None:
    async def scenario() -> None:
        async with acceptor(answer, **settings) as server:
            with pytest.raises(error, match=says):
                await Association.open(peer(server.port), [Model.STUDY_ROOT])

    asyncio.run(scenario())


def test_a_model_that_is_not_offered_is_named() -> None:
    async def scenario() -> None:
        async with acceptor() as server, connect(peer(server.port), list(Model)) as assoc:
            with pytest.raises(RefusedError, match="does not offer Patient Root C-FIND to ME"):
                assoc.find(Query.of_window(Model.PATIENT_ROOT, Window()))

    asyncio.run(scenario())


def test_nobody_there() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        with pytest.raises(TransientPeerError, match="nothing listens at PACS test"):
            await Association.open(peer(port), [FIND])
        unknown = Peer("test", "no-such-host.invalid", 104, AETitle("A"), AETitle("B"))
        with pytest.raises((RefusedError, TransientPeerError), match="cannot be resolved"):
            await Association.open(unknown, [FIND])

    asyncio.run(scenario())


async def _rows_then(assoc: AcceptedAssociation, request: Message) -> None:
    pending = dimse.response(request.command, 0xFF00, has_dataset=True)
    assoc.write(framing.frame_messages(request.context_id, pending, [b"row1", b"row2"], assoc.max_pdu))
    await asyncio.sleep(0.05)


async def aborts(assoc: AcceptedAssociation, request: Message) -> None:
    await _rows_then(assoc, request)
    assoc.abort()


async def resets(assoc: AcceptedAssociation, request: Message) -> None:
    await _rows_then(assoc, request)
    assoc.reset()


async def hangs(assoc: AcceptedAssociation, request: Message) -> None:
    await _rows_then(assoc, request)
    await assoc.wait_closed(10)


async def babbles(assoc: AcceptedAssociation, request: Message) -> None:
    await _rows_then(assoc, request)
    assoc.write(framing.HEADER.pack(PduType.P_DATA, 0, 0xFFFF_FFFF))
    await assoc.wait_closed(10)


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (aborts, "aborted the association before its final response"),
        (resets, "was lost|closed"),
        (hangs, "was silent for 0.4 s"),
        (babbles, "the limit for its type"),
    ],
)
def test_an_association_lost_in_mid_answer_keeps_its_rows(
    handler: Callable[[AcceptedAssociation, Message], Awaitable[None]], says: str
) -> None:
    async def scenario() -> None:
        async with acceptor(handler) as server:
            assoc = await Association.open(peer(server.port, limits=HASTE), [FIND])
            stream = assoc.find(EVERYTHING)
            assert len(await anext(stream)) == 2
            with pytest.raises(TransientPeerError, match=says):
                await anext(stream)
            assert (stream.status, assoc.closed) == (None, True)

    asyncio.run(scenario())


def test_an_endless_answer_is_cut_after_the_total_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    async def trickles(assoc: AcceptedAssociation, request: Message) -> None:
        while assoc.is_open:
            await _rows_then(assoc, request)

    async def scenario() -> None:
        limits = Limits(idle_timeout=5, total_timeout=0.5)
        async with acceptor(trickles) as server:
            assoc = await Association.open(peer(server.port, limits=limits), [FIND])
            began = time.monotonic()
            with pytest.raises(TransientPeerError, match=r"a C-FIND with PACS test .* took too long"):
                await rows_of(assoc)
            assert time.monotonic() - began < 3

    monkeypatch.setattr("crawler.pacs.find.CANCEL_PATIENCE", 0.2)
    asyncio.run(scenario())


def test_a_slow_reader_holds_the_sender_back() -> None:
    async def scenario() -> None:
        async with acceptor() as server, connect(peer(server.port), [FIND]) as assoc:
            stream = assoc.find(EVERYTHING)
            await anext(stream)
            await asyncio.sleep(0.3)
            assert len(assoc._connection.buffer) <= assoc._connection.buffer.capacity
            assert stream.rows < ROWS
            async for _ in stream:
                pass
            assert (stream.rows, stream.status) == (ROWS, 0)

    asyncio.run(scenario())
