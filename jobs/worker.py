"""Have an order done by a process of its own: start it, pass on what it says, stop it. Touches: processes, clock."""

from __future__ import annotations

import asyncio
import json
import pickle
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
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
    beside: Mapping[str, datetime] = field(default_factory=dict)
    """Jobs that are done at once with it, each at a PACS of its own, and for which slots."""
    new: tuple[str, ...] = ()
    """Jobs to be noted as new."""
    request: bool = False
    count: bool = False
    """Whether the rows of the lake are to be counted."""
    log_level: str = "info"
    failures: int = 0
    """So often it did not get through elsewhere."""
    pulse: float | None = None
    """Seconds of silence after which it must take its service for dead."""

    @property
    def slots(self) -> Mapping[str, datetime]:
        """All that is done, and for which slots."""
        return {self.name: self.slot, **self.beside}

    @property
    def title(self) -> str:
        """What it is called, for people."""
        return f"{self.name} and {len(self.beside)} more" if self.beside else self.name

    @property
    def held_for(self) -> datetime | None:
        """For what it is left alone when it does not get through; a chore for ever."""
        return None if self.is_chore else self.slot

    @property
    def is_chore(self) -> bool:
        """Whether nobody asked for it, by a schedule or otherwise."""
        return bool(self.new) or self.count


async def _admit(_pid: int) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Leash:
    """How an order under way is stopped."""

    stop: asyncio.Event
    """Set, to have it end soon."""
    cut: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, to have it killed."""
    begins: Callable[[int], Awaitable[bool]] = _admit
    """Told its process before that does anything; False to have it do nothing."""


async def have_done(order: Order, leash: Leash) -> int:
    """Have an order done, or stopped soon after the leash says so; give the exit code, negative for a signal."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "jobs.work"),
        stdin=PIPE,
        stdout=DEVNULL,
        stderr=PIPE,
        limit=LONGEST_LINE,
        process_group=0,  # Ctrl-C in a terminal is for the service, which passes it on
    )
    assert process.stdin is not None
    relaying = asyncio.create_task(relay(process, job=order.title))
    ended = asyncio.create_task(process.wait())
    if await leash.begins(process.pid):
        process.stdin.write(pickle.dumps(order))
    else:
        _send(process, signal.SIGKILL)
    words = [asyncio.create_task(leash.stop.wait()), asyncio.create_task(leash.cut.wait())]
    beating = asyncio.create_task(_beat(process, leash, order.pulse))
    await asyncio.wait({ended, *words}, return_when=asyncio.FIRST_COMPLETED)
    for number, patience in _STOPPING:
        if leash.cut.is_set():
            break
        if not ended.done():
            _send(process, number)
            await asyncio.wait({ended, words[1]}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
    if not ended.done():
        _send(process, signal.SIGKILL)
    for task in (*words, beating):
        task.cancel()
    process.stdin.close()
    await relaying
    return await ended


def _send(process: Process, number: signal.Signals) -> None:
    """Send a signal, unless the process has ended, of which nobody may have heard yet."""
    with suppress(ProcessLookupError):
        process.send_signal(number)


async def _beat(process: Process, leash: Leash, pulse: float | None) -> None:
    """Let a process know that its service lives, and is not to stop it."""
    assert process.stdin is not None
    while pulse is not None and not leash.stop.is_set():
        await asyncio.sleep(pulse / 6)
        process.stdin.write(b".")


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
