"""`pacslake settings`: what holds. Touches: disk."""

from __future__ import annotations

import json
from pathlib import Path

import click

from jobs.options import config_option, talk_options
from jobs.wiring import settings_from


@click.command()
@config_option
@talk_options
def command(config: Path) -> None:
    """Print the settings as they hold, defaults included, as JSON. They name files with secrets, and hold none.

    \b
    pacslake settings
    """
    settings = settings_from(config)

    from jobs.reports import LakeReports

    click.echo(json.dumps(LakeReports(lambda: settings).settings(), indent=2))
