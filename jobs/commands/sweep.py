"""`pacslake sweep`: what to crawl, checked before anything is opened. Touches: disk."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from crawler.errors import UserError
from crawler.model import Level
from jobs.options import Talk, config_option, day, talk_options
from jobs.wiring import settings_from, start_logging


@click.command()
@click.argument("pacs", nargs=-1)
@click.option("--from", "date_from", callback=day, metavar="DAY", help="First day, by StudyDate.")
@click.option("--to", "date_to", callback=day, metavar="DAY", help="Last day, included.")
@click.option(
    "--level",
    type=click.Choice([level.value for level in Level]),
    help="The deepest level to ask for.  [default: the deepest of the PACS's `levels`]",
)
@click.option("--restart", is_flag=True, help="Begin again instead of going on where an interrupted sweep ended.")
@config_option
@talk_options
@click.pass_obj
def command(
    talk: Talk,
    pacs: tuple[str, ...],
    date_from: date | None,
    date_to: date | None,
    level: str | None,
    restart: bool,
    config: Path,
) -> int:
    """Crawl PACS into the lake: all that are configured, or those named.

    Days are those of StudyDate, both ends included. Without --from and --to everything the PACS has is asked for,
    studies without a date too. Ctrl-C once ends the sweep cleanly; the same command then goes on where it ended.

    \b
    pacslake sweep
    pacslake sweep main --from 2024-01-01 --to 2024-12-31
    pacslake sweep main archive --from 2024-06-01 --level image

    Exit codes: 0 every window is complete, 3 some are not, 130 interrupted.
    """
    if date_from and date_to and date_from > date_to:
        raise UserError(f"--from {date_from} is after --to {date_to}")
    settings = settings_from(config)
    settings.require_pacs(pacs)
    if not settings.pacs:
        raise UserError(f"{config}: no PACS is configured; add a section [pacs.NAME]")
    start_logging(talk.log_level)

    from jobs.sweep import SweepRequest, run_sweep

    deepest = Level(level) if level else None
    return run_sweep(settings, SweepRequest(tuple(dict.fromkeys(pacs)), date_from, date_to, deepest, restart))
