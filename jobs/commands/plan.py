"""`pacslake plan`: which job or PACS is meant. Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.completing import names_of
from jobs.options import config_option, talk_options
from jobs.wiring import settings_from


@click.command()
@click.argument("name", metavar="[JOB|PACS]", required=False, shell_complete=names_of("jobs", "pacs"))
@click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
@config_option
@talk_options
def command(name: str | None, kind: str, config: Path) -> None:
    """Show what the next night will ask each PACS, and when it will be done, at its limits and within its hours.

    A job asks for what its section [jobs.NAME] says; a PACS alone for the last seven days and a thirtieth of all
    others. How many queries that takes is known from earlier answers. Nothing is asked.

    \b
    pacslake plan
    pacslake plan nightly
    pacslake plan main --format json

    Exit codes: 2 for a name that is no job and no PACS.
    """
    settings = settings_from(config)

    from jobs.plan import show_plan

    show_plan(settings, name, as_json=kind == "json")
