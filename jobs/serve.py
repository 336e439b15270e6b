"""`pacslake serve`: one service for a lake, and its pages for as long as it runs. Touches: network, disk."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

import structlog

from crawler.errors import LakeError
from crawler.lake.job_runs import slots_done
from crawler.lake.lock import OwnerLock
from crawler.serve.audit import Audit
from crawler.serve.metrics import registry_of
from crawler.serve.site import Server, listening, site
from crawler.serve.sql.client import Limits, Sandbox
from crawler.serve.sql.confine import landlock_version
from crawler.serve.web.parts import Parts
from crawler.settings import Settings
from jobs.actions import LakeActions
from jobs.exits import Exit
from jobs.reports import LakeReports
from jobs.service import Service, Start

SERVICE_LOCK = "service.lock"


def run_serve(file: Path, settings: Settings, start: Start) -> int:
    """Serve; LakeLockedError where another service does for this lake, UserError where its address is taken."""
    service = Service(file, settings, start)
    settings.lake.path.mkdir(parents=True, exist_ok=True)
    with OwnerLock(settings.lake.path, SERVICE_LOCK, "served by"):
        address = settings.serve.address
        with listening(address) if address else nullcontext() as channel:
            asyncio.run(_serve(service, channel))
    return Exit.OK


async def _serve(service: Service, channel: socket.socket | None) -> None:
    async with _pages(service, channel):
        await service.run()


@asynccontextmanager
async def _pages(service: Service, channel: socket.socket | None) -> AsyncIterator[None]:
    """Show them on a socket that listens; None: nowhere."""
    if channel is None:
        yield
        return
    lake = service.settings.lake.path
    wake = partial(asyncio.get_running_loop().call_soon_threadsafe, service.wake)
    reports, actions = LakeReports(lambda: service.settings, service.doing), LakeActions(lambda: service.settings, wake)
    if not landlock_version():
        structlog.get_logger().warning("SQL is not confined by this machine's kernel", reason="it has no Landlock")
    serve = service.settings.serve
    limits = Limits(memory=serve.sql_memory, seconds=serve.sql_seconds, rows=serve.sql_rows)
    async with Sandbox(lake, limits) as sandbox:
        parts = Parts(reports, actions, sandbox, Audit(lake))
        server = Server(site(registry_of(lake, service.condition), lambda: trouble_with(lake), parts))
        showing = asyncio.create_task(server.serve(sockets=[channel]))
        structlog.get_logger().info("listening", port=channel.getsockname()[1])
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
