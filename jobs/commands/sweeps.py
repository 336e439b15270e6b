"""`pacslake sweeps`: the last sweeps. Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.options import config_option, talk_options
from jobs.wiring import settings_from

SHOWN = ("date_from", "date_to", "state", "queries", "studies", "series", "inserted", "updated")


@click.command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Show so many at most.")
@click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
@config_option
@talk_options
def command(limit: int, kind: str, config: Path) -> None:
    """Show the last sweeps, newest first: what they were to ask for, how they ended, what they brought.

    \b
    pacslake sweeps
    pacslake sweeps --limit 100 --format json
    """
    settings = settings_from(config)

    from jobs.reports import LakeReports
    from jobs.showing import print_json, print_table

    found = LakeReports(lambda: settings).sweeps(limit)
    if kind == "json":
        print_json(found)
        return
    rows = [
        (f"{one.started_at:%Y-%m-%d %H:%M:%S}", one.pacs, " ".join(one.levels), *(getattr(one, name) for name in SHOWN))
        for one in found.sweeps
    ]
    names = ("started (UTC)", "pacs", "levels", "from", "to", "state", "queries", "studies", "series", "new", "changed")
    print_table(names, rows, "Nothing was swept yet; type: pacslake sweep")
