"""TLS with DCMTK, either side showing its certificate, and user names with pynetdicom."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made when it is imported

from crawler.identity import NamedFile, TlsCall, TlsIdentity, TlsListen, UserIdentity
from crawler.model import AETitle, Limits, Peer
from crawler.pacs.association import connect
from crawler.secret import Secret
from crawler.settings import CallerSettings, FindScpSettings
from jobs.find_scp import users_of
from tests.integration.authority import Authority, Issued
from tests.integration.calls import acceptor
from tests.integration.files import made_files
from tests.integration.real_pacs import free_port, wait_for


@pytest.fixture
def hospital(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "hospital")


def identity(issued: Issued) -> TlsIdentity:
    return TlsIdentity(NamedFile(issued.certificate, "certificate_file"), NamedFile(issued.key, "key_file"))


def called(port: int, hospital: Authority, user: UserIdentity | None = None) -> Peer:
    call = TlsCall("pacs.main", "127.0.0.1", NamedFile(hospital.ca, "ca_file"), identity=identity(hospital.issue("us")))
    place = ("127.0.0.1", port, AETitle("ANY"), AETitle("ME"), Limits(connect_timeout=20))
    return Peer("main", *place, tls=call, user=user)


async def echo(peer: Peer) -> int:
    async with connect(peer, []) as association:
        return await association.echo()


def test_dcmtk_answers_us(hospital: Authority, dcmtk_tool: Callable[[str], Path], tmp_path: Path) -> None:
    port, shown = free_port(), hospital.issue("pacs")
    files = ["+tls", str(shown.key), str(shown.certificate), "+cf", str(hospital.ca)]
    with subprocess.Popen([dcmtk_tool("storescp"), *files, str(port)], cwd=tmp_path) as server:
        try:
            wait_for(port)
            assert asyncio.run(echo(called(port, hospital))) == 0
        finally:
            server.terminate()


def test_dcmtk_calls_us(hospital: Authority, dcmtk_tool: Callable[[str], Path]) -> None:
    shown = hospital.issue("caller")
    files = ["+tls", str(shown.key), str(shown.certificate), "+cf", str(hospital.ca)]
    listen = TlsListen(identity(hospital.issue("ours")), NamedFile(hospital.ca, "tls_client_ca"))

    async def scenario() -> int:
        async with acceptor(tls=listen) as server:
            place = ["127.0.0.1", str(server.port)]
            caller = await asyncio.create_subprocess_exec(dcmtk_tool("echoscu"), *files, *place)
            return await caller.wait()

    assert asyncio.run(scenario()) == 0


def test_who_we_are_is_told(hospital: Authority, tmp_path: Path) -> None:
    shown, told = hospital.issue("pacs"), []

    def known(event: Any) -> tuple[bool, bytes | None]:
        told.append((event.user_id_type, event.primary_field, event.secondary_field))
        return True, None

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(shown.certificate, shown.key)
    ae = AE()
    ae.add_supported_context(Verification)
    handlers: Any = [(evt.EVT_USER_ID, known)]
    server: Any = ae.start_server(("127.0.0.1", 0), block=False, ssl_context=context, evt_handlers=handlers)
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("open sesame\n")
    try:
        port = server.socket.getsockname()[1]
        for passcode in (None, Secret(password)):
            assert asyncio.run(echo(called(port, hospital, UserIdentity("anna", passcode)))) == 0
    finally:
        server.shutdown()
    assert told == [(1, b"anna", b""), (2, b"anna", b"open sesame")]


def test_a_caller_must_be_the_user_that_the_settings_name(
    hospital: Authority, tmp_path: Path, dcmtk_tool: Callable[[str], Path]
) -> None:
    password = tmp_path / "password"
    password.touch(0o600)
    password.write_text("open sesame\n")
    shown = hospital.issue("ours")
    callers = {
        AETitle("ME"): CallerSettings(username="anna", password_file=Secret(password)),
        AETitle("NAMED"): CallerSettings(username="anna"),
    }
    told = FindScpSettings(tls_certificate=shown.certificate, tls_key=Secret(shown.key), callers=callers)
    away: list[str] = []
    source = made_files(tmp_path)[0]

    async def associates(port: int, ae_title: str, *user: str) -> bool:
        options = ["-aet", ae_title, "+tla", "+cf", str(hospital.ca), *user, "127.0.0.1", str(port), str(source)]
        caller = await asyncio.create_subprocess_exec(
            dcmtk_tool("storescu"), "-v", *options, stderr=subprocess.PIPE, stdout=subprocess.PIPE
        )
        said, more = await caller.communicate()
        accepted = b"No Acceptable Presentation Contexts" in said + more  # nothing is stored there
        assert accepted or b"Association Rejected" in said + more, said + more
        return accepted

    async def scenario() -> list[bool]:
        tls, knows = told.tls_listen("find_scp"), users_of(told)
        async with acceptor(tls=tls, knows=knows, turned_away=lambda *one: away.append(one[1])) as server:
            return [await associates(server.port, *options) for options in (*right, *wrong)]

    anna = ("-usr", "anna")
    right = [("ME", *anna, "-pwd", "open sesame", "-rsp"), ("NAMED", *anna), ("ANY",)]
    wrong = [("ME",), ("ME", *anna), ("ME", *anna, "-pwd", "close"), ("ME", "-usr", "bob", "-pwd", "open sesame")]
    assert asyncio.run(scenario()) == [True] * len(right) + [False] * len(wrong)
    assert away == ["it names no user, or another one than its AE title must"] * len(wrong)


def test_no_user_is_asked_for_in_the_clear() -> None:
    with pytest.raises(ValidationError, match="wants a user name of ME: set tls_certificate and tls_key"):
        FindScpSettings(callers={AETitle("ME"): CallerSettings(username="anna")})
