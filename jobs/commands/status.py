"""`pacslake status`: what the lake holds. Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.options import config_option, talk_options
from jobs.wiring import settings_from


@click.command()
@click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
@config_option
@talk_options
def command(kind: str, config: Path) -> None:
    """Show each PACS's last sweep, rows and windows by state.

    \b
    pacslake status
    pacslake status --format json
    """
    settings = settings_from(config)

    from jobs.status import show_status

    show_status(settings, as_json=kind == "json")
