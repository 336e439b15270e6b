"""Those who are told, for tests: a web server and a mail server on loopback that keep what they got."""

from __future__ import annotations

import http.server
import socketserver
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from typing import Any


class Webhook(http.server.ThreadingHTTPServer):
    """Keeps every POST; answers with `status`, or with nothing at all while it hangs."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.scheme = "https" if tls else "http"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.status = 200
        self.hangs = threading.Event()
        self.let_go = threading.Event()
        self.got: list[tuple[Message, bytes]] = []

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/hook/secret-path"


class _Hook(http.server.BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.headers, body))
        if self.server.hangs.is_set():
            self.server.let_go.wait()
            return
        self.send_response(self.server.status)
        self.send_header("Location", self.server.url)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mail as RFC 5321 has it; with `tls` from those alone who ask for it and know the password.

    Refuses recipients at `refused`.
    """

    daemon_threads = True
    block_on_close = False
    login = b64encode(b"\0pacslake\0hush").decode()

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.tls = tls
        self.mails: list[tuple[str, list[str], bytes]] = []

    @property
    def port(self) -> int:
        port: int = self.server_address[1]
        return port


class _Session(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self.out = self.connection
        with suppress(ssl.SSLError):  # a client that does not trust us
            self._talk()
        self.rfile.close()
        self.out.close()

    def _talk(self) -> None:
        self.sender, self.recipients, self.known = "", list[str](), not self.server.tls
        self._say("220 ready")
        while line := self.rfile.readline().decode().strip():
            word, _, rest = line.partition(" ")
            self._say(self._answer(word.upper(), rest))
            if word.upper() == "STARTTLS" and self.server.tls:
                self.out = self.server.tls.wrap_socket(self.connection, server_side=True)
                self.rfile = self.out.makefile("rb")

    def _answer(self, word: str, rest: str) -> str:
        """Do what a line asks for, and say so."""
        if word == "EHLO" and self.server.tls:
            return "250-here\r\n250-AUTH PLAIN\r\n250 STARTTLS"
        if word == "STARTTLS":
            return "220 go on"
        if word == "AUTH":
            self.known = rest == f"PLAIN {self.server.login}"
            return "235 known" if self.known else "535 unknown"
        if word == "MAIL":
            self.sender = rest
        if not self.known and word == "MAIL":
            return "530 who are you"
        if word == "RCPT" and "@refused" in rest:
            return "550 no"
        if word == "RCPT":
            self.recipients.append(rest)
        if word == "DATA":
            self._say("354 go on")
            self.server.mails.append((self.sender, self.recipients, b"".join(iter(self.rfile.readline, b".\r\n"))))
        return "221 bye" if word == "QUIT" else "250 ok"

    def _say(self, line: str) -> None:
        self.out.sendall(f"{line}\r\n".encode())


@contextmanager
def webhook(tls: ssl.SSLContext | None = None) -> Iterator[Webhook]:
    with Webhook(tls) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server
        finally:
            server.let_go.set()
            server.shutdown()


@contextmanager
def mail_server(tls: ssl.SSLContext | None = None) -> Iterator[MailServer]:
    with MailServer(tls) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
