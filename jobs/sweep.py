"""`pacslake sweep`: crawl the PACS asked for, several at once, into one lake.

Touches: network, disk, clock, signals.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeAlias

import click

from crawler.errors import UserError
from crawler.lake.memory import Memory
from crawler.lake.query import open_lake
from crawler.lake.resume import complete_windows, findings_of, last_sweep
from crawler.model import JobRun, Level, Model, SweepRecord, SweepState
from crawler.pacs.profile import profile_from
from crawler.plan.answers import Known
from crawler.plan.coverage import covered, days_by_hours
from crawler.plan.settled import by_level
from crawler.plan.sweep import SweepMachine
from crawler.settings import Settings
from jobs.crawl import Crawl
from jobs.exits import Exit, worst
from jobs.levels import levels_of
from jobs.patients import PatientCrawl
from jobs.permission import admitted, gate_of, is_switched_off, watching
from jobs.phi import policy_of
from jobs.progress import progress, summary
from jobs.publish import Publisher, Source
from jobs.stopping import stopping_on_signals
from jobs.worklist import WorklistCrawl

TARGET_ROWS = {Level.PATIENT: 5000, Level.STUDY: 5000, Level.SERIES: 500, Level.IMAGE: 100, Level.WORKLIST: 5000}
"""Studies a window should hold, by the deepest level asked for: what a kill may cost, against queries spent."""

_KINDS: dict[Model, type[Crawl]] = {Model.STUDY_ROOT: Crawl, Model.WORKLIST: WorklistCrawl}
"""How a PACS is crawled, where not patient by patient."""

Over: TypeAlias = Callable[[str, Exit], Sequence[JobRun]]
"""Told how it ended at a PACS, as soon as it did; gives what is to be written down in the lake at once."""


def unwritten(_pacs: str, _code: Exit) -> Sequence[JobRun]:
    """Have nothing written down."""
    return ()


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """What to sweep: PACS by name (none: all), days with both ends included (None: open), levels down to `deepest`."""

    pacs: tuple[str, ...] = ()
    date_from: date | None = None
    date_to: date | None = None
    deepest: Level | None = None
    restart: bool = False
    """Begin again instead of going on with a sweep that did not end."""
    unchanged_too: bool = False
    """Ask below studies again that did not change since that was done."""
    undated_alone: bool = False
    """Ask for no day, but for the studies without a date."""
    over: Over = unwritten


def run_sweep(settings: Settings, request: SweepRequest) -> Exit:
    """Crawl and publish; give the exit code: 0 all windows complete, 3 some not, 4 for caps alone, 130 interrupted."""
    return run_sweeps(settings, dict.fromkeys(request.pacs or tuple(settings.pacs), request))


def run_sweeps(settings: Settings, requests: Mapping[str, SweepRequest]) -> Exit:
    """Do so for several PACS at once, each with what is asked of it; give the worst exit code."""
    try:
        return asyncio.run(_sweep(settings, requests))
    except asyncio.CancelledError:  # a second Ctrl-C: what was under way is asked for again
        click.echo("pacslake: stopped at once. Run the same command again to go on.", err=True)
        return Exit.INTERRUPTED


async def _sweep(settings: Settings, requests: Mapping[str, SweepRequest]) -> Exit:
    names = admitted(settings, requests)
    async with Publisher(settings.lake.path, policy_of(settings), create=settings.lake.create) as publisher:
        crawls = {name: await _prepare(settings, requests[name], name, publisher) for name in names}
        with stopping_on_signals([crawl.stop for crawl in crawls.values()]):
            try:
                async with progress(crawls), watching(settings, {name: crawl.gate for name, crawl in crawls.items()}):
                    running = (_run(crawl, settings, requests[name].over) for name, crawl in crawls.items())
                    codes = await asyncio.gather(*running)
            except asyncio.CancelledError:
                await publisher.commit()  # windows that are finished are not lost
                raise
    for crawl in crawls.values():
        click.echo(summary(crawl), err=True)
    return worst([*codes, Exit.OK if len(names) == len(requests) else Exit.PARTIAL])


async def _prepare(settings: Settings, request: SweepRequest, name: str, publisher: Publisher) -> Crawl:
    """Plan the crawl of one PACS: what was asked for, less what an unended sweep for the same has covered."""
    pacs = settings.pacs[name]
    if pacs.model is Model.WORKLIST and request.deepest and name in request.pacs:
        raise UserError(f"{name} is a worklist, which has no levels: leave --level out")
    levels = levels_of(pacs.model, pacs.levels, request.deepest)
    now = datetime.now(UTC)
    days = (request.date_from, request.date_to)
    lake = await publisher.read(lambda: open_lake(settings.lake.path))
    anew = request.restart or pacs.model is Model.WORKLIST  # short, and what has gone shows by all of it alone
    earlier = None if anew else await publisher.read(lambda: last_sweep(lake, name, levels, days))
    if earlier is None or earlier.state is SweepState.COMPLETE:
        begun = SweepRecord(uuid.uuid4().hex, name, levels, *days, state=SweepState.RUNNING, started_at=now)
        rows = []
    else:
        begun = earlier
        over = earlier.state is SweepState.PARTIAL
        rows = await publisher.read(lambda: complete_windows(lake, name, begun.sweep_id, over=over))
    done = covered(rows, levels, now)
    proven = {window for window in done if window.key is None}
    dated_rows = [row for row in rows if row.level is pacs.model.dated_level]
    counts = {row.window: row.rows for row in dated_rows if row.window in proven}
    dated = sum(counts.values())
    profile = profile_from(
        await publisher.read(lambda: findings_of(lake, name)), pacs.overrides, pacs.model.dated_level
    )
    whole = tuple(one for one, count in counts.items() if count and not one.time_from)
    memory = await publisher.read(lambda: Memory(lake, name, publisher.writer.next_row_id, days))
    if pacs.model is not Model.WORKLIST:  # whose items have gone by now
        whole += await publisher.read(lambda: memory.neighbours(*days))
    below = [] if request.unchanged_too else await publisher.read(memory.ledger)
    told = frozenset(pacs.overrides.get("unsupported") or ()) | ({"StudyTime"} if profile.dates_only else set())
    if request.undated_alone:
        dated = await publisher.read(memory.dated)
    by_hours = days_by_hours(done, dated_rows)
    # what was only found out of keys may have changed
    known = Known(profile.cap, told, profile.always_timed or None, whole, by_hours, counts)
    machine = SweepMachine(*days, date.today(), done, TARGET_ROWS[levels[-1]], dated, known, request.undated_alone)
    return _KINDS.get(pacs.model, PatientCrawl)(
        peer=settings.peer(name),
        model=pacs.model,
        levels=levels,
        source=Source(name, begun.sweep_id, pacs.charsets, profile, len(levels) > 1, names_images=not memory.is_empty),
        machine=machine,
        publisher=publisher,
        begun=begun,
        gate=gate_of(settings, name),
        memory=memory,
        settled={} if request.unchanged_too else by_level(below, levels[1:], now),
    )


async def _run(crawl: Crawl, settings: Settings, over: Over) -> Exit:
    """Crawl one PACS, publish what came, and how it ended, while others may be crawled still."""
    name, loop = crawl.source.pacs, asyncio.get_running_loop()
    deadline = loop.call_later(settings.pacs[name].sweep_timeout, crawl.gate.stop, "its sweep_timeout is over")
    try:
        await crawl.run(settings.pacs[name].max_associations)
    finally:
        deadline.cancel()
    if crawl.memory is not None:
        await crawl.publisher.read(crawl.memory.close)
    code = _code(crawl, settings)
    crawl.publisher.record(crawl.record(), crawl.findings(), over(name, code))
    await crawl.publisher.commit()
    return code


def _code(crawl: Crawl, settings: Settings) -> Exit:
    """Say how a crawl ended: one that was stopped for its PACS's sake is not interrupted."""
    if crawl.state is SweepState.INTERRUPTED:
        return Exit.PARTIAL if crawl.gate.stopped and not is_switched_off(settings) else Exit.INTERRUPTED
    if crawl.state is SweepState.COMPLETE:
        return Exit.OK
    tally = crawl.tally
    return Exit.CAPPED if tally.capped == tally.unproven and not tally.trouble else Exit.PARTIAL
