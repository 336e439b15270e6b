"""The pages of the service, on this machine alone: /metrics, /healthz, /readyz. Touches: network, disk."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Callable, Iterator

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from crawler.errors import UserError
from crawler.serve.access import Person, Role
from crawler.serve.web.app import web
from crawler.serve.web.parts import Parts
from crawler.serve.web.safety import Safety

HOSTS = ["127.0.0.1", "localhost"]
"""Names that a browser may know us by; another page must not reach us under a name of its own (DNS rebinding)."""

LOCAL = Person("local", Role.OPERATOR)


def site(registry: CollectorRegistry, trouble: Callable[[], str | None], parts: Parts) -> Starlette:
    """Make everything that can be looked at; `trouble` says why the service is not ready, None when it is."""

    async def metrics(_request: Request) -> Response:
        content = await run_in_threadpool(generate_latest, registry)
        return Response(content, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        why = await run_in_threadpool(trouble)
        return JSONResponse({"ready": why is None, "reason": why}, status_code=503 if why else 200)

    safety = Middleware(Safety, whose=lambda _request: LOCAL, token=secrets.token_urlsafe(32))
    app = web(parts, [Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS), safety])
    for path, answer in (("/metrics", metrics), ("/healthz", healthz), ("/readyz", readyz)):
        app.add_route(path, answer, include_in_schema=False)
    return app


def listening(address: tuple[str, int]) -> socket.socket:
    """Take an address. UserError where it cannot be had."""
    try:
        return socket.create_server(address)
    except OSError as error:
        host, port = address
        said = os.strerror(error.errno) if error.errno else str(error)
        raise UserError(f"serve.listen: {host}:{port} cannot be had: {said}; choose another port") from None


class Server(uvicorn.Server):
    """Serves until `should_exit`; signals are the service's business."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, server_header=False))

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
