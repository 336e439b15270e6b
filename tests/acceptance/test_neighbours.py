"""Who may look where nobody logs in: users of this machine, and whom a trusted proxy names; and where nobody may."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crawler.lake.audit import AuditLog
from tests.acceptance.access import FORM, Browser, make_certificate, service_with, write_settings
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import said

OTHERS = [65534] if os.geteuid() == 0 else []
"""Only root can come as somebody else."""
SECRET = "a secret of the proxy"
ALICE = {"X-Remote-User": "alice", "X-Proxy-Secret": SECRET}


@contextmanager
def somebody_else(user: int) -> Iterator[None]:
    """Open sockets as another user."""
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)


def test_who_runs_the_service_is_an_operator(tmp_path: Path) -> None:
    with service_with(tmp_path) as service:
        mine = Browser(service, is_secure=False)
        page = mine.get("/health")
        assert "<small>operator</small>" in page.text
        assert mine.send("/health/main/pause", page.token).status == 200
        assert "Log out" not in page.text
        assert mine.get("/login").status == 404
        assert mine.get("/health", **{"X-Forwarded-For": "192.0.2.1"}).status == 403
        assert mine.get("/health", Host="192.0.2.1").status == 400
        assert mine.get(f"/health?{'x' * 9000}").status == 414


@pytest.mark.parametrize("user", OTHERS)
@pytest.mark.parametrize("role", ["", 'role = "operator"'])
def test_others_on_this_machine_are_viewers_unless_the_settings_say_otherwise(
    tmp_path: Path, user: int, role: str
) -> None:
    with service_with(tmp_path, role) as service:
        connected = Browser(service, is_secure=False).connect()
        with somebody_else(user):
            connected.connect()
        connected.request("POST", "/api/v1/pacs/main/resume", "{}", {"Content-Type": "application/json"})
        answer = connected.getresponse()
        answer.read()
        assert answer.status == (200 if role else 403)
        connected.request("GET", "/health")
        assert f"<small>{'operator' if role else 'viewer'}</small>" in connected.getresponse().read().decode()
        connected.close()


def test_a_proxy_says_who_somebody_is_and_nobody_else_does(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "secret").chmod(0o600)
    address = 'address = ["192.0.2.0/24", "127.0.0.5"], role_header = "X-Remote-Role", secret_file = "secret"'
    with service_with(tmp_path, f"trusted_proxy = {{ {address} }}", 'hosts = ["PACSlake.Example"]') as service:
        proxy = Browser(service, is_secure=False, source="127.0.0.5")
        page = proxy.get("/health", **ALICE, Host="pacslake.example")
        assert "alice <small>viewer</small>" in page.text
        for headers, status in (
            ({"X-Remote-User": "alice"}, 403),
            ({**ALICE, "X-Proxy-Secret": "a guess of somebody"}, 403),
            ({"X-Proxy-Secret": SECRET}, 401),
            ({**ALICE, "X-Remote-Role": "root"}, 403),
            ({**ALICE, "x-remote-user": "bob"}, 403),
            ({**ALICE, "Host": "evil.example"}, 400),
        ):
            assert proxy.get("/health", **headers).status == status, headers
        elsewhere = Browser(service, is_secure=False)
        assert elsewhere.get("/health", **ALICE).status == 403
        assert elsewhere.get("/metrics").status == 200
        operator = {**ALICE, "X-Remote-Role": "operator", "X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
        form = f"csrf_token={proxy.get('/health', **operator).token}"
        assert proxy.ask("POST", "/health/main/pause", form, **FORM, **ALICE).status == 403
        assert proxy.ask("POST", "/health/main/pause", form, **FORM, **operator).status == 200
        mallory = {**operator, "X-Remote-User": "mallory"}
        assert proxy.ask("POST", "/health/main/pause", form, **FORM, **mallory).status == 403
    *_, last = AuditLog(tmp_path / "lake").entries()
    assert [last[name] for name in ("person", "role", "address", "action")] == [
        "alice",
        "operator",
        "198.51.100.7",
        "pause",
    ]


def test_who_comes_too_often_has_to_wait(tmp_path: Path) -> None:
    with service_with(tmp_path, "requests_per_minute = 5") as service:
        mine = Browser(service, is_secure=False)
        answers = [mine.get("/api/v1/settings") for _ in range(10)]
        refused = [one for one in answers if one.status == 429]
        assert answers[0].status == 200
        assert refused
        assert 1 <= int(refused[0].headers["Retry-After"]) <= 12
        assert mine.get("/metrics").status == 200


def test_it_does_not_start_where_that_would_be_unsafe(tmp_path: Path) -> None:
    write_settings(tmp_path, 'listen = "0.0.0.0:0"', 'password_file = "users"')
    done = pacslake(tmp_path, "serve")
    assert done.returncode == 2
    assert "serve listens at 0.0.0.0:0, which other machines reach: add to [serve] tls_certificate = " in said(done)
    assert said(done).count("\n") == 1
    write_settings(tmp_path, 'password_file = "users"')
    done = pacslake(tmp_path, "serve")
    assert done.returncode == 2
    assert "users: there is no such file; `pacslake users add` makes it" in said(done)


def test_outside_loopback_it_serves_with_tls_and_users(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    (tmp_path / "users").touch(0o600)
    tls = ('tls_certificate = "server.pem"', 'tls_key = "server.key"')
    with service_with(tmp_path, *tls, 'password_file = "users"', listen="0.0.0.0:0") as service:
        assert Browser(service).get("/coverage").status == 303
