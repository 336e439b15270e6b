"""Show how a retrieval goes, and say at its end what came and what did not. Touches: clock, standard error."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import structlog
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from crawler.retrieve.state import State
from crawler.retrieve.track import Stage
from jobs.arrivals import Arrivals
from jobs.fetching import Fetching
from jobs.progress import DRAW_EVERY, LOG_EVERY, clock

SHOWN = 10
"""Series with something missing that are named at the end; `pacslake cohort status` names all."""


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
                done, series, here, total = counts(one)
                figures = {"series": done, "of_series": series, "instances": here, "of_instances": total}
                left = pace.left(here, total)
                eta = None if left is None else round(left)
                waits = {"waiting": one.gate.waiting.why} if one.gate.waiting else {}
                log.info("retrieving", pacs=name, **figures, bytes_per_s=pace.bytes_a_second, eta_s=eta, **waits)


async def _bars(found: Mapping[str, Fetching], pace: Pace) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[figures]}", table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[clock]}", table_column=Column(no_wrap=True, justify="right")),
    )
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, expand=True) as bars:
        tasks = {name: bars.add_task(name, total=None, figures="", clock="") for name in found}

        def draw() -> None:
            for name, one in found.items():
                done, series, here, total = counts(one)
                waits = None if one.over or one.gate.waiting is None else one.gate.waiting.why
                rate = f"waiting: {waits}" if waits else f"{decimal(pace.bytes_a_second)}/s"
                left = None if one.over else pace.left(here, total)
                bars.update(
                    tasks[name],
                    total=max(total, 1),
                    completed=here,
                    figures=f"{done:,} of {series:,} series  {here:,} of {total:,} instances  {rate}",
                    clock=clock(pace.seconds) if left is None else f"{clock(left)} left",
                )
            bars.refresh()

        try:
            while True:
                draw()
                await asyncio.sleep(DRAW_EVERY)
        finally:
            draw()  # what stays on the screen


def counts(one: Fetching) -> tuple[int, int, int, int]:
    """Give the series that are settled and all, the instances that are here and all, as far as those are known."""
    tracks = one.order.tracks.values()
    total = sum(max(track.listing.size or track.item.instances or 0, len(track.here)) for track in tracks)
    settled = sum(track.stage is Stage.DONE for track in tracks)
    return settled, len(tracks), sum(len(track.here) for track in tracks), total


def summaries(found: Mapping[str, Fetching]) -> Iterator[str]:
    """Say of each PACS what came, what did not and why, and what a person can do."""
    for name, one in found.items():
        states = Counter(track.state for track in one.order.tracks.values())
        _, series, here, total = counts(one)
        line = f"{name}: {states[State.COMPLETE]:,} of {series:,} series complete, {here:,} of {total:,} instances here"
        if states[State.COMPLETE] == series:
            yield f"{line}."
            continue
        others = ", ".join(f"{count:,} {state}" for state, count in states.items() if state is not State.COMPLETE)
        yield f"{line}; NOT complete: {others}."
        if one.order.abandoned:
            yield f"  It was left because {one.order.abandoned}."
        if one.hint:
            yield f"  {one.hint}."
        missing = [track for track in one.order.tracks.values() if track.state is not State.COMPLETE and track.reason]
        for track in missing[:SHOWN]:
            yield f"  {track.item.uid}: {track.reason}"
        if len(missing) > SHOWN:
            yield f"  and {len(missing) - SHOWN:,} more; `pacslake cohort status` names all"
