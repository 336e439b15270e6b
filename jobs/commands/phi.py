"""`pacslake phi …`: what of patients the lake keeps, and what stands in it for a value.

Touches: disk, standard input.
"""

from __future__ import annotations

from pathlib import Path

import click

from jobs.options import config_option, talk_options
from jobs.wiring import settings_from


@click.group()
def command() -> None:
    """Show what of patients the lake keeps, as the section [phi] says; find a patient in a lake without identifiers.

    \b
    pacslake phi show
    pacslake phi hash PatientID < list.txt
    """


@command.command()
@click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
@config_option
@talk_options
def show(kind: str, config: Path) -> None:
    """Say of each column whether it is kept, hashed or dropped before anything is written.

    \b
    pacslake phi show
    pacslake phi show --format json
    """
    settings = settings_from(config)

    from jobs.phi import show_rules

    show_rules(settings, as_json=kind == "json")


@command.command(name="hash")
@click.argument("column")
@config_option
@talk_options
def hash_(column: str, config: Path) -> None:
    """Print what stands in the lake for values of a column, which come on standard input, one a line.

    Values are no arguments, since other users of this machine see those.

    \b
    pacslake phi hash PatientID < list.txt
    pacslake phi hash AccessionNumber

    Exit codes: 2 where the lake does not hash this column, or its key is missing; 10 when there is no lake.
    """
    settings = settings_from(config)

    from jobs.phi import show_hashed

    show_hashed(settings, column)
