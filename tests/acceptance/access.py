"""What tests of who may look share: a service with a certificate and users, and browsers and scripts that come."""

from __future__ import annotations

import http.client
import re
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from crawler.serve.access import Role
from crawler.serve.accounts import Account, editing, hashed
from tests.acceptance.serving import Serving, serving

PACS = '[pacs.main]\nhost = "127.0.0.1"\nport = 1\nae_title = "NOBODY"\n'
USERS = {"vera": "viewer", "anna": "analyst", "otto": "operator"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def password(name: str) -> str:
    return f"the password of {name}"


def make_certificate(folder: Path, name: str = "server") -> None:
    """Make a certificate of this machine and its key."""
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key"]
    made = ["-x509", "-days", "2", "-subj", "/CN=localhost", "-addext", names, "-out", f"{name}.pem"]
    subprocess.run(["openssl", "req", *key, *made], cwd=folder, check=True, capture_output=True)


def add_users(folder: Path) -> None:
    with editing(folder / "users") as accounts:
        for name, role in USERS.items():
            accounts[name] = Account(name, Role[role.upper()], hashed(password(name)))


def write_settings(folder: Path, *serve: str) -> None:
    lines = "\n".join(serve)
    (folder / "pacslake.toml").write_text(f'[lake]\npath = "lake"\n{PACS}[serve]\n{lines}\n')


@contextmanager
def service_with(folder: Path, *serve: str, listen: str = "127.0.0.1:0") -> Iterator[Serving]:
    """Serve with these lines of [serve]."""
    write_settings(folder, f'listen = "{listen}"', *serve)
    with serving(folder) as service:
        service.wait_for("listening")
        yield service


@dataclass
class Answer:
    status: int
    text: str
    headers: http.client.HTTPMessage

    @property
    def token(self) -> str:
        """The token of the forms on this page."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.text)
        assert found, self.text
        return found[1]


class Browser:
    """Keeps cookies; comes from an address of this machine."""

    def __init__(self, service: Serving, *, is_secure: bool = True, source: str = "127.0.0.1") -> None:
        self._port = service.events("listening")[-1]["port"]
        self._context = ssl.create_default_context(cafile=service.folder / "server.pem") if is_secure else None
        self._source = (source, 0)
        self.cookies: dict[str, str] = {}

    def connect(self) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection("127.0.0.1", self._port, 60, self._source)
        return http.client.HTTPSConnection(
            "127.0.0.1", self._port, timeout=60, source_address=self._source, context=self._context
        )

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        with closing(self.connect()) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            for name, value in re.findall(
                r"^([^=]+)=([^;]*)", "\n".join(answer.headers.get_all("Set-Cookie", [])), re.M
            ):
                self.cookies[name] = value.strip('"')
            self.cookies = {name: value for name, value in self.cookies.items() if value}
            return Answer(answer.status, answer.read().decode(), answer.headers)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def send(self, path: str, token: str, **fields: str) -> Answer:
        """Send a form."""
        return self.ask("POST", path, urlencode({"csrf_token": token, **fields}), **FORM)

    def log_in(self, name: str, typed: str | None = None, onward: str = "/") -> Answer:
        token = self.get("/login").token
        return self.send("/login", token, name=name, password=password(name) if typed is None else typed, next=onward)


def basic(name: str, typed: str | None = None) -> dict[str, str]:
    """Give the header of a script."""
    sent = f"{name}:{password(name) if typed is None else typed}"
    return {"Authorization": f"Basic {b64encode(sent.encode()).decode()}"}
