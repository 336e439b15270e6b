"""What keeps browsers from harm, and us from them: who comes is known, headers, no order from another site's page.

Orders of forms carry a token that only our own pages know; orders in JSON cannot come from another site's page, because
browsers ask first whether they may (Fetch standard, CORS). Touches: clock.
"""

from __future__ import annotations

import hmac
import math
import re
import time
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crawler.errors import PacslakeError
from crawler.serve.access import Person
from crawler.serve.rates import Buckets
from crawler.serve.web.doors import PROGRAMS, Door, TurnedAwayError, address_of, is_local, network_of
from crawler.serve.web.login import LOGIN

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers send the Origin "null" with our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PRIVATE = {"Cache-Control": "no-store"}
"""Patients' data stay in no cache."""
LARGEST_BODY = 256 * 1024
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
LONGEST_ADDRESS = 8192
"""Characters of a path and what follows it."""
TOKEN = "csrf_token"
STATIC = "/static/"
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]+)?")
MACHINES = ("/metrics", "/healthz", "/readyz")
"""What machines look at; nothing of it is about a patient."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What everybody has to keep to."""

    hosts: frozenset[str]
    """Names that browsers may know us by, beside our address: a page of another name must not reach us by a name of its
    own that leads here (DNS rebinding)."""
    metrics_open: bool
    rates: Buckets | None
    """None: as often as they like."""


class Safety:
    """ASGI middleware; sets `request.state.person` (None where nobody has to be known), `.token` and `.has_session`."""

    def __init__(self, app: ASGIApp, door: Door, rules: Rules) -> None:
        self._app = app
        self._door = door
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        headers = HEADERS if scope["path"].startswith(STATIC) else HEADERS | PRIVATE

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
                message["headers"] = [*message["headers"], *known]
            await send(message)

        refused = self._misled(request) or await self._unknown(request)
        if refused is not None:
            await refused(scope, receive, send_safely)
            return
        if scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, send_safely)
            return
        body = await _body(request)
        why = "the request is too large" if body is None else _foreign(request, body)
        if why:
            await _refusal(request, 413 if body is None else 403, why)(scope, receive, send_safely)
            return
        await self._app(scope, _again(body or b"", receive), send_safely)

    def _misled(self, request: Request) -> Response | None:
        """Refuse what cannot be meant for us."""
        if len(request.scope["path"]) + len(request.scope["query_string"]) > LONGEST_ADDRESS:
            return _refusal(request, 414, "the address is too long")
        host = _HOST.fullmatch(request.headers.get("host", "").lower())
        if host is None or (host[1] or host[2]) not in (self._rules.hosts | {request.scope["server"][0]}):
            return _refusal(request, 400, "we are not known by this name; [serve] hosts lists those that we have")
        return None

    async def _unknown(self, request: Request) -> Response | None:
        """Refuse who has to say who they are, may not come in, or comes too often."""
        path, state = request.scope["path"], request.state
        state.person, state.token, state.has_session = None, "", False
        if path.startswith(STATIC) or (path in MACHINES and is_local(request)):
            return None
        if path in MACHINES and self._rules.metrics_open:
            return self._too_often(request, None)
        try:
            visit = await self._door.visit(request)
        except TurnedAwayError as error:
            return _refusal(request, error.status, str(error), error.wait)
        except PacslakeError as error:  # the audit cannot be written
            return _refusal(request, 503, str(error))
        state.person, state.token, state.has_session = visit.person, visit.token, visit.has_session
        refused = self._too_often(request, visit.person)
        return refused if refused or visit.person or path == LOGIN else _to_login(request)

    def _too_often(self, request: Request, person: Person | None) -> Response | None:
        """Refuse who asks more often than anybody needs to."""
        if self._rules.rates is None:
            return None
        key = f"person {person.name}" if person else network_of(address_of(request))
        wait = self._rules.rates.take(key, time.monotonic())
        return _refusal(request, 429, "too many requests: wait a little", wait) if wait else None


def _to_login(request: Request) -> Response:
    """Send a person to the page where one logs in, and tell a program to."""
    path = request.scope["path"]
    if path.startswith(PROGRAMS) or path in MACHINES:
        refusal = _refusal(request, 401, "log in: send a name and a password (HTTP Basic)")
        if "sec-fetch-site" not in request.headers:  # browsers would ask for them in a box of their own
            refusal.headers["WWW-Authenticate"] = 'Basic realm="pacslake", charset="UTF-8"'
        return refusal
    if request.headers.get("HX-Request"):
        return Response(status_code=401, headers={"HX-Redirect": LOGIN})
    wanted = path + (f"?{request.url.query}" if request.url.query else "")
    onward = f"?{urlencode({'next': wanted})}" if request.method in SAFE_METHODS and path != "/" else ""
    return RedirectResponse(f"{LOGIN}{onward}", status_code=303)


def _refusal(request: Request, status: int, said: str, wait: float = 0.0) -> Response:
    """Refuse, as JSON to programs and as text to people."""
    headers = {"Retry-After": str(math.ceil(wait))} if wait else None
    if request.scope["path"].startswith(PROGRAMS):
        return JSONResponse({"detail": said}, status, headers)
    return PlainTextResponse(f"{said}\n", status, headers)


def _foreign(request: Request, body: bytes) -> str | None:
    """Say why an order may come from another site's page; None when it cannot."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        return "this comes from the page of another site"
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return "this comes from the page of another site"
    if request.headers.get("content-type", "").partition(";")[0].strip() == "application/json":
        return None
    sent = request.headers.get("x-csrf-token") or _field(body)
    if hmac.compare_digest(sent.encode(), request.state.token.encode()):
        return None
    return "the form is too old; load its page again"


async def _body(request: Request) -> bytes | None:
    """Read the body; None when it is too large."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            return None
    return body


def _field(body: bytes) -> str:
    try:
        return parse_qs(body.decode(errors="replace"), max_num_fields=50).get(TOKEN, [""])[-1]
    except ValueError:
        return ""


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read to who reads it next, then whatever comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again
