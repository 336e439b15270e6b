"""What is swept night after night: the last days, and a share of the rest of the archive, the stalest first.

Touches: network, disk, clock, standard error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import click

from crawler.errors import NotNowError
from crawler.lake.catalog import ledgers
from crawler.model import Level, Model
from crawler.plan.days import BEGINNING, END
from crawler.plan.settled import Settled
from crawler.plan.stalest import stalest, undated_is_stale
from crawler.settings import JobSettings, Settings
from jobs.exits import Exit
from jobs.explain import words
from jobs.sweep import SweepRequest, run_sweep

NIGHTS = 30
"""So many nights go round an archive where nothing else is said."""

WORST_FIRST = (Exit.INTERRUPTED, Exit.PARTIAL, Exit.CAPPED)


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


def run_night(settings: Settings, night: Night) -> int:
    """Sweep; give the worst exit code: 130 interrupted, 3 something not complete, 4 only caps, 0 all complete."""
    codes: set[int] = set()
    today = date.today()
    since = today - timedelta(days=night.lookback) if night.lookback else None
    if since:
        codes.add(run_sweep(settings, SweepRequest(night.pacs, since, None, night.deepest)))
    names = (night.pacs or tuple(settings.pacs)) if night.reconcile else ()
    for name in names:
        for request, what in again(settings, name, night, since):
            if Exit.INTERRUPTED in codes:
                break
            click.echo(f"pacslake: {name}: again {what}", err=True)
            try:
                code = run_sweep(settings, request)
            except NotNowError as closed:
                if len(names) == 1 and not codes:
                    raise
                click.echo(f"pacslake: {closed}", err=True)
                code = Exit.PARTIAL
            codes.add(code)
            if code == Exit.PARTIAL:
                break  # a PACS in trouble is left alone until tomorrow
    return next((code for code in WORST_FIRST if code in codes), Exit.OK)


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
