"""`pacslake windows`: what was asked about a day. Touches: disk."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from jobs.completing import names_of
from jobs.options import config_option, day, talk_options
from jobs.wiring import settings_from

SHOWN = (
    "level",
    "date_from",
    "date_to",
    "time_from",
    "time_to",
    "key",
    "state",
    "rows",
    "queries",
    "took_ms",
    "reason",
)


@click.command()
@click.argument("pacs", shell_complete=names_of("pacs"))
@click.argument("when", metavar="DAY", callback=day, required=False)
@click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
@config_option
@talk_options
def command(pacs: str, when: date | None, kind: str, config: Path) -> None:
    """Show what was asked of a PACS about a day, and what came of it, newest first.

    Without a day: about studies without a date.

    \b
    pacslake windows main 2024-01-31
    pacslake windows main --format json
    """
    settings = settings_from(config)

    from jobs.reports import LakeReports
    from jobs.showing import print_json, print_table

    found = LakeReports(lambda: settings).windows(pacs, when)
    if kind == "json":
        print_json(found)
        return
    rows = [(f"{one.asked_at:%Y-%m-%d %H:%M:%S}", *(getattr(one, name) for name in SHOWN)) for one in found.windows]
    print_table(("asked at (UTC)", *SHOWN), rows, f"Nothing was asked about it; type: pacslake backfill {pacs}")
