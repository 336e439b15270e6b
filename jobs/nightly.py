"""What is swept night after night: the last days, and a share of the rest of the archive, the stalest first.

Touches: network, disk, clock, standard error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import click

from crawler.errors import NotNowError
from crawler.lake.catalog import ledgers
from crawler.model import JobRun, Level, Model
from crawler.plan.days import BEGINNING, END
from crawler.plan.settled import Settled
from crawler.plan.stalest import stalest, undated_is_stale
from crawler.settings import JobSettings, Settings
from jobs.exits import Exit, worst
from jobs.explain import words
from jobs.runs import write_down
from jobs.sweep import Over, SweepRequest, run_sweep, unwritten

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

    codes: set[Exit] = set()
    today = date.today()
    since = today - timedelta(days=night.lookback) if night.lookback else None
    if since:
        codes.add(run_sweep(settings, SweepRequest(night.pacs, since, None, night.deepest, over=lately)))
    names = (night.pacs or tuple(settings.pacs)) if night.reconcile else ()
    for name in names:
        if Exit.INTERRUPTED in codes:
            break
        if since and name not in swept:  # it may not be asked now
            continue
        alone = len(names) == 1 and not codes
        code = worst([swept.get(name, Exit.OK), _reconcile(settings, name, night, since, alone=alone)])
        write_down(settings, over(name, code))
        codes.add(code)
    return worst(codes)


def _reconcile(settings: Settings, name: str, night: Night, since: date | None, *, alone: bool) -> Exit:
    """Ask one PACS again for what is due of all that lies before the last days. NotNowError where that is all to do."""
    codes: list[Exit] = []
    for request, what in again(settings, name, night, since):
        click.echo(f"pacslake: {name}: again {what}", err=True)
        try:
            codes.append(run_sweep(settings, request))
        except NotNowError as closed:
            if alone and not codes:
                raise
            click.echo(f"pacslake: {closed}", err=True)
            codes.append(Exit.PARTIAL)
        if codes[-1] in (Exit.PARTIAL, Exit.INTERRUPTED):
            break  # a PACS in trouble is left alone until tomorrow
    return worst(codes)


def again(settings: Settings, name: str, night: Night, before: date | None) -> Iterator[tuple[SweepRequest, str]]:
    """Give what to ask a PACS for again, the newest days first, the studies without a date last, and how to say it."""
    known = ledgers(settings.lake.path).get(name)
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
