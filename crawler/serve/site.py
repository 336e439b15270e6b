"""Everything that can be looked at: the pages, /metrics, /healthz, /readyz; who may, and by which address.

Touches: network, disk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from crawler.serve.accounts import Accounts
from crawler.serve.audit import Audit
from crawler.serve.rates import Buckets
from crawler.serve.web.app import web
from crawler.serve.web.doors import Door, LocalDoor, PasswordDoor, ProxyDoor
from crawler.serve.web.parts import Parts
from crawler.serve.web.safety import Rules, Safety
from crawler.settings import ServeSettings

OURS = {"127.0.0.1", "localhost"}


@dataclass(frozen=True, slots=True)
class Told:
    """How the service is, for machines."""

    registry: CollectorRegistry
    trouble: Callable[[], str | None]
    """Why it is not ready; None when it is."""


def site(told: Told, parts: Parts, door: Door, rules: Rules) -> Starlette:
    """Make everything that can be looked at."""

    async def metrics(_request: Request) -> Response:
        content = await run_in_threadpool(generate_latest, told.registry)
        return Response(content, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        why = await run_in_threadpool(told.trouble)
        return JSONResponse({"ready": why is None, "reason": why}, status_code=503 if why else 200)

    app = web(parts, [Middleware(Safety, door=door, rules=rules)])
    app.state.door = door
    for path, answer in (("/metrics", metrics), ("/healthz", healthz), ("/readyz", readyz)):
        app.add_route(path, answer, include_in_schema=False)
    return app


def door_of(settings: ServeSettings, audit: Audit) -> Door:
    """Make what knows people. UserError where a file that it needs cannot be read."""
    if settings.password_file:
        return PasswordDoor(Accounts(settings.password_file.path), audit, secure=settings.tls_certificate is not None)
    return ProxyDoor(settings.trusted_proxy) if settings.trusted_proxy else LocalDoor(settings.role)


def rules_of(settings: ServeSettings) -> Rules:
    """Say what everybody has to keep to."""
    many = settings.requests_per_minute
    return Rules(
        hosts=frozenset(name.lower() for name in settings.hosts) | OURS,
        metrics_open=settings.metrics_open,
        rates=Buckets(many, many / 60) if many else None,
    )
