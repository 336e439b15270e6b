"""TLS on either side: who cannot show who they are, or speaks nothing that is safe, is refused, and told what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crawler.errors import TransientPeerError
from crawler.identity import NamedFile, TlsIdentity, TlsListen
from crawler.model import Limits
from crawler.pacs.association import Association
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator
from crawler.testing.simulator import running as simulated
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import configure, said, states, sweep
from tests.faults.swept import since
from tests.integration.authority import Authority, Issued
from tests.integration.calls import acceptor, peer
from tests.integration.tls_servers import OLD, asking, openssl_calls, openssl_server

if TYPE_CHECKING:
    from tests.faults.queued import Queued

DAY = date(2024, 1, 1)
YESTERDAY = -timedelta(days=1)

CALLED = {
    "expired": "shows a certificate that has expired: have it renewed there",
    "host": "shows a certificate for another host: set pacs.host.tls_host to the name in it, or have one issued for",
    "unknown": "shows a certificate that nobody signed whom we trust: set pacs.unknown.ca_file to the CA that did, or",
    "old": "speaks TLS 1.1 or older alone, which is broken: have TLS 1.2 or 1.3 enabled there",
    "asking": "wants a certificate of ours: set pacs.asking.certificate_file to one that it accepts",
    "plain": "does not speak TLS at this port: set pacs.plain.port to its port for TLS, which often is 2762",
}
"""What is told of PACS that are called, by what is wrong with them."""

CALLING = {
    "expired": "shows a certificate that has expired: have it renewed there",
    "unknown": "shows a certificate that nobody signed whom we trust: add its CA to local.tls_client_ca if it may call",
    "none": "shows no certificate: have one entered there that is signed by local.tls_client_ca",
    "old": "speaks TLS 1.1 or older alone, which is broken: have TLS 1.2 or 1.3 enabled there",
    "plain": "does not speak TLS at this port: have TLS enabled there for us",
}
"""The same of callers."""
UNEXPECTED = "speaks TLS, which is not set up here: set tls_certificate and tls_key"


def test_tls_faults(tmp_path: Path, queued: Queued | None, long: bool) -> None:
    hospital, nobody = Authority(tmp_path, "hospital"), Authority(tmp_path, "nobody")
    with _pacs(hospital, nobody) as ports:
        configure(tmp_path, ports, tls="true", ca_file=f'"{hospital.ca}"', connect_timeout=20)
        echoed = pacslake(tmp_path, "echo", *ports)
        asked = CALLED if long else ("plain",)
        if queued:
            done = queued.do(tmp_path, "sweep", pacs=[*asked], **since(DAY))
            code, words = done.code, "\n".join(done.said)
        else:
            swept = sweep(tmp_path, *asked, "--from", str(DAY), "--to", str(DAY))
            code, words = swept.returncode, said(swept)
    assert (echoed.returncode, code) == (1, 3), words
    for name, sentence in CALLED.items():
        trouble = f"PACS {name} (127.0.0.1:{ports[name]}) {sentence}"
        assert trouble in said(echoed)
        assert name not in asked or f"{name}: NOT crawled: {trouble}" in words
        assert "complete" not in states(tmp_path, name)
    asyncio.run(_be_called(hospital, nobody))


async def _be_called(hospital: Authority, nobody: Authority) -> None:
    """Answer callers of each kind, of whom none gets an association."""
    ours = hospital.issue("ours")
    certificate, key = NamedFile(ours.certificate, "local.tls_certificate"), NamedFile(ours.key, "local.tls_key")
    tls = TlsListen(TlsIdentity(certificate, key), NamedFile(hospital.ca, "local.tls_client_ca"))
    right = hospital.issue("caller")
    calls = {
        "expired": _shown(hospital.issue("late", lasts=YESTERDAY)),
        "unknown": _shown(nobody.issue("stranger")),
        "none": (),
        "old": (*_shown(right), *OLD),
    }
    told: list[tuple[str, str]] = []
    async with acceptor(tls=tls, turned_away=lambda *one: told.append(one)) as server:
        for options in calls.values():
            await openssl_calls(server.port, *options)
        with pytest.raises(TransientPeerError):
            await Association.open(peer(server.port, limits=Limits(connect_timeout=20)), [])
        assert not server.peak
    async with acceptor(turned_away=lambda *one: told.append(one)) as server:
        await openssl_calls(server.port)
    assert told == [("127.0.0.1", sentence) for sentence in (*CALLING.values(), UNEXPECTED)]


def _shown(issued: Issued) -> tuple[str, ...]:
    return "-cert", str(issued.certificate), "-key", str(issued.key)


@contextmanager
def _pacs(hospital: Authority, nobody: Authority) -> Iterator[dict[str, int]]:
    """Run a server for each of these; give their ports."""
    right = hospital.issue("right")
    shown: dict[str, tuple[Issued, *tuple[str, ...]]] = {
        "expired": (hospital.issue("expired", lasts=YESTERDAY),),
        "host": (hospital.issue("host", host="other.example.org"),),
        "unknown": (nobody.issue("unknown"),),
        "old": (right, *OLD),
        "asking": (right, *asking(hospital.ca)),
    }
    with ExitStack() as stack:
        ports = {name: stack.enter_context(openssl_server(*server)) for name, server in shown.items()}
        plain = stack.enter_context(simulated(Simulator(Archive(5, date(2024, 1, 1), date(2024, 1, 2)))))
        yield ports | {"plain": plain.port}
        assert not plain.peak_associations
