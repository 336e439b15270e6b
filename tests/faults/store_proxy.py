"""Stands before an object store and lets requests go wrong as a test says."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum

Decide = Callable[[str, str], "Fate"]
"""Says what becomes of a request by its method and path."""


class Fate(Enum):
    """What may become of a request."""

    PASSES = "passes"
    REFUSED = "refused"
    """503, and the store never hears of it."""
    CUT = "cut"
    """The connection is reset before the store hears of it."""
    LOST = "lost"
    """The store does it, and its answer is lost."""
    SILENT = "silent"
    """Nothing comes, for longer than anybody waits."""


class Proxy:
    """Passes requests on to a port of this machine, each on a connection of its own."""

    def __init__(self, behind: int) -> None:
        self.behind = behind
        self.decide: Decide = lambda method, path: Fate.PASSES
        self.after: Callable[[str, str], object] = lambda method, path: None
        """Is called when the store has answered, before anybody is told."""
        self.obeys_conditions = True
        """Else the store never hears that something is to be created only."""
        self.ending = threading.Event()
        self.port = 0


class _Handler(socketserver.BaseRequestHandler):
    proxy: Proxy

    def handle(self) -> None:
        with suppress(OSError):
            while self._one():
                pass

    def _one(self) -> bool:
        request = _message(self.request)
        if not request:
            return False
        method, path, _ = request.split(b"\r\n", 1)[0].decode().split(" ")
        fate = self.proxy.decide(method, path)
        if fate is Fate.SILENT:
            self.proxy.ending.wait(20)
        elif fate is Fate.REFUSED:
            self.request.sendall(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n")
            return True
        if fate in (Fate.PASSES, Fate.LOST):
            if not self.proxy.obeys_conditions:
                request = request.replace(b"if-none-match: *\r\n", b"")
            answer = self._passed_on(request, method)
            self.proxy.after(method, path)
            if fate is Fate.PASSES:
                self.request.sendall(answer)
                return True
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # so that close resets
        return False

    def _passed_on(self, request: bytes, method: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self.proxy.behind)) as store:
            store.sendall(request)
            return _message(store, bodiless=method == "HEAD")


def _message(source: socket.socket, *, bodiless: bool = False) -> bytes:
    """Read a request or an answer with its body; nothing where the other side has closed."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = source.recv(65536)
        if not more:
            return b""
        got += more
    head, _, body = got.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    length = 0 if bodiless else int(fields.get(b"content-length", b"0"))
    while len(body) < length:
        body += source.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def standing_before(port: int) -> Iterator[Proxy]:
    """Have a proxy while the block runs."""
    proxy = Proxy(port)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        proxy.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.ending.set()
            server.shutdown()
