"""`pacslake audit`: who looked at patients' data by way of the service. Touches: disk."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from jobs.options import config_option, day, talk_options
from jobs.wiring import settings_from

FORMATS = ("table", "json", "jsonl", "csv")


@click.command()
@click.option("--from", "first", callback=day, metavar="DAY", help="First day, UTC.")
@click.option("--to", "last", callback=day, metavar="DAY", help="Last day, included.")
@click.option("--person", metavar="NAME", help="What this one did alone.")
@click.option(
    "--verify", is_flag=True, help="Check that no line was changed or taken out, from the month of --from on."
)
@click.option("--format", "kind", type=click.Choice(FORMATS), default="table", show_default=True)
@config_option
@talk_options
def command(
    first: date | None, last: date | None, person: str | None, verify: bool, kind: str, config: Path
) -> int | None:
    """Show who looked at patients' data by way of the service's pages, exported it, logged in, or had something done.

    What was asked in SQL is shown as it was typed and may name patients: keep it as you keep the lake. Who reads the
    lake's own files or runs commands over them is not in here: the rights of the files decide on that.

    \b
    pacslake audit --from 2026-03-01 --person alice
    pacslake audit --format csv > audit.csv
    pacslake audit --verify

    Exit codes: 1 where --verify finds that lines were changed or are missing.
    """
    settings = settings_from(config)

    from jobs.audit import Wanted, show_audit, verify_audit

    if verify:
        return verify_audit(settings.lake.path, first)
    show_audit(settings.lake.path, Wanted(first, last, person), kind)
    return None
