"""`pacslake cohort status, receipt, verify, export`: which cohort, where to. Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.options import config_option, talk_options
from jobs.wiring import settings_from

_format = click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
_version = click.option("--version", "number", type=int, metavar="N", help="Not the newest version but this one.")


@click.command()
@click.argument("name")
@_version
@click.option("--check-files", is_flag=True, help="Look for each file on disk too: is it there, and as long as it was?")
@_format
@config_option
@talk_options
def status(name: str, number: int | None, check_files: bool, kind: str, config: Path) -> int:
    """Show what of a cohort is here, and what is missing by name.

    A series is complete when every instance that its PACS lists is here, or as many as it counts where it lists none.
    What a PACS says of its own success does not count.

    \b
    pacslake cohort status chest_ct
    pacslake cohort status chest_ct --check-files
    pacslake cohort status chest_ct --format json | jq '.missing[].SeriesInstanceUID'

    Exit codes: 0 all of it is here, 3 something is missing, 2 no such cohort, 10 no lake.
    """
    settings = settings_from(config)

    from jobs.holdings import show_standing

    return show_standing(settings, name, number, check=check_files, as_json=kind == "json")
