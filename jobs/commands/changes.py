"""`pacslake changes`: which span, in which format. Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from crawler.model import Level
from jobs.completing import names_of
from jobs.options import config_option, talk_options
from jobs.wiring import settings_from


@click.command()
@click.argument("pacs", nargs=-1, shell_complete=names_of("pacs"))
@click.option("--since", required=True, metavar="WHEN", help="From this day on, or from this moment on (UTC).")
@click.option("--until", metavar="WHEN", help="Up to the end of this day, or to this moment (UTC).  [default: now]")
@click.option(
    "--level", "levels", multiple=True, type=click.Choice([level.value for level in Level]), help="[default: all]"
)
@click.option("--format", "kind", type=click.Choice(("text", "json", "jsonl")), default="text", show_default=True)
@config_option
@talk_options
def command(
    pacs: tuple[str, ...], since: str, until: str | None, levels: tuple[str, ...], kind: str, config: Path
) -> None:
    """Show what appeared, changed (which columns, old -> new), vanished and reappeared, oldest first.

    \b
    pacslake changes --since 2026-03-01
    pacslake changes main --since 2026-03-01T22:00 --until 2026-03-02 --level study
    pacslake changes --since 2026-03-01 --format jsonl | jq 'select(.change == "vanished") | .key'

    What changed is said version by version: a study that changed twice is listed twice. Of one that was not there
    before nothing but its key is shown; `pacslake sql --as-of` has the rest.

    Exit codes: 0 also when nothing changed, 2 when versions of that time are no longer kept, 10 when there is no lake.
    """
    settings = settings_from(config)

    from crawler.lake.changes import Span
    from jobs.changes import show_changes

    wanted = [Level(name) for name in levels] or list(Level)
    show_changes(settings.lake.path, Span(since, until, wanted, pacs), kind)
