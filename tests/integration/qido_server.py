"""A DICOMweb server on loopback that answers searches for studies, and misbehaves as it is told.

Touches: network, threads.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

FROM_DAY, DAYS = 20240101, 10


@dataclass(frozen=True)
class Manner:
    """How it answers."""

    studies: int = 150
    page_cap: int | None = None
    """It gives pages of so many at most, whatever `limit` says."""
    ignores_offset: bool = False
    ignores_limit: bool = False
    ignores_time: bool = False
    shuffles: bool = False
    """It sorts anew for each request."""
    repeats: bool = False
    """From the second page on it gives the first again, but for the row that is asked for first."""
    warns: bool = False
    """It says by Warning 299 when there is more."""
    refuses_over: int | None = None
    """It answers 413 where more match."""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    secret: str = ""
    """What it wants as Authorization."""


class Server(ThreadingHTTPServer):
    """Notes what it was asked."""

    def __init__(self, manner: Manner) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.manner = manner
        self.asked: list[str] = []
        self.studies = studies(manner)
        self.random = random.Random(7)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/rs"


@contextmanager
def qido_server(manner: Manner) -> Iterator[Server]:
    """Run it while the block runs."""
    with Server(manner) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        manner = self.server.manner
        if manner.secret and self.headers.get("Authorization") != manner.secret:
            self._answer(401, b"")
        elif manner.status != 200 or manner.body is not None:
            self._answer(manner.status, manner.body or b"", *manner.headers)
        else:
            self._search(manner, {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()})

    def _search(self, manner: Manner, keys: dict[str, str]) -> None:
        found = self.server.studies
        for keyword, tag in (("StudyDate", "00080020"), ("StudyTime", "00080030")):
            if manner.ignores_time and keyword == "StudyTime":
                continue
            low, dash, high = keys.get(keyword, "-").partition("-")
            last = (high or "9") if dash else low
            found = [study for study in found if low <= study[tag]["Value"][0] <= last]
        if keys.get("StudyInstanceUID"):
            found = [study for study in found if study["0020000D"]["Value"][0] == keys["StudyInstanceUID"]]
        if manner.refuses_over is not None and len(found) > manner.refuses_over:
            self._answer(413, b"")
            return
        if manner.shuffles:
            self.server.random.shuffle(found)
        offset = 0 if manner.ignores_offset else int(keys.get("offset", 0))
        limit = len(found) if manner.ignores_limit else int(keys.get("limit", len(found)))
        page = found[offset : offset + min(limit, manner.page_cap or limit)]
        if manner.repeats and offset:
            page = [*page[:1], *found[: len(page) - 1]]
        more = offset + len(page) < len(found)
        warning = [("Warning", '299 rs: "There are additional results that can be requested"')] if more else []
        self._answer(200, json.dumps(page).encode(), *(warning if manner.warns else []))

    def _answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/dicom+json"} | dict(headers)).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def studies(manner: Manner) -> list[dict[str, Any]]:
    """Give the archive: studies over a few days, not as many on each."""
    return [
        {
            "0020000D": {"vr": "UI", "Value": [f"1.2.{number}"]},
            "00080020": {"vr": "DA", "Value": [str(FROM_DAY + number % DAYS)]},
            "00080030": {"vr": "TM", "Value": [f"{number % 24:02}1500"]},
            "00100020": {"vr": "LO", "Value": [f"P{number}"]},
        }
        for number in range(manner.studies)
    ]
