"""`pacslake sweep`: what to crawl, checked before anything is opened. Touches: disk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import click

from crawler.errors import UserError
from crawler.model import HIERARCHY, Level
from crawler.settings import nearest
from jobs.completing import names_of
from jobs.options import Talk, config_option, day, now_option, talk_options
from jobs.wiring import settings_from, start_logging


@click.command()
@click.argument("pacs", nargs=-1, shell_complete=names_of("pacs"))
@click.option("--from", "date_from", callback=day, metavar="DAY", help="First day, by StudyDate.")
@click.option("--to", "date_to", callback=day, metavar="DAY", help="Last day, included.")
@click.option(
    "--level",
    type=click.Choice([level.value for level in HIERARCHY]),
    help="The deepest level to ask for.  [default: the deepest of the PACS's `levels`]",
)
@click.option("--restart", is_flag=True, help="Begin again, and ask below unchanged studies too.")
@click.option("--lookback", type=click.IntRange(1), metavar="DAYS", help="The last days, and what lies ahead.")
@click.option("--reconcile", is_flag=True, help="Days again whose answers are the oldest: a thirtieth of all.")
@click.option("--job", metavar="NAME", shell_complete=names_of("jobs"), help="What the section [jobs.NAME] says, once.")
@now_option
@config_option
@talk_options
@click.pass_obj
def command(talk: Talk, /, config: Path, **typed: Any) -> int:
    """Crawl PACS into the lake: all that are configured, or those named.

    Days are those of StudyDate, both ends included. Without --from and --to everything the PACS has is asked for,
    studies without a date too. Series and images are asked for only where a study is new or changed. Ctrl-C once
    ends the sweep cleanly; the same command then goes on where it ended.

    Night after night, --lookback with --reconcile finds what is new, changed or deleted: the last days, and of all
    other days a thirtieth. --job reads both from the settings.

    \b
    pacslake sweep
    pacslake sweep main --from 2024-01-01 --to 2024-12-31
    pacslake sweep main archive --from 2024-06-01 --level image
    pacslake sweep --lookback 7 --reconcile
    pacslake sweep --job nightly

    Exit codes: 0 every window is complete, 1 no PACS may be asked now, 3 some are not complete, 130 interrupted.
    """
    asked = Asked(**{**typed, "pacs": tuple(dict.fromkeys(typed["pacs"]))})
    asked.require_sense()
    settings = settings_from(config)
    settings.require_pacs(asked.pacs)
    if not settings.pacs:
        raise UserError(f"{config}: no PACS is configured; add a section [pacs.NAME]")
    if asked.job is not None and asked.job not in settings.jobs:
        raise UserError(f"{config}: there is no section [jobs.{asked.job}]{nearest(asked.job, settings.jobs)}")
    if asked.job is not None and settings.jobs[asked.job].kind not in ("sweep", "reconcile"):
        raise UserError(f"{config}: jobs.{asked.job} is no sweep; `pacslake serve` does it")
    start_logging(talk.log_level)

    from jobs.nightly import NIGHTS, Night, run_night
    from jobs.permission import regardless_of_hours
    from jobs.sweep import SweepRequest, run_sweep

    if asked.now:
        settings = regardless_of_hours(settings, asked.pacs)
    deepest = Level(asked.level) if asked.level else None
    if asked.job is not None:
        return run_night(settings, Night.of(settings.jobs[asked.job]))
    if asked.lookback or asked.reconcile:
        return run_night(settings, Night(asked.pacs, asked.lookback or 0, NIGHTS if asked.reconcile else 0, deepest))
    days = (asked.date_from, asked.date_to)
    request = SweepRequest(asked.pacs, *days, deepest, asked.restart, unchanged_too=asked.restart)
    return run_sweep(settings, request)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed."""

    pacs: tuple[str, ...]
    date_from: date | None
    date_to: date | None
    level: str | None
    restart: bool
    lookback: int | None
    reconcile: bool
    job: str | None
    now: bool

    def require_sense(self) -> None:
        """UserError where options contradict each other."""
        ranged = self.date_from or self.date_to or self.restart
        nightly = self.lookback or self.reconcile
        if self.date_from and self.date_to and self.date_from > self.date_to:
            raise UserError(f"--from {self.date_from} is after --to {self.date_to}")
        if nightly and ranged:
            raise UserError("--lookback and --reconcile say which days: leave --from, --to and --restart out")
        if self.job is not None and (nightly or ranged or self.pacs or self.level):
            raise UserError("--job takes all from its section: leave the other options and the names of PACS out")
