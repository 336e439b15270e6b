"""Show how a retrieval goes: bars on a terminal, a log line in 30 seconds elsewhere. Touches: clock, standard error."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog
from rich.filesize import decimal

from jobs.arrivals import Arrivals
from jobs.bars import draw_bars
from jobs.brought import counts
from jobs.fetching import Fetching
from jobs.progress import LOG_EVERY, SOON, clock


@asynccontextmanager
async def bringing(found: Mapping[str, Fetching], arrivals: Arrivals) -> AsyncIterator[None]:
    """Report on the PACS, by name, for as long as the block runs; feed requests with what arrives."""
    show = _bars if sys.stderr.isatty() else _lines
    tasks = [asyncio.create_task(show(found, Pace(arrivals))), asyncio.create_task(_feed(found, arrivals))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


class Pace:
    """How fast things arrive."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return max(time.monotonic() - self._began, 0.001)

    @property
    def bytes_a_second(self) -> int:
        """On average."""
        return int(self._arrivals.size / self.seconds)

    def left(self, here: int, total: int) -> float | None:
        """Give the seconds left for so many instances; None while nothing tells."""
        arrived = self._arrivals.instances
        return (total - here) * self.seconds / arrived if arrived else None


async def _feed(found: Mapping[str, Fetching], arrivals: Arrivals) -> None:
    while True:
        await arrivals.came.wait()
        arrivals.came.clear()
        for one in found.values():
            one.feed()


async def _lines(found: Mapping[str, Fetching], pace: Pace) -> None:
    log = structlog.get_logger("retrieve")
    while True:
        await asyncio.sleep(LOG_EVERY)
        for name, one in found.items():
            if not one.over:
                done, series, here, total = counts(one.order)
                figures = {"series": done, "of_series": series, "instances": here, "of_instances": total}
                left = pace.left(here, total)
                eta = None if left is None else round(left)
                waits = _waits(one)
                more = {"waiting": waits} if waits else {}
                log.info("retrieving", pacs=name, **figures, bytes_per_s=pace.bytes_a_second, eta_s=eta, **more)


async def _bars(found: Mapping[str, Fetching], pace: Pace) -> None:
    await draw_bars(found, lambda one: _drawn(one, pace))


def _drawn(one: Fetching, pace: Pace) -> dict[str, Any]:
    """Give what the bar of a PACS shows."""
    done, series, here, total = counts(one.order)
    rate = _waits(one) or f"{decimal(pace.bytes_a_second)}/s"
    left = None if one.over else pace.left(here, total)
    return {
        "total": max(total, 1),
        "completed": here,
        "figures": f"{done:,} of {series:,} series  {here:,} of {total:,} instances  {rate}",
        "clock": clock(pace.seconds) if left is None else f"{clock(left)} left",
    }


def _waits(one: Fetching) -> str | None:
    """Say what a PACS that is not asked just now waits for."""
    if one.over:
        return None
    if one.gate.waiting is not None:
        return f"waiting: {one.gate.waiting.why}"
    pause = one.order.pause(asyncio.get_running_loop().time())
    return f"asks again in {clock(pause)}" if pause >= SOON else None
