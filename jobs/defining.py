"""The options that define a cohort. Touches: disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jobs.completing import names_of
from jobs.options import Command

if TYPE_CHECKING:
    from crawler.cohort.definition import Definition

BY = ("AccessionNumber", "StudyInstanceUID", "SeriesInstanceUID", "PatientID")
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


def definition_options(command: Command) -> Command:
    """Add what defines a cohort."""
    options = (
        click.option("--sql", metavar="STATEMENT", help="A SELECT that gives StudyInstanceUID or SeriesInstanceUID."),
        click.option("--sql-file", type=_FILE, metavar="FILE", help="The same from a file."),
        click.option(
            "--param", "parameters", multiple=True, metavar="NAME=VALUE", help="The value of $NAME in the SQL."
        ),
        click.option(
            "--list", "listed", type=_FILE, metavar="FILE", help="CSV or Excel instead, a study or patient a line."
        ),
        click.option("--by", type=click.Choice(BY), help="What the list holds.  [default: what its first line says]"),
        click.option("--column", metavar="HEADING", help="The column of the list that holds it."),
        click.option("--pacs", metavar="PACS", shell_complete=names_of("pacs"), help="Take what this PACS has alone."),
        click.option("--take-ambiguous", is_flag=True, help="Take too what names several patients or PACS."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def defined_by(given: dict[str, Any]) -> Definition | None:
    """Make the definition of the options that were given, None where none was."""
    from crawler.cohort.definition import Definition, parameters_of
    from crawler.cohort.lists import Choice, read_list

    statement, file, listed = given["sql"], given["sql_file"], given["listed"]
    if sum(one is not None for one in (statement, file, listed)) > 1:
        raise click.UsageError("give one of --sql, --sql-file and --list")
    rules = (given["pacs"], given["take_ambiguous"])
    if listed is not None:
        if given["parameters"]:
            raise click.UsageError("--param is for SQL")
        return Definition(None, {}, read_list(listed, Choice(given["by"], given["column"])), *rules)
    if given["by"] or given["column"]:
        raise click.UsageError("--by and --column are for --list")
    text = file.read_text(encoding="utf-8-sig", errors="replace") if file else statement
    if text is None:
        if any(given[name] for name in ("parameters", "pacs", "take_ambiguous")):
            raise click.UsageError("say what is in the cohort: --sql, --sql-file or --list")
        return None
    return Definition(text, parameters_of(given["parameters"]), None, *rules)
