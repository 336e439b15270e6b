"""`pacslake cohort retrieve`: which cohorts and series, and how. Touches: disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jobs.completing import names_of
from jobs.options import config_option, talk_options
from jobs.wiring import settings_from


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=names_of("cohorts"))
@click.option("--series", multiple=True, metavar="UID", help="A series, whatever cohort it is in; may be repeated.")
@click.option(
    "--pacs",
    metavar="NAME",
    shell_complete=names_of("pacs"),
    help="Which PACS to ask for --series, where several have it.",
)
@click.option("--standing", is_flag=True, help='The cohorts of pacslake.toml with retrieve = "auto", frozen anew.')
@click.option("--dry-run", is_flag=True, help="Say what would be asked for, and ask no PACS.")
@click.option("--growing-too", is_flag=True, help="Do not wait until a series has stopped growing.")
@click.option(
    "--impatient", is_flag=True, help="Ask just once more for what does not come, and not after minutes again."
)
@click.option("--now", is_flag=True, help="Ask outside the allowed hours too.")
@click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
@config_option
@talk_options
def retrieve(names: tuple[str, ...], kind: str, config: Path, **given: Any) -> int:
    """Bring the images of cohorts that are not here yet, and account for every one of them.

    PACS send to [local] ae_title and port (C-MOVE), where they must know us; or, with retrieve_by = "get" at the PACS,
    over the association on which they are asked. What they say of their success is not believed: a series is complete
    when every instance that its PACS lists is here, and its file reads back. What did not come is asked for by name.

    It goes on where it was stopped, in whatever way, when it is run again. What another cohort has brought is not
    asked for. Several cohorts take turns.

    How it goes is said on standard error; --format json prints an object at the end: what came of each PACS, and what
    is missing and why.

    \b
    pacslake cohort retrieve chest_ct
    pacslake cohort retrieve chest_ct brain_mr
    pacslake cohort retrieve chest_ct --dry-run
    pacslake cohort retrieve --standing
    pacslake cohort retrieve --series 1.2.840.113619.2.5.1

    Exit codes: 0 all is here, 3 something is missing (`pacslake cohort status` names it), 2 no such cohort or series,
    10 no lake, 11 the lake is in use, 130 interrupted.
    """
    if bool(names or given["series"]) == given["standing"]:
        raise click.UsageError("say what to bring: the NAME of a cohort, --series UID, or --standing")
    if given["pacs"] and not given["series"]:
        raise click.UsageError("--pacs is for --series")
    settings = settings_from(config)

    from jobs.ordering import RetrieveRequest, Wish, patience
    from jobs.permission import regardless_of_hours
    from jobs.retrieve import run_retrieve
    from jobs.standing import run_standing

    if given["now"]:
        settings = regardless_of_hours(settings, ())
    how = {"dry_run": given["dry_run"], "as_json": kind == "json"}
    if given["standing"]:
        return run_standing(settings, **how)
    waits = patience(growing_too=given["growing_too"], impatient=given["impatient"])
    wishes = tuple(map(Wish, dict.fromkeys(names)))
    return run_retrieve(settings, RetrieveRequest(wishes, waits, given["series"], given["pacs"]), **how)
