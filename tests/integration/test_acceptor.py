"""Being called: what strangers, mistakes and DCMTK's tools meet."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from crawler.errors import TransientPeerError
from crawler.identity import NamedFile, TlsIdentity, TlsListen
from crawler.pacs import command as dimse
from crawler.pacs import framing
from crawler.pacs.acceptor import AcceptedAssociation
from crawler.pacs.association import Association, connect
from crawler.pacs.framing import PduBuffer, PduType
from crawler.pacs.messages import Message
from tests.integration.authority import Authority
from tests.integration.calls import FIND, acceptor, peer


@pytest.mark.parametrize(
    "greeting",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        framing.HEADER.pack(PduType.P_DATA, 0, 100) + b"x" * 100,
        framing.HEADER.pack(PduType.ASSOCIATE_RQ, 0, 0xFFFF_FFFF),
        framing.frame(PduType.ASSOCIATE_RQ, b"\0\1" + b"\xff" * 200),
        framing.frame(PduType.ASSOCIATE_RQ, b""),
        framing.HEADER.pack(PduType.ASSOCIATE_RQ, 0, 1000) + b"half",
        b"",
    ],
)
def test_a_stranger_is_cut_off_and_the_server_goes_on(greeting: bytes) -> None:
    async def scenario() -> None:
        async with acceptor(handshake_timeout=0.3) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(greeting)
            async with asyncio.timeout(3):
                reply = await reader.read()
            assert reply[:1] in (b"", bytes((PduType.ABORT,)))
            writer.close()
            async with connect(peer(server.port), [FIND]) as assoc:
                assert await assoc.echo() == 0

    asyncio.run(scenario())


def test_a_mistake_in_a_handler_aborts_that_association_alone() -> None:
    async def clumsy(assoc: AcceptedAssociation, request: Message) -> None:
        raise ZeroDivisionError

    async def scenario() -> None:
        reported: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
        async with acceptor(clumsy) as server:
            for _ in range(2):
                assoc = await Association.open(peer(server.port), [FIND])
                with pytest.raises(TransientPeerError, match="ended the association"):
                    await assoc.echo()
        assert [type(error) for error in reported] == [ZeroDivisionError, ZeroDivisionError]

    asyncio.run(scenario())


def test_a_context_that_was_not_accepted_is_refused() -> None:
    async def scenario() -> None:
        async with acceptor() as server:
            assoc = await Association.open(peer(server.port), [FIND])
            assoc._connection.write(framing.frame_message(99, dimse.echo_request(1), None))
            pdu = await assoc._connection.next_pdu()
            assert pdu.type is PduType.ABORT
            assoc.abort()

    asyncio.run(scenario())


def test_dcmtk_is_answered(dcmtk_tool: Callable[[str], Path]) -> None:
    async def scenario() -> None:
        async with acceptor(ae_title="SIM") as server:
            place = ("-aec", "SIM", "127.0.0.1", str(server.port))
            for command in (
                [dcmtk_tool("echoscu"), *place],
                [dcmtk_tool("findscu"), "-q", "-S", *place, "-k", "QueryRetrieveLevel=STUDY"],
                [dcmtk_tool("findscu"), "-q", "-S", "--cancel", "3", *place, "-k", "QueryRetrieveLevel=STUDY"],
            ):
                process = await asyncio.create_subprocess_exec(*map(str, command))
                assert await process.wait() == 0

    asyncio.run(scenario())


def test_handshakes_that_come_to_nothing_leave_nothing(tmp_path: Path) -> None:
    """Begin TLS three hundred times and go, while Python collects nothing by itself."""
    issued = Authority(tmp_path, "hospital").issue("ours")
    identity = TlsIdentity(NamedFile(issued.certificate, "certificate"), NamedFile(issued.key, "key"))
    incoming, hello = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(incoming, hello, server_hostname="ours").do_handshake()
    greeting = hello.read()

    async def scenario() -> int:
        async with acceptor(tls=TlsListen(identity), max_per_second=10_000) as server:
            for _ in range(300):
                with socket.create_connection(("127.0.0.1", server.port), 10) as link:
                    link.sendall(greeting)
                    await asyncio.sleep(0.002)
            await asyncio.sleep(0.2)
            return sum(isinstance(one, PduBuffer) for one in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(scenario()) < 150
    finally:
        gc.enable()
