"""Who may look where people log in: sessions, scripts, roles, wrong passwords, and what is written down of it."""

from __future__ import annotations

import json
import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from fastapi.routing import APIRoute

from crawler.lake.audit import AuditLog
from crawler.serve.web import api, pages, sql
from tests.acceptance.access import (
    FORM,
    USERS,
    Browser,
    add_users,
    basic,
    make_certificate,
    password,
    service_with,
)
from tests.acceptance.installed import pacslake
from tests.acceptance.serving import Serving

TLS = ('tls_certificate = "server.pem"', 'tls_key = "server.key"')
FILLED = {"{pacs}": "main", "{day}": "2024-01-31"}
OF_OPERATORS = "/(backfill|(health|pacs)/main/(pause|resume))$"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("access")
    make_certificate(folder)
    add_users(folder)
    with service_with(folder, *TLS, 'password_file = "users"', "requests_per_minute = 0") as running:
        yield running


def logged_in(service: Serving, name: str) -> Browser:
    browser = Browser(service)
    assert browser.log_in(name).status == 303
    return browser


def audited(service: Serving, action: str) -> list[dict[str, Any]]:
    return [one for one in AuditLog(service.folder / "lake").entries() if one["action"] == action]


def routes(method: str) -> list[str]:
    """Give the addresses that there are, as somebody would ask for them."""
    found = []
    for router in (api.router, sql.router, pages.router, sql.pages):
        for route in router.routes:
            assert isinstance(route, APIRoute)
            if method in (route.methods or ()):
                path = route.path
                for name, value in FILLED.items():
                    path = path.replace(name, value)
                found.append(path)
    assert len(found) > 5
    return found


def test_nobody_sees_anything_without_a_login(service: Serving) -> None:
    stranger = Browser(service)
    for method in ("GET", "POST"):
        for path in [*routes(method), "/api/v1/openapi.json", "/nowhere", "/docs"]:
            answer = stranger.ask(method, path, None)
            if path.startswith("/api/"):
                assert (answer.status, answer.headers["WWW-Authenticate"][:5]) == (401, "Basic"), path
            else:
                assert (answer.status, answer.headers["Location"].partition("?")[0]) == (303, "/login"), path
    part = stranger.get("/sweeps/now", **{"HX-Request": "true"})
    assert (part.status, part.headers["HX-Redirect"]) == (401, "/login")
    page = stranger.get("/login")
    assert page.status == 200
    assert "<nav" not in page.text
    assert stranger.get("/static/pacslake.css").status == 200


@pytest.mark.parametrize(
    "host", ["localhost/static/x?", "localhost/metrics?", "localhost#", "x@localhost", "localhost:", ""]
)
def test_a_host_that_is_no_name_opens_nothing(service: Serving, host: str) -> None:
    assert Browser(service).get("/coverage", Host=host).status == 400


@pytest.mark.parametrize(
    "path", ["/static/../coverage", "/static/%2e%2e/coverage", "/metrics/", "//coverage", "/Static/x"]
)
def test_a_path_that_looks_like_an_open_one_opens_nothing(service: Serving, path: str) -> None:
    assert Browser(service).get(path).status in (303, 404)


def test_who_logged_in_goes_where_they_wanted_and_a_cookie_is_all_that_is_kept(service: Serving) -> None:
    browser = Browser(service)
    assert browser.get("/explore?level=study").headers["Location"] == "/login?next=%2Fexplore%3Flevel%3Dstudy"
    answer = browser.log_in("anna", onward="/explore?level=study")
    assert (answer.status, answer.headers["Location"]) == (303, "/explore?level=study")
    [kept] = [one for one in answer.headers.get_all("Set-Cookie", []) if one.startswith("__Host-pacslake=")]
    value, *flags = kept.split("; ")
    assert len(value.partition("=")[2]) >= 43
    assert sorted(flags) == ["HttpOnly", "Path=/", "SameSite=strict", "Secure"]
    assert "anna <small>analyst</small>" in browser.get("/coverage").text


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "/\r\nX: y"])
def test_a_login_leads_nowhere_else(service: Serving, elsewhere: str) -> None:
    assert Browser(service).log_in("anna", onward=elsewhere).headers["Location"] == "/"


def test_who_logs_out_is_out_with_every_copy_of_the_cookie(service: Serving) -> None:
    browser = logged_in(service, "vera")
    kept = dict(browser.cookies)
    assert browser.send("/logout", "guess").status == 403
    assert browser.send("/logout", browser.get("/coverage").token).status == 303
    assert browser.cookies == {}
    browser.cookies = kept
    assert browser.get("/coverage").status == 303
    assert [one["person"] for one in audited(service, "logout")] == ["vera"]


def test_a_form_to_log_in_that_comes_from_elsewhere_is_refused(service: Serving) -> None:
    fields = {"name": "anna", "password": password("anna")}
    token = Browser(service).get("/login").token
    assert Browser(service).send("/login", token, **fields).status == 403
    mine = Browser(service)
    body = f"csrf_token={mine.get('/login').token}&name=anna&password=x"
    assert mine.ask("POST", "/login", body, Origin="https://evil.example", **FORM).status == 403


@pytest.mark.parametrize(("name", "role"), USERS.items())
def test_each_role_may_what_it_may_on_every_route(service: Serving, name: str, role: str) -> None:
    browser = logged_in(service, name)
    token = browser.get("/sql").token
    for path in routes("GET") if role == "viewer" else ():
        assert browser.get(path).status not in (401, 403, 303), path
    for path in routes("POST"):
        if path.startswith("/api/"):
            answer = browser.ask("POST", path, "{}", **{"Content-Type": "application/json"})
        else:
            answer = browser.send(path, token, pacs="main")
        wants_more = bool(re.search(OF_OPERATORS, path)) and role != "operator"
        assert (answer.status == 403) == wants_more, path


def test_what_an_operator_does_is_written_down(service: Serving) -> None:
    browser = logged_in(service, "otto")
    token = browser.get("/health").token
    assert browser.send("/health/main/pause", token, reason="upgrade").status == 200
    assert browser.send("/health/nobody/pause", token).status == 400
    told = [(one["person"], one["role"], one["address"], one["what"]) for one in audited(service, "pause")]
    assert told[-2:] == [("otto", "operator", "127.0.0.1", "main"), ("otto", "operator", "127.0.0.1", "nobody")]
    assert audited(service, "pause")[-1]["outcome"].startswith("there is no PACS named 'nobody'")
    assert AuditLog(service.folder / "lake").broken()[0] == []


def test_scripts_send_name_and_password(service: Serving) -> None:
    script = Browser(service)
    assert script.get("/api/v1/status", **basic("vera")).status in (200, 404)
    assert script.get("/api/v1/settings", **basic("vera")).status == 200
    order = {"Content-Type": "application/json"}
    assert script.ask("POST", "/api/v1/pacs/main/resume", "{}", **order, **basic("anna")).status == 403
    assert script.ask("POST", "/api/v1/pacs/main/resume", "{}", **order, **basic("otto")).status == 200
    assert script.ask("POST", "/api/v1/pacs/main/resume", "", **FORM, **basic("otto")).status == 403
    assert script.get("/api/v1/settings", **basic("nemo", "wrong")).status == 401
    assert script.get("/api/v1/settings", Authorization="Basic !!").status == 401
    assert script.get("/coverage", **basic("vera")).status == 303
    assert script.cookies == {}


def test_too_many_wrong_passwords_lock_name_and_address_for_a_while(service: Serving) -> None:
    guesser = Browser(service, source="127.0.0.9")
    said = [guesser.log_in("secret typed here", "guess")]
    while said[-1].status != 429:
        said.append(guesser.log_in("vera", "guess"))
    assert Browser(service).log_in("vera").status == 429
    assert Browser(service).get("/api/v1/settings", **basic("vera", "guess")).status == 429
    assert Browser(service).log_in("otto").status == 303
    assert {one.status for one in said[:-1]} == {401}
    assert len({one.text.replace(one.token, "") for one in said[:-1]}) == 1, "it shows who has an account"
    assert int(said[-1].headers["Retry-After"]) > 0
    number = 0
    while guesser.log_in(f"stranger{number}", "guess").status != 429:
        number += 1
    assert guesser.log_in("otto").status == 429
    failed = audited(service, "login_failed")
    assert {(one["person"], one["role"], one["address"]) for one in failed if one["address"] == "127.0.0.9"} == {
        ("unknown", "", "127.0.0.9"),
        ("vera", "", "127.0.0.9"),
    }
    [file] = (service.folder / "lake/audit").glob("*.jsonl")
    assert not re.search(
        "secret typed|guess|stranger|the password of|argon2", json.dumps(service.said) + file.read_text()
    )


def test_nothing_but_tls_of_today_is_spoken(service: Serving) -> None:
    port = service.events("listening")[-1]["port"]
    context = ssl.create_default_context(cafile=service.folder / "server.pem")
    with socket.create_connection(("127.0.0.1", port)) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"HTTP" not in plain.recv(1000)
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        assert secure.version() == "TLSv1.3"
    old = subprocess.run(
        ["openssl", "s_client", "-tls1_1", "-connect", f"127.0.0.1:{port}"], capture_output=True, input=b""
    )
    assert old.returncode != 0


def test_slow_clients_keep_nobody_waiting(service: Serving) -> None:
    port = service.events("listening")[-1]["port"]
    with ExitStack() as slow:
        for _ in range(40):
            silent = slow.enter_context(socket.create_connection(("127.0.0.1", port)))
            silent.send(b"\x16")
        for _ in range(40):
            halfway = slow.enter_context(closing(Browser(service).connect()))
            halfway.connect()
            halfway.sock.send(b"GET /coverage HTTP/1.1\r\nHost: localhost\r\nX: ")
        assert Browser(service).get("/healthz").status == 200
        assert Browser(service).get("/login").status == 200


def test_the_certificate_and_the_users_are_read_again(service: Serving) -> None:
    """The last one: it changes them."""
    anna, vera = logged_in(service, "anna"), Browser(service)
    assert vera.get("/api/v1/settings", **basic("otto")).status == 200
    other = pacslake(service.folder, "users", "passwd", "anna", "--password-stdin", stdin="another password\n")
    assert other.returncode == 0
    assert pacslake(service.folder, "users", "remove", "otto").returncode == 0
    assert anna.get("/coverage").status == 303
    assert Browser(service).log_in("anna").status == 401
    assert Browser(service).log_in("anna", "another password").status == 303
    assert vera.get("/api/v1/settings", **basic("otto")).status == 401
    make_certificate(service.folder, "server")
    service.process.send_signal(signal.SIGHUP)
    service.wait_for("settings reloaded")
    assert Browser(service).get("/healthz").status == 200
    (service.folder / "users").chmod(0o644)
    service.process.send_signal(signal.SIGHUP)
    assert "users can be read by others: type chmod 600" in service.wait_for("settings not reloaded")["reason"]
    assert Browser(service).log_in("anna", "another password").status == 303
