"""Show how a sweep goes: bars on a terminal, one log line in 30 seconds elsewhere. Touches: clock, standard error."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog

from crawler.model import Level, SweepState
from crawler.words import many, plural
from jobs.bars import draw_bars
from jobs.crawl import Crawl

LOG_EVERY = 30.0
SOON = 5.0
"""Waits that are shorter need no clock."""

_ROW_NAMES = {
    Level.PATIENT: "patient",
    Level.STUDY: "study",
    Level.SERIES: "series",
    Level.IMAGE: "instance",
    Level.WORKLIST: "item",
}


@asynccontextmanager
async def progress(crawls: Mapping[str, Crawl]) -> AsyncIterator[None]:
    """Report on the crawls, by PACS, for as long as the block runs."""
    show = _bars if sys.stderr.isatty() else _lines
    reporter = asyncio.create_task(show(crawls))
    try:
        yield
    finally:
        reporter.cancel()
        await asyncio.wait([reporter])


async def _lines(crawls: Mapping[str, Crawl]) -> None:
    log = structlog.get_logger("sweep")
    began = time.monotonic()
    while True:
        await asyncio.sleep(LOG_EVERY)
        for name, crawl in crawls.items():
            if not crawl.over:
                rate, eta, waits = _rate(crawl, began), _eta(crawl, began), crawl.gate.waiting
                more = {"waiting": waits.why} if waits else {}
                more |= {"why": _asks_why(crawl)} if crawl.gate.standing.is_open else {}
                counts = {plural(what): count for what, count in _figures(crawl).items()}
                log.info("sweeping", pacs=name, **counts, rows_per_s=rate, eta_s=eta, **more)


async def _bars(crawls: Mapping[str, Crawl]) -> None:
    began = time.monotonic()
    await draw_bars(crawls, lambda crawl: _drawn(crawl, began))


def _drawn(crawl: Crawl, began: float) -> dict[str, Any]:
    """Give what a crawl's bar shows."""
    figures = "  ".join(_said(crawl))
    eta = _eta(crawl, began)
    shown = clock(time.monotonic() - began) if crawl.over or eta is None else f"{clock(eta)} left"
    share = 1.0 if crawl.over and crawl.state is SweepState.COMPLETE else _share(crawl)
    return {
        "total": 1.0 if crawl.over or share is not None else None,
        "completed": share or 0.0,
        "figures": _waits(crawl) or f"{figures}  {_rate(crawl, began):,} rows/s",
        "clock": shown,
    }


def _waits(crawl: Crawl) -> str | None:
    """Say what the crawl waits for, and until when if that is not just now."""
    waits = None if crawl.over else crawl.gate.waiting
    if waits is None:
        return None
    left = f", {clock(waits.seconds)} left" if waits.seconds >= SOON else ""
    advice = f"; {_asks_why(crawl)}" if crawl.gate.standing.is_open else ""
    return f"{many(crawl.tally.windows, 'window')}  waiting: {waits.why}{left}{advice}"


def _asks_why(crawl: Crawl) -> str:
    """Say what to type about a PACS that gives no answer."""
    return f"`pacslake check {crawl.source.pacs}` says why"


def clock(seconds: float) -> str:
    """Write a length of time for a person: 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def summary(crawl: Crawl) -> str:
    """Say in one line what a crawl did, and what to do about what it could not."""
    name, tally = crawl.source.pacs, crawl.tally
    if crawl.state is SweepState.PARTIAL and tally.windows == tally.unproven and tally.trouble:
        return f"{name}: NOT crawled: {tally.trouble}."
    figures = ", ".join(_said(crawl))
    gone = f", {tally.removed:,} gone" if tally.removed else ""
    queries = many(tally.queries, "query")
    line = f"{name}: {figures} ({tally.inserted:,} new, {tally.updated:,} changed{gone}) with {queries}"
    if tally.rejects:
        line += f"; {many(tally.rejects, 'answer')} set aside, see the table rejects"
    match crawl.state:
        case SweepState.COMPLETE:
            return f"{line}; complete."
        case SweepState.INTERRUPTED:
            why = f", because {crawl.gate.stopped}" if crawl.gate.stopped else ""
            if crawl.gate.standing.is_open:
                why += f". It gave no answer: {tally.trouble}. {_asks_why(crawl)}"
            return f"{line}; stopped{why}. Run the same command again to go on."
    unproven = f"{many(tally.unproven, 'window')} not proven (`pacslake coverage` says why)" if tally.unproven else ""
    why = ": ".join(filter(None, (unproven, tally.trouble)))
    return f"{line}; NOT complete: {why}. Run the same command again to ask for what is missing alone."


def _figures(crawl: Crawl) -> dict[str, int]:
    """Count windows that are settled, and rows that came at each level, by what they are in the singular."""
    return {"window": crawl.tally.windows, **{_ROW_NAMES[level]: crawl.tally.rows[level] for level in crawl.levels}}


def _said(crawl: Crawl) -> list[str]:
    return [many(count, what) for what, count in _figures(crawl).items()]


def _rate(crawl: Crawl, began: float) -> int:
    return round(sum(crawl.tally.rows.values()) / max(time.monotonic() - began, 0.001))


def _eta(crawl: Crawl, began: float) -> int | None:
    """Seconds left at the pace so far; None while there is none, and for an archive of unknown age."""
    share = _share(crawl)
    return round((time.monotonic() - began) * (1 - share) / share) if share else None


def _share(crawl: Crawl) -> float | None:
    """How much of a sweep whose days are known is done: of its days, times that of the queries that they led to."""
    if crawl.machine.date_from is None or crawl.levels[0] is Level.PATIENT:  # worked off by patients, not by days
        return None
    days = 1 - crawl.machine.days_due / crawl.days if crawl.days else 1.0
    due = crawl.tally.parents_due
    return days * crawl.tally.parents_asked / due if due else 0.0 if len(crawl.levels) > 1 else days
