"""`pacslake export`: one table or answer into one file, whole or not at all. Touches: disk, standard error."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.filesize import decimal

import crawler
from crawler.export import excel, fhir
from crawler.export.whole import whole_file
from crawler.lake.answer import interruptibly, plain_errors, save
from crawler.lake.extract import as_cells, be_modest, formula_safe, relation_of, studies_with_series
from crawler.lake.query import Lake
from crawler.lake.research import Names, ResearchLake
from crawler.words import many
from jobs.keys import project_pseudonyms
from jobs.written import show_written

if TYPE_CHECKING:
    from crawler.settings import Settings


@dataclass(frozen=True, slots=True)
class Export:
    """What goes where, and how."""

    statement: str | None
    """None for every study, as FHIR."""
    kind: str
    target: Path
    overwrite: bool = False
    formula_safe: bool = False
    zone: tzinfo | None = None
    open: Callable[[Path], Lake] = crawler.open_lake
    """What opens the lake, whose tables the statement is about."""


def for_research(settings: Settings, kept: Sequence[str]) -> Callable[[Path], Lake]:
    """Give what opens a lake without what identifies a patient; `kept` are columns of free text to have anyway."""
    made = project_pseudonyms(settings)
    names = Names(
        made.patients,
        lambda uids: [made.uid(uid) for uid in uids],
        lambda patients: [made.days(patient) for patient in patients],
    )
    return lambda path: ResearchLake(path, names, kept)


def export(path: Path, wanted: Export) -> None:
    """Write the file and say what is in it."""
    writers: dict[str, Callable[[Lake, Export, Path], str]] = {"xlsx": _excel, "fhir": _fhir}
    write = writers.get(wanted.kind, _plain)
    with (
        wanted.open(path) as lake,
        whole_file(wanted.target, overwrite=wanted.overwrite) as draft,
        plain_errors(),
        show_written(draft.parent, wanted.target.name),
    ):
        be_modest(lake, draft.parent)
        said = interruptibly(lake.connection, lambda: write(lake, wanted, draft))
        size = draft.stat().st_size
    click.echo(f"{wanted.target}: {said}, {decimal(size)}", err=True)


def _plain(lake: Lake, wanted: Export, draft: Path) -> str:
    relation = relation_of(lake, wanted.statement or "FROM studies")
    if wanted.formula_safe:
        relation = formula_safe(relation)
    return many(save(relation, wanted.kind, draft), "row")


def _excel(lake: Lake, wanted: Export, draft: Path) -> str:
    relation = as_cells(relation_of(lake, wanted.statement or "FROM studies"))
    written = excel.write_workbook(draft, relation.columns, relation.iter_rows(excel.CHUNK))
    said = f"{many(written.rows, 'row')} on {many(written.sheets, 'sheet')}"
    return f"{said}, {many(written.cut, 'text')} cut at {excel.LONGEST_TEXT:,} characters" if written.cut else said


def _fhir(lake: Lake, wanted: Export, draft: Path) -> str:
    studies = left_out = 0
    with open(draft, "w", encoding="utf-8") as file:
        found = studies_with_series(lake, fhir.STUDY_COLUMNS, fhir.SERIES_COLUMNS, wanted.statement)
        for study, series in found:
            allowed = [one for one in series if fhir.has_uid(one)]
            left_out += len(series) - len(allowed)
            resource = fhir.imaging_study(study, allowed, wanted.zone)
            file.write(json.dumps(resource, ensure_ascii=False, separators=(",", ":")) + "\n")
            studies += 1
    said = f"{studies:,} ImagingStudy resources"
    return f"{said} without {left_out:,} series whose UID FHIR does not allow" if left_out else said
