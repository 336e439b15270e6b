"""Have an order done by a process of its own: start it, pass on what it says, stop it. Touches: processes, clock."""

from __future__ import annotations

import asyncio
import json
import pickle
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import dataclass
from datetime import datetime

import structlog

from crawler.settings import Settings

_STOPPING = ((signal.SIGTERM, 3.0), (signal.SIGTERM, 6.0), (signal.SIGKILL, 0.5))
"""How to end a job within ten seconds, and how long to wait after each: it lets the queries under way end; it does not
wait for them, and keeps all windows that are finished; it is killed."""
LONGEST_LINE = 1 << 20

NEW_JOBS, COUNTING = "(new jobs)", "(counting)"
"""Names of chores."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to do: a job for a slot of its schedule, what somebody asked for, or one of the service's own chores."""

    settings: Settings
    slot: datetime
    name: str
    """Of the job, or of the request."""
    new: tuple[str, ...] = ()
    """Jobs to be noted as new."""
    request: bool = False
    count: bool = False
    """Whether the rows of the lake are to be counted."""
    log_level: str = "info"

    @property
    def held_for(self) -> datetime | None:
        """For what it is left alone when it does not get through; a chore for ever."""
        return None if self.is_chore else self.slot

    @property
    def is_chore(self) -> bool:
        """Whether nobody asked for it, by a schedule or otherwise."""
        return bool(self.new) or self.count


async def have_done(order: Order, stop: asyncio.Event) -> int:
    """Have an order done, or stopped soon after `stop` is set; give the exit code, negative for a signal."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "jobs.work"),
        stdin=PIPE,
        stdout=DEVNULL,
        stderr=PIPE,
        limit=LONGEST_LINE,
        process_group=0,  # Ctrl-C in a terminal is for the service, which passes it on
    )
    assert process.stdin is not None
    process.stdin.write(pickle.dumps(order))
    relaying = asyncio.create_task(relay(process, job=order.name))
    ended = asyncio.create_task(process.wait())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for number, patience in _STOPPING:
        if not ended.done():
            process.send_signal(number)
            await asyncio.wait({ended}, timeout=patience)
    stopping.cancel()
    process.stdin.close()
    await relaying
    return await ended


async def relay(process: Process, **told: str) -> None:
    """Log what the process says, with what is `told` of it: its log lines as they are, other lines as events."""
    assert process.stderr is not None
    log = structlog.get_logger()
    async for raw in process.stderr:
        line = raw.decode(errors="replace").strip()
        try:
            said = json.loads(line)
            level, event = said.pop("level"), said.pop("event")
            said.pop("timestamp", None)
        except (ValueError, AttributeError, KeyError):
            level, event, said = "info", line.removeprefix("pacslake: "), {}
        if line:
            getattr(log, level, log.info)(event, **{**said, **told})
