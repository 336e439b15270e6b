"""What comes before every route, for those who come from elsewhere: no test can come from another machine itself."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Scope

from crawler.serve.accounts import Accounts, editing
from crawler.serve.audit import Audit
from crawler.serve.rates import Buckets
from crawler.serve.web.doors import PasswordDoor
from crawler.serve.web.safety import Rules, Safety

APP = PlainTextResponse("shown")


def asked(folder: Path, path: str, *, client: str, metrics_open: bool = False, rates: Buckets | None = None) -> int:
    """Ask for a page from an address, and give the status."""
    with editing(folder / "users"):
        pass
    door = PasswordDoor(Accounts(folder / "users"), Audit(folder), secure=True)
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "scheme": "https",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"[2001:db8::1]:8443")],
        "client": (client, 40000),
        "server": ("2001:db8::1", 8443),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    safety = Safety(APP, door, Rules(frozenset(), metrics_open, rates))
    asyncio.run(safety(scope, receive, send))
    status: int = sent[0]["status"]
    return status


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
def test_machines_elsewhere_log_in_unless_the_settings_say_otherwise(tmp_path: Path, path: str) -> None:
    assert asked(tmp_path, path, client="127.0.0.1") == 200
    assert asked(tmp_path, path, client="::1") == 200
    assert asked(tmp_path, path, client="192.0.2.7") == 401
    assert asked(tmp_path, path, client="192.0.2.7", metrics_open=True) == 200
    assert asked(tmp_path, "/coverage", client="127.0.0.1", metrics_open=True) == 303


def test_a_network_that_asks_too_often_has_to_wait(tmp_path: Path) -> None:
    empty = Buckets(1, 1e-9)
    for address, status in (
        ("2001:db8::7", 200),
        ("2001:db8::8", 429),
        ("2001:db8:0:1::8", 200),
        ("192.0.2.7", 200),
        ("192.0.2.7", 429),
        ("192.0.2.8", 200),
    ):
        assert asked(tmp_path, "/metrics", client=address, metrics_open=True, rates=empty) == status, address
    assert empty.take("192.0.2.9", time.monotonic()) == 0
