"""The HTTP client of a DICOMweb server: what it bears, and what it says when it does not."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from crawler.errors import PeerError, RefusedError, TransientPeerError
from crawler.identity import NamedFile, TlsCall, TlsIdentity
from crawler.model import AETitle, Identifiers, Level, Limits, Model, Outcome, Peer, WebAccess
from crawler.pacs.identifier import Query
from crawler.pacs.profile import Profile
from crawler.pacs.web import LARGEST_PAGE, Page, WebClient
from jobs.gate import Gate
from jobs.ledger import Ledger
from jobs.web import WebCaller
from tests.acceptance.access import make_certificate
from tests.integration.authority import Authority
from tests.integration.qido_server import Manner, qido_server
from tests.integration.tls_servers import OLD, openssl_server

PATIENT = Limits()
HASTY = Limits(connect_timeout=5, idle_timeout=0.3, total_timeout=5)
SEARCH = "studies?PatientName=Doe&limit=5&offset=0"


def _peer(web: WebAccess, limits: Limits, tls: TlsCall | None = None) -> Peer:
    return Peer("web", "127.0.0.1", 1, AETitle("DICOMWEB"), AETitle("US"), limits, tls, web=web)


def _asked(web: WebAccess, limits: Limits = PATIENT, tls: TlsCall | None = None) -> Page:
    async def ask() -> Page:
        client = WebClient(_peer(web, limits, tls), web)
        try:
            return await client.page(SEARCH)
        finally:
            await client.close()

    return asyncio.run(ask())


@contextmanager
def _saying(*pieces: bytes) -> Iterator[str]:
    """Serve one connection: these pieces, whatever is asked, and then silence."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                for piece in pieces:
                    try:
                        connection.sendall(piece)
                    except OSError:
                        return
                over.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/rs"
        finally:
            over.set()
            thread.join()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\n"


@pytest.mark.parametrize(
    "pieces",
    [(), (HEAD,), (HEAD + b"Content-Length: 9\r\n\r\n[",), (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n",)],
)
def test_silence_is_not_waited_for(pieces: tuple[bytes, ...]) -> None:
    with _saying(*pieces) as url, pytest.raises(TransientPeerError, match="did not answer in time") as lost:
        _asked(WebAccess(url), HASTY)
    assert "Doe" not in str(lost.value)


def test_a_page_without_end_is_refused_as_too_much() -> None:
    block = b"[" + b" " * (1 << 20)
    with _saying(HEAD + b"Connection: close\r\n\r\n", *[block] * (2 * LARGEST_PAGE >> 20)) as url:
        assert _asked(WebAccess(url)) == Page([], status=0xA700)


@pytest.mark.parametrize("status", [429, 503])
def test_who_is_busy_is_asked_later(status: int) -> None:
    with qido_server(Manner(status=status)) as server, pytest.raises(TransientPeerError, match=f"HTTP {status} for no"):
        _asked(WebAccess(server.url))


def test_nobody_there_is_said_without_the_question() -> None:
    with pytest.raises(TransientPeerError, match="cannot be reached") as lost:
        _asked(WebAccess("http://127.0.0.1:9/rs"), HASTY)
    assert "Doe" not in str(lost.value)


def test_a_certificate_is_looked_at(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    make_certificate(tmp_path, "client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    context.load_verify_locations(tmp_path / "client.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with qido_server(Manner(studies=3)) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        web = WebAccess(server.url.replace("http:", "https:"))
        stranger = TlsCall("pacs.web", "127.0.0.1")
        trusting = replace(stranger, ca=NamedFile(tmp_path / "server.pem", "pacs.web.ca_file"))
        with pytest.raises(
            RefusedError, match=r"nobody signed whom we trust: set pacs\.web\.ca_file to the CA that did$"
        ):
            _asked(web, tls=stranger)
        ours = (NamedFile(tmp_path / f"client.{kind}", "pacs.web.certificate_file") for kind in ("pem", "key"))
        assert len(_asked(web, tls=replace(trusting, identity=TlsIdentity(*ours))).datasets) == 3
        with pytest.raises(PeerError):  # the reason for it may cross our request, and be lost
            _asked(web, HASTY, trusting)
        missing = NamedFile(tmp_path / "missing.pem", "pacs.web.ca_file")
        with pytest.raises(RefusedError, match=r"pacs\.web\.ca_file: .*missing\.pem cannot be read"):
            _asked(web, tls=replace(stranger, ca=missing))


def test_https_is_as_safe_as_tls_elsewhere(tmp_path: Path) -> None:
    hospital = Authority(tmp_path, "hospital")
    with openssl_server(hospital.issue("old"), *OLD) as port:
        trusting = TlsCall("pacs.web", "127.0.0.1", NamedFile(hospital.ca, "pacs.web.ca_file"))
        with pytest.raises(RefusedError, match=r"speaks TLS 1\.1 or older alone"):
            _asked(WebAccess(f"https://127.0.0.1:{port}/rs"), tls=trusting)


def test_a_request_under_way_can_be_given_up() -> None:
    async def ask(web: WebAccess) -> tuple[Outcome, int]:
        gate = Gate("web")
        caller = WebCaller(_peer(web, PATIENT), web, gate, Profile())
        ledger = Ledger(Level.STUDY)
        asked = asyncio.create_task(caller.ask(Query(Model.STUDY_ROOT, Level.STUDY), ledger, _keep))
        while not asked.done():
            gate.cut()
            await asyncio.wait({asked}, timeout=0.05)
        return asked.result(), ledger.queries

    with _saying(HEAD) as url:
        assert asyncio.run(ask(WebAccess(url))) == (Outcome.INTERRUPTED, 1)


def test_each_page_is_a_query_to_the_gate() -> None:
    async def ask(web: WebAccess) -> tuple[Outcome, int, int]:
        rows: list[int] = []

        async def keep(batch: Identifiers) -> None:
            rows.append(len(batch))

        caller = WebCaller(_peer(web, PATIENT), web, Gate("web"), Profile())
        ledger = Ledger(Level.STUDY)
        outcome = await caller.ask(Query(Model.STUDY_ROOT, Level.STUDY), ledger, keep)
        await caller.hang_up()
        return outcome, ledger.queries, sum(rows)

    with qido_server(Manner(studies=150)) as server:
        assert asyncio.run(ask(WebAccess(server.url, page_rows=100))) == (Outcome.SUCCESS, 3, 150)
        assert len(server.asked) == 3


async def _keep(_batch: Identifiers) -> None:
    """Keep nothing."""
