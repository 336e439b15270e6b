"""`pacslake repair`: whether to do it. Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.options import config_option, talk_options
from jobs.wiring import settings_from


@click.command()
@click.option("--yes", is_flag=True, help="Do it. Without, it is only said what would be done.")
@click.option("--format", "kind", type=click.Choice(("text", "json")), default="text", show_default=True)
@config_option
@talk_options
def command(yes: bool, kind: str, config: Path) -> int:
    """Set broken files aside, so that the lake opens again, and plan the crawl that brings back what was in them.

    Nothing is deleted: it goes to quarantine/ in the lake. What rested on lost rows is recorded as not proven complete,
    so that `pacslake coverage` shows it and `pacslake backfill` asks for it; the history is whole from then on only.

    \b
    pacslake repair
    pacslake repair --yes
    pacslake backfill

    Exit codes: 0 nothing is lost, 1 something is broken and --yes was not given, 3 days have to be asked for again,
    10 no lake, 11 another process owns the lake, 14 a later release wrote it.
    """
    settings = settings_from(config)

    from jobs.repair import run_repair

    return run_repair(settings.lake.path, yes=yes, as_json=kind == "json")
