"""`pacslake export`: what, in which format, to where. Touches: disk."""

from __future__ import annotations

from dataclasses import replace
from datetime import tzinfo
from pathlib import Path

import click

from jobs.options import config_option, talk_options
from jobs.wiring import settings_from

FORMATS = ("csv", "jsonl", "parquet", "xlsx", "fhir")


def _zone(_ctx: click.Context, _option: click.Parameter, name: str | None) -> tzinfo | None:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        raise click.BadParameter(f"{name!r} is not a time zone, as Europe/Berlin") from None


@click.command()
@click.argument("table", required=False)
@click.option("--sql", "statement", metavar="STATEMENT", help="The rows of this statement instead of a table's.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Where to; it appears when it is complete, readable by you alone.",
)
@click.option("--format", "kind", type=click.Choice(FORMATS), help="[default: what the name of FILE ends in]")
@click.option("--overwrite", is_flag=True, help="Replace FILE if there is one.")
@click.option(
    "--formula-safe",
    is_flag=True,
    help="In CSV, put ' before text that a spreadsheet would take for a formula. Excel files are safe as they are.",
)
@click.option("--research", is_flag=True, help="Without what identifies a patient: pseudonyms, and shifted dates.")
@click.option(
    "--with", "kept", multiple=True, metavar="COLUMN", help="Beside --research: this column of free text all the same."
)
@click.option("--zone", callback=_zone, metavar="ZONE", help="In FHIR, the time zone of the PACS's times of day.")
@config_option
@talk_options
def command(
    table: str | None,
    statement: str | None,
    output: Path,
    kind: str | None,
    overwrite: bool,
    formula_safe: bool,
    research: bool,
    kept: tuple[str, ...],
    zone: tzinfo | None,
    config: Path,
) -> None:
    """Write a table, a view or an answer into a file: CSV, JSON Lines, Parquet, Excel, FHIR R4 ImagingStudy (NDJSON).

    With --research the statement sees patients, studies, series, instances and cohort_series alone: with codes for
    PatientIDs, new UIDs, dates shifted by days of each patient, and without names, numbers and free text. They come
    from the key that [deid] names, as those of research datasets do; docs/privacy.md says more.

    FHIR takes every study, or with --sql those whose pacs and StudyInstanceUID the statement gives.

    \b
    pacslake export studies --output studies.parquet
    pacslake export --sql "from series where Modality = 'CT'" --output ct.xlsx
    pacslake export modality_day --output days.csv --formula-safe
    pacslake export --format fhir --zone Europe/Berlin --output studies.ndjson
    pacslake export omop_imaging_staging --output omop.csv
    pacslake export studies --research --with StudyDescription --output studies.parquet

    Exit codes: 2 when FILE is there already or DuckDB cannot understand the statement, 1 when FILE cannot be written,
    10 when there is no lake.
    """
    chosen = kind or output.suffix.removeprefix(".").lower()
    if chosen not in FORMATS:
        raise click.UsageError(f"--output needs a format: --format {'|'.join(FORMATS)}, or a file name that ends so")
    if formula_safe and chosen != "csv":
        raise click.UsageError("--formula-safe is for CSV; in the other formats text stays text")
    if zone is not None and chosen != "fhir":
        raise click.UsageError("--zone is for --format fhir")
    if research and chosen == "fhir":
        raise click.UsageError("--research is for tables; FHIR resources name patients")
    if kept and not research:
        raise click.UsageError("--with is for --research; else all columns are there")
    settings = settings_from(config)
    statement = _research_statement(table, statement) if research else _statement(table, statement, chosen)

    from jobs.export import Export, export, for_research

    wanted = Export(statement, chosen, output, overwrite, formula_safe, zone)
    export(settings.lake.path, replace(wanted, open=for_research(settings, kept)) if research else wanted)


def _research_statement(table: str | None, statement: str | None) -> str | None:
    """Give the SQL of tables for research: a table itself in an order that tells nothing."""
    from crawler.lake.research import NO_OTHERS, ORDER

    if table is not None and statement is None:
        if table not in ORDER:
            raise click.UsageError(NO_OTHERS)
        return f"FROM {table} ORDER BY {ORDER[table]}"
    return _statement(table, statement, "")


def _statement(table: str | None, statement: str | None, kind: str) -> str | None:
    """Give the SQL of what is to be exported, None for FHIR of every study."""
    if table is not None and statement is not None:
        raise click.UsageError("give a table or --sql, not both")
    if kind == "fhir" and table not in (None, "studies"):
        raise click.UsageError("--format fhir is made from studies; choose some by --sql")
    if statement is not None:
        return statement.strip().rstrip(";")
    if kind == "fhir":
        return None
    if table is None:
        raise click.UsageError("say what to export: a table, studies say, or --sql")
    return 'FROM "' + table.replace('"', '""') + '"'
