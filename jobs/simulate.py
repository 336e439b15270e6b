"""`pacslake simulate`: run a simulated PACS until it is told to stop. Touches: network, standard output, signals."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

from crawler.errors import UserError
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator


@dataclass(frozen=True, slots=True)
class SimulateRequest:
    """Where to listen, and how to behave as a server. An empty AE title answers to any."""

    host: str = "127.0.0.1"
    port: int = 11113
    ae_title: str = ""
    quirks: Quirks = field(default_factory=Quirks)
    destinations: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Host and port by AE title: where C-MOVE may send to."""


def simulate(archive: Archive, request: SimulateRequest) -> int:
    """Answer and send from `archive` until SIGTERM or SIGINT; give the exit code. Raises UserError."""
    if archive.first > archive.last:
        raise UserError(f"the first day, {archive.first}, is after the last one, {archive.last}")
    if len(request.ae_title) > 16 or "\\" in request.ae_title or not request.ae_title.isascii():
        raise UserError("an AE title has at most 16 ASCII characters and no backslash")
    return asyncio.run(_run(archive, request))


async def _run(archive: Archive, request: SimulateRequest) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    simulator = Simulator(
        archive,
        ae_title=request.ae_title or None,
        host=request.host,
        port=request.port,
        quirks=request.quirks,
    )
    simulator.destinations.update(request.destinations)
    try:
        async with simulator:
            print(_ready_line(archive, request, simulator.port), flush=True)
            await stop.wait()
    except OSError as error:
        raise UserError(f"cannot listen on {request.host}:{request.port}: {error.strerror or error}") from error
    return 0


def _ready_line(archive: Archive, request: SimulateRequest, port: int) -> str:
    title = request.ae_title or "any AE title"
    return f"listening on {request.host}:{port} as {title}, {archive.total} studies"
