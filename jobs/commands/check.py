"""`pacslake check`: which PACS to examine, and how far one may go. Touches: disk."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from jobs.completing import names_of
from jobs.options import Talk, config_option, day, now_option, talk_options
from jobs.wiring import settings_from, start_logging


@click.command()
@click.argument("pacs", shell_complete=names_of("pacs"))
@click.option("--day", "known_day", callback=day, metavar="DAY", help="A day with studies, to look at these.")
@click.option("--yes", is_flag=True, help="Also ask for everything once, to see whether long answers are cut off.")
@click.option("--format", "kind", type=click.Choice(("text", "json")), default="text", show_default=True)
@now_option
@config_option
@talk_options
@click.pass_obj
def command(talk: Talk, pacs: str, known_day: date | None, yes: bool, kind: str, now: bool, config: Path) -> int:
    """Find out what a PACS can do, and what its administrator or you must set.

    It asks some forty small questions, one after the other, within days: one that the lake knows, or yesterday and
    the last week. What it learns is kept in the lake (table pacs_profiles), and sweeps obey it. No patient's value is
    printed.

    \b
    pacslake check main
    pacslake check main --day 2024-03-05
    pacslake check main --yes --format json

    Exit codes: 0 all is well, 1 the PACS cannot be reached, 3 problems were found.
    """
    settings = settings_from(config)
    settings.require_pacs([pacs])
    start_logging(talk.log_level)

    from jobs.check import CheckRequest, run_check
    from jobs.permission import regardless_of_hours

    if now:
        settings = regardless_of_hours(settings, (pacs,))
    return run_check(settings, CheckRequest(pacs, known_day, yes, kind == "json"))
