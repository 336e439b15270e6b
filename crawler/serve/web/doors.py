"""Who somebody is that comes: a user of this machine, somebody who logged in, or whom a trusted proxy names.

Touches: disk, clock.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import secrets
import time
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from crawler.errors import PacslakeError, UserError
from crawler.secret import Secret
from crawler.serve.access import Person, Role
from crawler.serve.accounts import Account, Accounts
from crawler.serve.audit import Action, Audit
from crawler.serve.neighbours import name_of, owner_of
from crawler.serve.rates import Buckets
from crawler.serve.sessions import Sessions
from crawler.settings import TrustedProxySettings
from crawler.settings.serving import RoleName, is_loopback

FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-real-ip")
PROGRAMS = ("/api/", "/dicom-web/")
"""Where programs ask, which are told in JSON what is wrong."""


class TurnedAwayError(PacslakeError):
    """Somebody may not come in, whatever they want to see."""

    def __init__(self, said: str, status: int = 403, wait: float = 0.0) -> None:
        super().__init__(said)
        self.status = status
        self.wait = wait
        """Seconds after which they may try again."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who comes."""

    person: Person | None
    """None: they have to say who they are."""
    token: str
    """What their forms must carry."""
    has_session: bool = False
    """They can log out."""


class Door(Protocol):
    """Whoever knows who comes."""

    async def visit(self, request: HTTPConnection) -> Visit:
        """Say who it is. TurnedAwayError."""

    def renew(self) -> None:
        """Read anew what may have changed. UserError, and all stays as it was, where it is wrong."""


class Tokens:
    """Tokens of forms: each belongs to one browser, and none needs to be kept."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def of(self, whom: str) -> str:
        """Give the token of whoever is known by this."""
        return hmac.new(self._secret, whom.encode(errors="replace"), hashlib.sha256).hexdigest()


class LocalDoor:
    """Nobody logs in: the user who runs the service may everything, others of this machine what their role says.

    The former could do everything by commands anyway, and the kernel knows whose a connection is.
    """

    def __init__(self, others: RoleName) -> None:
        self._others = Role[others.upper()]
        self._tokens = Tokens()

    async def visit(self, request: HTTPConnection) -> Visit:
        """Ask the kernel who it is."""
        if any(name in request.headers for name in FORWARDED):
            raise TurnedAwayError("a proxy asks for somebody else: set trusted_proxy in [serve], or password_file")
        client, server = request.client, request.scope["server"]
        user = await asyncio.to_thread(owner_of, (client.host, client.port), server) if client else None
        name = "somebody" if user is None else name_of(user)
        role = Role.OPERATOR if user == os.geteuid() else self._others
        return Visit(Person(name, role, address_of(request)), self._tokens.of(name))

    def renew(self) -> None:
        """Nothing is read."""


class ProxyDoor:
    """A proxy says by headers who somebody is; nobody else is let in."""

    def __init__(self, settings: TrustedProxySettings) -> None:
        self._settings = settings
        self._tokens = Tokens()
        self.renew()

    async def visit(self, request: HTTPConnection) -> Visit:
        """Believe the headers of the proxy."""
        settings = self._settings
        address = ip_address(address_of(request))
        if not any(address in network for network in settings.address):
            raise TurnedAwayError("only the proxy may ask here")
        if self._secret is not None:
            sent = request.headers.get(settings.secret_header, "")
            if not hmac.compare_digest(sent.encode(), self._secret):
                raise TurnedAwayError(f"the proxy's {settings.secret_header} is not the one in secret_file")
        name = _only(request.headers, settings.user_header)
        if not name:
            raise TurnedAwayError(f"the proxy says in no {settings.user_header} who asks", status=401)
        given = _only(request.headers, settings.role_header) if settings.role_header else ""
        role = (given or settings.role).upper()
        if role not in Role.__members__:
            raise TurnedAwayError(f"the proxy's {settings.role_header} is no role: viewer, analyst or operator")
        person = Person(name, Role[role], _forwarded_for(request.headers) or str(address))
        return Visit(person, self._tokens.of(name))

    def renew(self) -> None:
        """Read the shared secret."""
        secret = self._settings.secret_file
        self._secret = _long_enough(secret) if secret else None


class PasswordDoor:
    """People log in; scripts send their name and password with each request (HTTP Basic)."""

    def __init__(self, accounts: Accounts, audit: Audit, *, secure: bool) -> None:
        self._accounts = accounts
        self._audit = audit
        self._sessions = Sessions()
        self._tokens = Tokens()
        self._names = Buckets(5, 1 / 30)
        self._addresses = Buckets(12, 1 / 10)
        self.secure = secure
        prefix = "__Host-" if secure else ""
        self.cookie, self.form_cookie = f"{prefix}pacslake", f"{prefix}pacslake-form"

    async def visit(self, request: HTTPConnection) -> Visit:
        """Know them by their session, else by their name and password."""
        session_id = request.cookies.get(self.cookie, "")
        session = self._sessions.find(session_id, time.monotonic()) if session_id else None
        account = self._accounts.find(session.name) if session else None
        if session and account and session.proof == _proof(account):
            return Visit(_person(account, request), self._tokens.of(session_id), has_session=True)
        kind, _, sent = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic" and request.scope["path"].startswith((*PROGRAMS, "/metrics", "/healthz", "/readyz")):
            person = await self._by_password(request, sent)
            return Visit(person, secrets.token_urlsafe(32))
        form = request.cookies.get(self.form_cookie)
        return Visit(None, self._tokens.of(f"form {form}") if form else secrets.token_urlsafe(32))

    def renew(self) -> None:
        """Read the password file."""
        self._accounts.renew()

    def form_token(self) -> tuple[str, str]:
        """Give what a browser keeps and what its form to log in must carry."""
        form = secrets.token_urlsafe(32)
        return form, self._tokens.of(f"form {form}")

    async def log_in(self, request: HTTPConnection, name: str, password: str) -> str | None:
        """Begin a session and give its id; None where name or password is wrong. TurnedAwayError after too many."""
        account = await self._checked(request, name, password)
        if account is None:
            return None
        await asyncio.to_thread(self._audit.note, _person(account, request), Action.LOGIN, outcome="done")
        return self._sessions.begin(account.name, _proof(account), time.monotonic())

    def log_out(self, request: HTTPConnection, person: Person) -> None:
        """End the session."""
        self._sessions.end(request.cookies.get(self.cookie, ""))
        self._audit.note(person, Action.LOGOUT, outcome="done")

    async def _by_password(self, request: HTTPConnection, sent: str) -> Person | None:
        try:
            name, _, password = base64.b64decode(sent, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        account = self._accounts.checked_before(name, password) or await self._checked(request, name, password)
        if account is None:
            return None
        self._accounts.remember(account, password)
        return _person(account, request)

    async def _checked(self, request: HTTPConnection, name: str, password: str) -> Account | None:
        """Check a password, but not of one name or address again and again: only wrong ones count."""
        now, address = time.monotonic(), network_of(address_of(request))
        wait = max(self._names.take(name, now), self._addresses.take(address, now))
        if wait:
            raise TurnedAwayError("too many wrong passwords: wait a little", status=429, wait=wait)
        account = await self._accounts.checked(name, password)
        if account is None:
            known = self._accounts.find(name)  # another name may be a password that was typed in the wrong field
            whom = _person(known, request) if known else Person("unknown", Role.VIEWER, address_of(request))
            await asyncio.to_thread(self._audit.note, whom, Action.LOGIN_FAILED, outcome="wrong")
            return None
        self._names.give_back(name, now)
        self._addresses.give_back(address, now)
        return account


def address_of(request: HTTPConnection) -> str:
    """Give the address of whoever is connected."""
    return request.client.host if request.client else ""


def network_of(address: str) -> str:
    """Give what one subscriber has: an IPv4 address, or the first half of an IPv6 one."""
    found = ip_address(address)
    return str(found) if found.version == 4 else found.exploded[:19]


def is_local(request: HTTPConnection) -> bool:
    """Whether somebody asks from this machine."""
    return is_loopback(address_of(request))


def _person(account: Account, request: HTTPConnection) -> Person:
    return Person(account.name, account.role, address_of(request))


def _proof(account: Account) -> str:
    return hashlib.sha256(account.hash.encode()).hexdigest()


def _only(headers: Headers, name: str) -> str:
    """Give a header's value. TurnedAwayError where it came twice: one may be from the browser."""
    values = headers.getlist(name)
    if len(values) > 1:
        raise TurnedAwayError(f"{name} came twice: the proxy must replace what a browser sends, not add to it")
    value = values[0].strip() if values else ""
    if len(value) > 200 or not value.isprintable():
        raise TurnedAwayError(f"what the proxy says in {name} is no name")
    return value


def _forwarded_for(headers: Headers) -> str:
    """Give the address that the proxy saw, the last of its list; '' where it gives none."""
    last = ",".join(headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
    try:
        return str(ip_address(last))
    except ValueError:
        return ""


def _long_enough(secret: Secret) -> bytes:
    found = secret.read()
    if len(found) < 16:
        raise UserError(f"serve.trusted_proxy.secret_file: {secret} holds less than 16 characters")
    return found
