"""What is swept night after night: the last days, and a share of the rest of the archive, the stalest first.

Touches: network, disk, clock, standard error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import click

from crawler.errors import NotNowError
from crawler.lake.catalog import Ledger, ledgers
from crawler.model import JobRun, Level, Model
from crawler.plan.days import BEGINNING, END
from crawler.plan.settled import Settled
from crawler.plan.stalest import stalest, undated_is_stale
from crawler.settings import JobSettings, Settings
from jobs.exits import Exit, worst
from jobs.explain import words
from jobs.runs import write_down
from jobs.sweep import Over, SweepRequest, run_sweep, run_sweeps, unwritten

NIGHTS = 30
"""So many nights go round an archive where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Night:
    """What to ask for tonight, of which PACS (none: all), down to which level (None: as configured)."""

    pacs: tuple[str, ...] = ()
    lookback: int = 0
    """So many days before today, and all that lies ahead; 0 for none."""
    reconcile: int = 0
    """In so many nights everything is asked for again; 0 for never."""
    deepest: Level | None = None

    @staticmethod
    def of(job: JobSettings) -> Night:
        """Read it from a section `[jobs.NAME]`."""
        return Night(job.pacs, 0 if job.kind == "reconcile" else job.lookback_days, job.reconcile_days)


def run_night(settings: Settings, night: Night, over: Over = unwritten) -> Exit:
    """Sweep; give the worst exit code: 130 interrupted, 3 something not complete, 4 only caps, 0 all complete."""
    swept: dict[str, Exit] = {}

    def lately(name: str, code: Exit) -> Sequence[JobRun]:
        swept[name] = code
        return () if night.reconcile else over(name, code)

    since = date.today() - timedelta(days=night.lookback) if night.lookback else None
    recent = Exit.OK
    if since:
        recent = run_sweep(settings, SweepRequest(night.pacs, since, None, night.deepest, over=lately))
    if not night.reconcile or recent is Exit.INTERRUPTED:
        return recent
    names = night.pacs or tuple(settings.pacs)
    ended = {name: swept.get(name, Exit.OK) for name in names if not since or name in swept}  # others are closed now
    return worst([recent, _reconcile(settings, night, since, ended, over)])


def _reconcile(settings: Settings, night: Night, since: date | None, ended: dict[str, Exit], over: Over) -> Exit:
    """Ask PACS again, side by side, for what is due of all that lies before the last days.

    `ended` has how each ended so far. NotNowError where one alone is meant, and may not be asked.
    """
    known = ledgers(settings.lake.path)
    left = {name: list(again(settings, name, night, since, known.get(name))) for name in ended}
    alone = since is None and len(ended) == 1
    while left:
        asked = {name: requests.pop(0) for name, requests in left.items() if requests}
        codes = _side_by_side(settings, asked, alone=alone) if asked else {}
        ended |= {name: worst([ended[name], code]) for name, code in codes.items()}
        done = [name for name in left if not left[name] or codes.get(name) in (Exit.PARTIAL, Exit.INTERRUPTED)]
        write_down(settings, [run for name in done for run in over(name, ended[name])])
        if Exit.INTERRUPTED in codes.values():
            break
        left = {name: requests for name, requests in left.items() if name not in done}  # in trouble: not tonight
        alone = False
    return worst(ended.values())


def _side_by_side(settings: Settings, asked: dict[str, tuple[SweepRequest, str]], *, alone: bool) -> dict[str, Exit]:
    """Ask each PACS for one thing; give how that ended."""
    codes: dict[str, Exit] = {}

    def note(name: str, code: Exit) -> Sequence[JobRun]:
        codes[name] = code
        return ()

    for name, (_, what) in asked.items():
        click.echo(f"pacslake: {name}: again {what}", err=True)
    try:
        code = run_sweeps(settings, {name: replace(request, over=note) for name, (request, _) in asked.items()})
    except NotNowError as closed:
        if alone:
            raise
        click.echo(f"pacslake: {closed}", err=True)
        code = Exit.PARTIAL
    untold = Exit.INTERRUPTED if code is Exit.INTERRUPTED else Exit.PARTIAL
    return {name: codes.get(name, untold) for name in asked}


def again(
    settings: Settings, name: str, night: Night, before: date | None, known: Ledger | None
) -> Iterator[tuple[SweepRequest, str]]:
    """Give what to ask a PACS for again, the newest days first, the studies without a date last, and how to say it."""
    if known is None:
        click.echo(f"pacslake: {name} was never asked; type: pacslake sweep {name}", err=True)
        return
    studies = [row for row in known.rows if row.level is Level.STUDY]
    settled = Settled.of(studies, datetime.now(UTC))
    is_study_root = settings.pacs[name].model is Model.STUDY_ROOT
    undated_too = is_study_root and undated_is_stale(studies, settled, night.reconcile, before)
    for days in reversed(stalest(settled, night.reconcile, before)):
        first, last = (None if day in (BEGINNING, END) else date.fromordinal(day) for day in days)
        yield SweepRequest((name,), first, last, night.deepest, restart=True), words(days)
    if undated_too:
        request = SweepRequest((name,), deepest=night.deepest, restart=True, undated_alone=True)
        yield request, "studies without a date"
