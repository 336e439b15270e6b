"""`pacslake coverage`: which PACS, days and level, in which format. Touches: disk."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from crawler.errors import UserError
from crawler.model import Level
from jobs.options import config_option, ledger_options, talk_options
from jobs.wiring import colors_wanted, settings_from


@click.command()
@ledger_options
@click.option(
    "--format", "kind", type=click.Choice(("table", "json", "jsonl", "csv")), default="table", show_default=True
)
@config_option
@talk_options
def command(
    pacs: tuple[str, ...],
    date_from: date | None,
    date_to: date | None,
    level: str | None,
    kind: str,
    config: Path,
) -> int:
    """Show for each PACS which days are proven complete, which are not and why, and what to type about it.

    The newest answer about a day counts. A day that was not over when it was asked for is not proven.

    \b
    pacslake coverage
    pacslake coverage main --from 2024-01-01 --to 2024-12-31
    pacslake coverage --level image --format json

    Exit codes: 0 everything asked for is proven complete, 3 something is not, 4 only capped answers stand against it.
    """
    if date_from and date_to and date_from > date_to:
        raise UserError(f"--from {date_from} is after --to {date_to}")
    settings = settings_from(config)

    from jobs.coverage import show_coverage
    from jobs.proof import Question

    question = Question(tuple(dict.fromkeys(pacs)), date_from, date_to, Level(level) if level else None)
    return show_coverage(settings, question, kind, colors=colors_wanted())
