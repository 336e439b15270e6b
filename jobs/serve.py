"""`pacslake serve`: one service for a lake, and its pages for as long as it runs. Touches: network, disk."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from crawler.confine import landlock_version
from crawler.errors import LakeError, LakeLockedError, UserError
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
from jobs.service import Service
from jobs.start import Start

SERVICE_LOCK = "service.lock"
MOST_SERVICES = 100
"""That may share the jobs of a lake."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """By which people come in."""

    channel: socket.socket
    certificate: Certificate | None
    door: Door
    audit: Audit


def run_serve(file: Path, settings: Settings, start: Start) -> int:
    """Serve; LakeLockedError where another service does for this lake, UserError where its address is taken."""
    service = _service(file, settings, start)
    settings.lake.path.mkdir(parents=True, exist_ok=True)
    with (
        _place(settings.lake.path, shared=start.queue is not None) as lock,
        _entrance(settings) as entrance,
        query_socket(settings) if start.answers_queries else nullcontext() as channel,
    ):
        asyncio.run(_serve(service, lock, entrance, channel))
    return Exit.OK


def _service(file: Path, settings: Settings, start: Start) -> Service:
    if start.queue is None:
        return Service(file, settings, start)
    try:
        from jobs.queued import QueuedService
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed, which a queue takes: pip install 'pacslake[queue]'") from None
    return QueuedService(file, settings, start)


@contextmanager
def _place(lake: Path, *, shared: bool) -> Iterator[OwnerLock]:
    """Be the one service of a lake, or one of those that share their jobs: never both at once."""
    with _alone(lake, patient=shared) as lock:
        places = [f"service.{number}.lock" for number in range(1, MOST_SERVICES)]
        if not shared:
            for file in places:
                if (lake / file).exists():
                    OwnerLock(lake, file, "served by").release()
            yield lock
            return
        own = next(filter(None, (_free(lake, file) for file in places)), None)
    if own is None:
        raise UserError(f"more than {MOST_SERVICES} services share the lake at {lake}")
    with own:
        yield own


def _alone(lake: Path, *, patient: bool) -> OwnerLock:
    for _ in range(20 if patient else 0):  # services that start at once are here for a moment each
        with suppress(LakeLockedError):
            return OwnerLock(lake, SERVICE_LOCK, "served by")
        time.sleep(0.1)
    return OwnerLock(lake, SERVICE_LOCK, "served by")


def _free(lake: Path, file: str) -> OwnerLock | None:
    with suppress(LakeLockedError):
        return OwnerLock(lake, file, "served by")
    return None


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
    service.heed_signals()
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
        host, port = entrance.channel.getsockname()[:2]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        pages = f"{'https' if entrance.certificate else 'http'}://{address}"
        structlog.get_logger().info("listening", port=port, pages=pages)
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
