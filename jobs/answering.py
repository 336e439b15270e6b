"""Keep the process that answers C-FIND alive beside the service. Touches: network, processes, clock."""

from __future__ import annotations

import asyncio
import pickle
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from crawler import tls
from crawler.errors import RefusedError, UserError
from crawler.serve.listening import listen
from crawler.settings import Settings
from jobs.find_scp import ANEW, Errand, places_of, users_of
from jobs.worker import LONGEST_LINE, relay

_REST = 1.0
"""Seconds before a process that ended is started anew; each time twice as long, up to a minute."""
_LONGEST_REST = 60.0
_PATIENCE = 3.0
"""Seconds that it has to end when it is asked to."""


def query_socket(settings: Settings) -> socket.socket:
    """Take the address of `[find_scp]`. UserError where it cannot be had, or a file for TLS cannot be used."""
    if by_tls := settings.find_scp.tls_listen("find_scp"):
        tls.listening(by_tls)
    try:
        users_of(settings.find_scp)
    except RefusedError as wrong:
        raise UserError(str(wrong)) from None
    for place in places_of(settings).values():
        if place.tls:
            tls.calling(place.tls)
    try:
        return listen(settings.find_scp.address)
    except UserError as error:
        raise UserError(str(error).replace("serve.listen", "find_scp.listen", 1)) from None


@asynccontextmanager
async def answering(settings: Callable[[], Settings], channel: socket.socket, log_level: str) -> AsyncIterator[None]:
    """Have queries answered while the block runs; a process that dies is started anew, with the settings of then."""
    keeping = asyncio.create_task(_keep(settings, channel, log_level))
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def _keep(settings: Callable[[], Settings], channel: socket.socket, log_level: str) -> None:
    rest = _REST
    while True:
        began = asyncio.get_running_loop().time()
        code = await _run(Errand(settings(), channel.fileno(), log_level))
        if code == ANEW:
            continue
        rest = _REST if asyncio.get_running_loop().time() - began > _LONGEST_REST else min(rest * 2, _LONGEST_REST)
        structlog.get_logger().error("answering queries ended, begins again", exit_code=code, seconds=rest)
        await asyncio.sleep(rest)


async def _run(errand: Errand) -> int:
    """Run one process to its end; it ends with the task that waits for it."""
    told = errand.settings.find_scp
    calls = "calls" if told.destinations or told.forward else "answers"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "jobs.find_process", errand.settings.lake.path, str(told.memory), calls),
        stdin=PIPE,
        stdout=DEVNULL,
        stderr=PIPE,
        limit=LONGEST_LINE,
        pass_fds=(errand.descriptor,),
        process_group=0,  # Ctrl-C in a terminal is for the service, which passes it on
    )
    assert process.stdin is not None
    process.stdin.write(pickle.dumps(errand))
    said = asyncio.create_task(relay(process))
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _PATIENCE)
            except TimeoutError:
                process.kill()
        process.stdin.close()
        await said
