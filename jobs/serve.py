"""`pacslake serve`: one service for a lake, and its pages for as long as it runs. Touches: network, disk."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from crawler.confine import landlock_version
from crawler.errors import LakeError
from crawler.lake.job_runs import slots_done
from crawler.lake.lock import OwnerLock
from crawler.serve.audit import Audit
from crawler.serve.listening import Certificate, Server, certificate_of, listen
from crawler.serve.metrics import registry_of
from crawler.serve.site import Told, door_of, rules_of, site
from crawler.serve.sql.client import Limits, Sandbox
from crawler.serve.web.doors import Door
from crawler.serve.web.parts import Parts
from crawler.settings import Settings
from jobs.actions import LakeActions
from jobs.answering import answering, query_socket
from jobs.exits import Exit
from jobs.reports import LakeReports
from jobs.service import Service, Start

SERVICE_LOCK = "service.lock"


@dataclass(frozen=True, slots=True)
class Entrance:
    """By which people come in."""

    channel: socket.socket
    certificate: Certificate | None
    door: Door
    audit: Audit


def run_serve(file: Path, settings: Settings, start: Start) -> int:
    """Serve; LakeLockedError where another service does for this lake, UserError where its address is taken."""
    service = Service(file, settings, start)
    settings.lake.path.mkdir(parents=True, exist_ok=True)
    with (
        OwnerLock(settings.lake.path, SERVICE_LOCK, "served by") as lock,
        _entrance(settings) as entrance,
        query_socket(settings) if start.answers_queries else nullcontext() as channel,
    ):
        asyncio.run(_serve(service, lock, entrance, channel))
    return Exit.OK


@contextmanager
def _entrance(settings: Settings) -> Iterator[Entrance | None]:
    """Open what `[serve]` says; None where it is nothing."""
    address, audit = settings.serve.address, Audit(settings.lake.path)
    if address is None:
        yield None
        return
    door, certificate = door_of(settings.serve, audit), certificate_of(settings.serve)
    with listen(address) as channel:
        yield Entrance(channel, certificate, door, audit)


async def _serve(service: Service, lock: OwnerLock, entrance: Entrance | None, channel: socket.socket | None) -> None:
    async with AsyncExitStack() as stack:
        if entrance is not None:
            await stack.enter_async_context(_pages(service, entrance))
        if channel is not None:
            queries = answering(lambda: service.settings, channel, service.start.log_level)
            await stack.enter_async_context(queries)
        await service.run(lock)


@asynccontextmanager
async def _pages(service: Service, entrance: Entrance) -> AsyncIterator[None]:
    """Show them."""
    lake = service.settings.lake.path
    wake = partial(asyncio.get_running_loop().call_soon_threadsafe, service.wake)
    reports, actions = LakeReports(lambda: service.settings, service.doing), LakeActions(lambda: service.settings, wake)
    if not landlock_version():
        structlog.get_logger().warning("SQL is not confined by this machine's kernel", reason="it has no Landlock")
    serve = service.settings.serve
    limits = Limits(memory=serve.sql_memory, seconds=serve.sql_seconds, rows=serve.sql_rows)
    service.renewing.append(entrance.door.renew)
    if entrance.certificate:
        service.renewing.append(entrance.certificate.renew)
    async with Sandbox(lake, limits) as sandbox:
        parts = Parts(reports, actions, sandbox, entrance.audit)
        told = Told(registry_of(lake, service.condition), lambda: trouble_with(lake))
        app = site(told, parts, entrance.door, rules_of(serve))
        server = Server(app, entrance.certificate)
        showing = asyncio.create_task(server.serve(sockets=[entrance.channel]))
        structlog.get_logger().info("listening", port=entrance.channel.getsockname()[1])
        try:
            yield
        finally:
            server.should_exit = server.force_exit = True
            await showing


def trouble_with(lake: Path) -> str | None:
    """Say why the service cannot do its work; None when it can."""
    try:
        slots_done(lake)
    except LakeError as error:
        return str(error)
    return None
