"""Show the pages of the service for as long as it runs. Touches: network, disk."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from crawler.errors import LakeError
from crawler.lake.job_runs import slots_done
from crawler.serve.metrics import Condition, registry_of
from crawler.serve.site import Server, site


@asynccontextmanager
async def pages(lake: Path, condition: Callable[[], Condition], channel: socket.socket | None) -> AsyncIterator[None]:
    """Show them on a socket that listens; None: nowhere."""
    if channel is None:
        yield
        return
    server = Server(site(registry_of(lake, condition), lambda: trouble_with(lake)))
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
