"""`pacslake dictionary`: what every column is. Touches: disk, standard output."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from jobs.options import config_option, talk_options
from jobs.wiring import settings_from


@click.command()
@click.argument("tables", nargs=-1)
@click.option("--format", "kind", type=click.Choice(("text", "json", "markdown")), default="text", show_default=True)
@config_option
@talk_options
@click.pass_context
def command(ctx: click.Context, tables: tuple[str, ...], kind: str, config: Path) -> None:
    """Say what every column is: tag, VR, type, meaning, what a null says, how far it identifies a person.

    \b
    pacslake dictionary
    pacslake dictionary studies series
    pacslake dictionary --format json | jq '.[] | select(.phi == "direct") | .column'

    Needs neither a lake nor, without attributes of your own, a settings file.
    """
    from jobs.dictionary import WRITERS, described

    asked_for = ctx.get_parameter_source("config") is not ParameterSource.DEFAULT
    settings = settings_from(config) if asked_for or config.exists() else None
    click.echo(WRITERS[kind](described(settings, tables)))
