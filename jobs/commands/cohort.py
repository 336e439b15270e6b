"""`pacslake cohort …`: which definition, which cohort, which format. Touches: disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jobs.commands import cohort_export, cohort_files, cohort_retrieve, cohort_review
from jobs.completing import names_of
from jobs.defining import defined_by, definition_options
from jobs.options import config_option, talk_options
from jobs.wiring import settings_from

_format = click.option("--format", "kind", type=click.Choice(("table", "json")), default="table", show_default=True)
_rate = click.option(
    "--rate",
    type=click.FloatRange(0.001),
    default=10.0,
    show_default=True,
    metavar="MB/S",
    help="How fast a PACS sends.",
)
_version = click.option("--version", "number", type=int, metavar="N", help="Not the newest version but this one.")


@click.group()
def command() -> None:
    """Freeze which series belong to a study of yours, by SQL or from a list, and know what may be missing.

    \b
    pacslake cohort preview --sql "select SeriesInstanceUID from series where Modality = 'CT'"
    pacslake cohort new chest_ct --sql-file chest_ct.sql --param since=2024-01-01
    pacslake cohort new audit --list accessions.csv
    pacslake cohort export chest_ct --output chest_ct.csv
    pacslake cohort retrieve chest_ct
    pacslake cohort status chest_ct
    pacslake cohort export chest_ct --files --to /data/chest_ct
    pacslake cohort verify /data/chest_ct
    pacslake cohort export chest_ct --recipe research --out /data/chest_ct_dataset
    pacslake cohort review chest_ct --sheets look
    """


@command.command()
@click.argument("name", shell_complete=names_of("cohorts"))
@definition_options
@_format
@config_option
@talk_options
def new(name: str, kind: str, config: Path, **given: Any) -> int:
    """Freeze what a definition names now, as version 1 of a cohort, or as the next version of the one of this NAME.

    Without a definition it is that of the newest version, asked anew. The SQL sees all tables of the lake. Values of
    --param are bound as values, so no quotes are needed: $since in the SQL, --param since=2024-01-01 here. It must
    give the same rows whenever it is asked of one version of the lake: now() and random() are refused.

    A study stands for all its series. A line of a list that fits studies in several PACS or of several patients is
    ambiguous: nothing of it is taken, and it is named.

    \b
    pacslake cohort new chest_ct --sql 'select SeriesInstanceUID from series where Modality = $kind' --param kind=CT
    pacslake cohort new audit --list accessions.csv
    pacslake cohort new audit --list export.csv --by AccessionNumber --column "Acc. no." --pacs main
    pacslake cohort new chest_ct

    Exit codes: 0 all of it is known, 3 frozen, but something was not found or ambiguous, or days are not proven
    complete; 2 for a wrong definition, 10 no lake, 11 another process owns the lake.
    """
    settings, definition = settings_from(config), defined_by(given)

    from jobs.cohort import freeze_cohort

    return freeze_cohort(settings, name, definition, as_json=kind == "json")


@command.command()
@definition_options
@_rate
@_format
@config_option
@talk_options
def preview(rate: float, kind: str, config: Path, **given: Any) -> int:
    """Show what a definition names: what each condition leaves, modalities, years, about how large, how long it takes.

    Nothing is kept, and nothing asked of a PACS.

    \b
    pacslake cohort preview --sql 'select StudyInstanceUID from studies where StudyDate >= $day' --param day=2024-01-01
    pacslake cohort preview --list accessions.csv --format json

    Exit codes: as of `pacslake cohort new`.
    """
    settings, definition = settings_from(config), defined_by(given)
    if definition is None:
        raise click.UsageError("say what to look at: --sql, --sql-file or --list")

    from jobs.preview import show_preview

    return show_preview(settings, definition, rate, as_json=kind == "json")


@command.command(name="list")
@click.option("--all", "everything", is_flag=True, help="All versions, and dropped cohorts.")
@_format
@config_option
@talk_options
def list_(everything: bool, kind: str, config: Path) -> None:
    """Show the cohorts and how much is in them.

    \b
    pacslake cohort list
    pacslake cohort list --all --format json
    """
    from jobs.cohorts import list_cohorts

    list_cohorts(settings_from(config), everything=everything, as_json=kind == "json")


@command.command()
@click.argument("name", shell_complete=names_of("cohorts"))
@_version
@_format
@config_option
@talk_options
def show(name: str, number: int | None, kind: str, config: Path) -> None:
    """Show a cohort: definition, modalities, years, and what was not found or not proven when it was frozen.

    \b
    pacslake cohort show chest_ct
    pacslake cohort show chest_ct --version 1 --format json
    """
    from jobs.cohorts import show_cohort

    show_cohort(settings_from(config), name, number, as_json=kind == "json")


@command.command()
@click.argument("name", shell_complete=names_of("cohorts"))
@_rate
@_format
@config_option
@talk_options
def plan(name: str, rate: float, kind: str, config: Path) -> None:
    """Show what a cohort takes to bring: requests, about how many bytes and how long within the allowed hours.

    \b
    pacslake cohort plan chest_ct --rate 40
    """
    from jobs.cohorts import show_plan_of

    show_plan_of(settings_from(config), name, rate, as_json=kind == "json")


@command.command()
@click.argument("name", shell_complete=names_of("cohorts"))
@config_option
@talk_options
def drop(name: str, config: Path) -> None:
    """Take a cohort off the list. Its versions stay in the lake; one of the same name goes on counting.

    \b
    pacslake cohort drop chest_ct
    """
    from jobs.cohort import drop_cohort

    drop_cohort(settings_from(config), name)


for of_files in ("status", "receipt", "verify"):
    command.add_command(getattr(cohort_files, of_files))
command.add_command(cohort_export.export)
command.add_command(cohort_retrieve.retrieve)
command.add_command(cohort_review.review)
