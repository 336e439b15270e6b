"""`pacslake cohort retrieve`: which cohorts, and how. Touches: disk."""

from __future__ import annotations

from pathlib import Path

import click

from jobs.options import config_option, talk_options
from jobs.wiring import settings_from


@click.command()
@click.argument("names", nargs=-1, metavar="NAME...")
@click.option("--standing", is_flag=True, help='The cohorts of pacslake.toml with retrieve = "auto", frozen anew.')
@click.option("--dry-run", is_flag=True, help="Say what would be asked for, and ask no PACS.")
@click.option("--growing-too", is_flag=True, help="Do not wait until a series has stopped growing.")
@click.option("--now", is_flag=True, help="Ask outside the allowed hours too.")
@config_option
@talk_options
def retrieve(names: tuple[str, ...], config: Path, **given: bool) -> int:
    """Bring the images of cohorts that are not here yet, and account for every one of them.

    PACS send to [local] ae_title and port (C-MOVE), where they must know us; or, with retrieve_by = "get" at the PACS,
    over the association on which they are asked. What they say of their success is not believed: a series is complete
    when every instance that its PACS lists is here, and its file reads back. What did not come is asked for by name.

    It goes on where it was stopped, in whatever way, when it is run again. What another cohort has brought is not
    asked for. Several cohorts take turns.

    \b
    pacslake cohort retrieve chest_ct
    pacslake cohort retrieve chest_ct brain_mr
    pacslake cohort retrieve chest_ct --dry-run
    pacslake cohort retrieve --standing

    Exit codes: 0 all is here, 3 something is missing (`pacslake cohort status` names it), 2 no such cohort,
    10 no lake, 11 the lake is in use, 130 interrupted.
    """
    settings = settings_from(config)

    from jobs.ordering import RetrieveRequest, Wish, patience
    from jobs.permission import regardless_of_hours
    from jobs.retrieve import run_retrieve
    from jobs.standing import run_standing

    if bool(names) == given["standing"]:
        raise click.UsageError("name the cohorts to bring, or say --standing")
    if given["now"]:
        settings = regardless_of_hours(settings, ())
    if given["standing"]:
        return run_standing(settings, dry_run=given["dry_run"])
    wishes = tuple(map(Wish, dict.fromkeys(names)))
    return run_retrieve(settings, RetrieveRequest(wishes, patience(given["growing_too"])), dry_run=given["dry_run"])
