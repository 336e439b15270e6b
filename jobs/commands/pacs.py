"""`pacslake pacs …`: how it stands with each PACS, and a person's word about it. Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.completing import names_of
from jobs.options import config_option, talk_options
from jobs.wiring import settings_from


@click.group()
def command() -> None:
    """Show which PACS may be asked now; pause one, and resume it.

    \b
    pacslake pacs list
    pacslake pacs pause main --until 06:00 --reason "the PACS is being updated"
    pacslake pacs resume main
    """


@command.command(name="list")
@click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
@config_option
@talk_options
def show(kind: str, config: Path) -> None:
    """Show each PACS, its limits, and whether it may be asked now or why not.

    \b
    pacslake pacs list
    pacslake pacs list --format json
    """
    settings = settings_from(config)

    from jobs.pacs import list_pacs

    list_pacs(settings, as_json=kind == "json")


@command.command()
@click.argument("pacs", shell_complete=names_of("pacs"))
@click.option(
    "--until", metavar="TIME", help="As 06:00, the next one, or '2026-03-30 06:00'.  [default: until resumed]"
)
@click.option("--reason", default="", metavar="TEXT", help="For those who wonder why.")
@config_option
@talk_options
def pause(pacs: str, until: str | None, reason: str, config: Path) -> None:
    """Have nobody ask a PACS: a sweep that does ends within seconds, cleanly, and goes on when it is run again.

    Times are those of the site, `time_zone` in the section [local].

    \b
    pacslake pacs pause main --until 06:00 --reason "the PACS is being updated"
    pacslake pacs pause main

    Exit codes: 2 for a PACS that is not known or a time that is past.
    """
    settings = settings_from(config)

    from jobs import pacs as standing

    said = standing.pause(settings, pacs, standing.moment_of(settings, until) if until else None, reason)
    click.echo(f"pacslake: {said}", err=True)


@command.command()
@click.argument("pacs", shell_complete=names_of("pacs"))
@config_option
@talk_options
def resume(pacs: str, config: Path) -> None:
    """Let a PACS be asked again; at once too where it is left alone because it gave no answer.

    \b
    pacslake pacs resume main
    """
    settings = settings_from(config)

    from jobs import pacs as standing

    click.echo(f"pacslake: {standing.resume(settings, pacs)}", err=True)
