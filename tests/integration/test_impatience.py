"""A server that does not wait for ever: for TLS to begin, for a request to come, for an answer to be taken."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from crawler.identity import NamedFile, TlsIdentity, TlsListen
from crawler.serve.listening import MOST_CONNECTIONS, Certificate, Patience, Server, listen
from tests.acceptance.access import make_certificate
from tests.acceptance.serving import wait_until

IMPATIENT = Patience(handshake=0.5, request=0.5, stalled=0.5)
MUCH = 50_000_000


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what came, or with very much."""
    request = Request(scope, receive)
    body = await request.body()
    answer: Response = PlainTextResponse(b"x" * MUCH if scope["path"] == "/much" else body)
    await answer(scope, receive, send)


@contextmanager
def running(certificate: Certificate | None, patience: Patience) -> Iterator[Server]:
    with listen(("127.0.0.1", 0)) as channel:
        server = Server(app, certificate, patience)
        thread = Thread(target=lambda: asyncio.run(server.serve(sockets=[channel])))
        thread.start()
        wait_until(lambda: server.started)
        yield server
        server.should_exit = server.force_exit = True
        thread.join()


def connect(server: Server) -> socket.socket:
    return socket.create_connection(server.servers[0].sockets[0].getsockname(), timeout=60)


def shown_by(folder: Path) -> TlsListen:
    """Name the certificate that was made in a folder."""
    files = (NamedFile(folder / name, "serve") for name in ("server.pem", "server.key"))
    return TlsListen(TlsIdentity(*files))


@pytest.fixture(params=["plain", "tls"])
def connected(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    certificate, context = None, None
    if request.param == "tls":
        make_certificate(tmp_path)
        certificate = Certificate(shown_by(tmp_path))
        context = ssl.create_default_context(cafile=tmp_path / "server.pem")
    with running(certificate, IMPATIENT) as server, connect(server) as client:
        if context is None:
            yield client
            return
        with context.wrap_socket(client, server_hostname="localhost") as secure:
            yield secure


def closed(client: socket.socket) -> bytes:
    """Wait until the other side has closed; give what it sent before."""
    found = b""
    with suppress(ConnectionError, ssl.SSLError):
        while more := client.recv(1 << 20):
            found += more
    return found


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: local",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    ],
    ids=["silent", "half a head", "half a body", "chunks without end"],
)
def test_who_does_not_end_a_request_is_cut_off(connected: socket.socket, sent: bytes) -> None:
    connected.sendall(sent)
    assert closed(connected) == b""


def test_who_does_not_end_the_second_request_is_cut_off(connected: socket.socket) -> None:
    connected.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert connected.recv(1000).startswith(b"HTTP/1.1 200 ")
    connected.sendall(b"GET /")
    assert b"HTTP" not in closed(connected)


def test_who_takes_no_answer_is_cut_off() -> None:
    with running(None, IMPATIENT) as server, connect(server) as client:
        client.sendall(b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"
        wait_until(lambda: not server.server_state.connections)
        assert len(closed(client)) < MUCH


def test_who_does_not_begin_tls_is_cut_off(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    certificate = Certificate(shown_by(tmp_path))
    with running(certificate, IMPATIENT) as server, connect(server) as client:
        client.sendall(b"\x16\x03\x01")
        assert closed(client) == b""


def test_there_are_never_more_connections_than_can_be() -> None:
    with running(None, Patience(request=3600)) as server, ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS):
            stack.enter_context(connect(server))
        wait_until(lambda: len(server.server_state.connections) == MOST_CONNECTIONS)
        assert closed(stack.enter_context(connect(server))) == b""


def test_who_comes_where_many_are_is_told_to_come_later() -> None:
    with running(None, Patience()) as server, ExitStack() as stack:
        *_, last = [stack.enter_context(connect(server)) for _ in range(MOST_CONNECTIONS // 2)]
        wait_until(lambda: len(server.server_state.connections) == MOST_CONNECTIONS // 2)
        last.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 503 " in closed(last)
