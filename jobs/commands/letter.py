"""`pacslake letter`: what the administrator of a PACS should know. Touches: disk, standard output."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.completing import names_of
from jobs.options import config_option, talk_options
from jobs.wiring import settings_from


@click.command()
@click.argument("pacs", shell_complete=names_of("pacs"))
@config_option
@talk_options
def command(pacs: str, config: Path) -> None:
    """Print a page for the administrator of a PACS: who calls, what to register, what load to expect, how to stop it.

    It is filled in from pacslake.toml, as Markdown, with lines for names and telephone numbers. No PACS is asked.

    \b
    pacslake letter main
    pacslake letter main > letter.md
    """
    settings = settings_from(config)
    settings.require_pacs([pacs])

    from jobs.letter import letter

    click.echo(letter(settings, pacs))
