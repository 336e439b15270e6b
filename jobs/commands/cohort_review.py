"""`pacslake cohort review`: which cohort, by which recipe, what was decided. Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.completing import names_of
from jobs.options import config_option, processes_option, talk_options
from jobs.wiring import settings_from


@click.command()
@click.argument("name", shell_complete=names_of("cohorts"))
@click.option("--version", "number", type=int, metavar="N", help="Not the newest version but this one.")
@click.option("--recipe", default="research", show_default=True, metavar="NAME|FILE", help="Whose rules for pixels.")
@click.option(
    "--sheets", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Draw what waits, as PNG files."
)
@click.option("--release", multiple=True, metavar="UID", help="A series that may leave; may be repeated.")
@click.option("--refuse", multiple=True, metavar="UID", help="A series that stays out; may be repeated.")
@click.option("--reason", metavar="TEXT", help="Why, for the table reviews.")
@click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
@processes_option
@config_option
@talk_options
def review(
    name: str,
    number: int | None,
    recipe: str,
    sheets: Path | None,
    release: tuple[str, ...],
    refuse: tuple[str, ...],
    reason: str | None,
    kind: str,
    processes: int,
    config: Path,
) -> int:
    """Look at images whose pixels may show who the patient is, and decide which of them may leave.

    An export leaves out what neither says of itself that nothing is burned in nor is of a sort in which nothing is.
    Sheets show the images as they came, patients' names on them too: their folder is for you alone, delete it when you
    are done. A decision holds for the files that the series has now, and is a row of the table reviews.

    \b
    pacslake cohort review chest_ct --sheets look
    pacslake cohort review chest_ct --release 1.2.840.113619.2.5.1 --reason "nothing in the pixels"
    pacslake cohort review chest_ct --refuse 1.2.840.113619.2.5.2

    Exit codes: 0 nothing waits, or the decision is kept; 20 something waits, 2 no such cohort or series, 10 no lake, 11
    the lake is in use.
    """
    if release and refuse:
        raise click.UsageError("decide one at a time: --release or --refuse")
    settings = settings_from(config)

    from crawler.model import Decision
    from jobs.reviewing import ReviewRequest
    from jobs.reviewing import review as run

    decision = Decision.RELEASE if release else Decision.REFUSE if refuse else None
    request = ReviewRequest(name, number, recipe, processes, sheets, decision, release or refuse, reason)
    return run(settings, request, as_json=kind == "json")
