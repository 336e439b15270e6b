"""`pacslake backfill`: which PACS, days and level, checked before anything is opened. Touches: disk."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from crawler.errors import UserError
from crawler.model import Level
from jobs.options import Talk, config_option, ledger_options, now_option, talk_options
from jobs.wiring import settings_from, start_logging


@click.command()
@ledger_options
@click.option("--dry-run", is_flag=True, help="Only list the days, and what they will cost about.")
@click.option(
    "--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True, help="Of --dry-run."
)
@now_option
@config_option
@talk_options
@click.pass_obj
def command(
    talk: Talk,
    pacs: tuple[str, ...],
    date_from: date | None,
    date_to: date | None,
    level: str | None,
    dry_run: bool,
    kind: str,
    now: bool,
    config: Path,
) -> int:
    """Crawl just the days that are not proven complete: those that `pacslake coverage` lists.

    Days that were not over when they were asked for are due again too.

    \b
    pacslake backfill --dry-run
    pacslake backfill main --from 2024-01-01 --to 2024-12-31

    Exit codes: 0 all of these days are proven complete now, 3 some are not, 4 only capped answers stand against it,
    130 interrupted.
    """
    if date_from and date_to and date_from > date_to:
        raise UserError(f"--from {date_from} is after --to {date_to}")
    settings = settings_from(config)
    start_logging(talk.log_level)

    from jobs.backfill import run_backfill
    from jobs.permission import regardless_of_hours
    from jobs.proof import Question

    if now:
        settings = regardless_of_hours(settings, pacs)
    question = Question(tuple(dict.fromkeys(pacs)), date_from, date_to, Level(level) if level else None)
    return run_backfill(settings, question, dry_run=dry_run, as_json=kind == "json")
