"""What keeps browsers from harm, and us from them: headers, and no order from the page of another site.

Orders of forms carry a token that only our own pages know; orders in JSON cannot come from another site's page, because
browsers ask first whether they may (Fetch standard, CORS). Pure.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crawler.serve.access import Person

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
TOKEN = "csrf_token"

Whose = Callable[[Request], Person]


class Safety:
    """ASGI middleware; sets `request.state.person` and `.token`."""

    def __init__(self, app: ASGIApp, whose: Whose, token: str) -> None:
        self._app = app
        self._whose = whose
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        request.state.person = self._whose(request)
        request.state.token = self._token
        headers = HEADERS if scope["path"].startswith("/static/") else HEADERS | PRIVATE

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
                message["headers"] = [*message["headers"], *known]
            await send(message)

        if scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, send_safely)
            return
        body = await _body(request)
        why = "the request is too large" if body is None else self._foreign(request, body)
        if why:
            await PlainTextResponse(f"{why}\n", 413 if body is None else 403)(scope, receive, send_safely)
            return
        await self._app(scope, _again(body or b"", receive), send_safely)

    def _foreign(self, request: Request, body: bytes) -> str | None:
        """Say why an order may come from another site's page; None when it cannot."""
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return "this comes from the page of another site"
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return "this comes from the page of another site"
        if request.headers.get("content-type", "").partition(";")[0].strip() == "application/json":
            return None
        sent = request.headers.get("x-csrf-token") or _field(body)
        if hmac.compare_digest(sent.encode(), self._token.encode()):
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
