"""`pacslake quality`: what is odd in the data. Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.options import config_option, talk_options
from jobs.wiring import settings_from

TITLES = {
    "faults": "Malformed values, of which rows keep the bytes",
    "late": "Studies that came after their day had been swept to its end",
    "conflicts": "One UID for what should be two; the view conflicts lists them",
    "rejects": "Answers set aside: without their unique key, of another level, or of a UID that two have",
}


@click.command()
@click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
@config_option
@talk_options
def command(kind: str, config: Path) -> None:
    """Show what is odd in the data: malformed values, late arrivals, contradictory UIDs, answers set aside.

    \b
    pacslake quality
    pacslake quality --format json
    """
    settings = settings_from(config)

    from jobs.reports import LakeReports
    from jobs.showing import print_json, print_table
    from jobs.tally import tally_if_changed

    tally_if_changed(settings)
    found = LakeReports(lambda: settings).quality()
    if kind == "json":
        print_json(found)
        return
    for name, title in TITLES.items():
        rows = getattr(found, name)
        click.echo(f"{title}:")
        print_table(list(rows[0]) if rows else (), [list(row.values()) for row in rows], "none")
        click.echo()
