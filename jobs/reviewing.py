"""`pacslake cohort review`: images that wait for a look, and what somebody decided. Touches: disk, clock, processes."""

from __future__ import annotations

import json
import os
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
from pydicom import dcmread

from crawler.cohort.frozen import newest
from crawler.deid.recipe import Recipe, read_recipe
from crawler.errors import UserError
from crawler.export.previews import contact_sheet
from crawler.lake.catalog import open_catalog
from crawler.lake.ledger import naive_utc
from crawler.lake.schema import stored_schema
from crawler.lake.writer import LakeWriter
from crawler.model import Decision
from crawler.retrieve.readback import Told
from crawler.retrieve.standing import gather
from crawler.retrieve.unpacking import require_modest
from crawler.serve.neighbours import name_of
from crawler.settings import Settings
from crawler.words import many
from jobs.counting import counted
from jobs.crew import shared_out
from jobs.exits import Exit
from jobs.releasing import UNREADABLE, Subject, judged
from jobs.subjects import seen, subjects
from jobs.table import render, visible


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """What somebody wants to see, or has decided."""

    cohort: str
    version: int | None
    recipe: str
    processes: int
    sheets: Path | None = None
    decision: Decision | None = None
    series: tuple[str, ...] = ()
    """About which it was decided."""
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A series of which something waits for a look."""

    subject: Subject
    files: tuple[Told, ...]
    """That wait."""
    reasons: Counter[str]


def review(settings: Settings, request: ReviewRequest, *, as_json: bool) -> Exit:
    """Show what waits, or write down what was decided; give 20 while anything waits."""
    recipe, frozen = read_recipe(request.recipe), newest(settings.lake.path, request.cohort, request.version)
    with open_catalog(settings.lake.path) as connection:
        gather(connection, frozen.rows)
        found = subjects(connection)
    if request.decision is not None:
        return _decide(settings, request, {one.series: one for one in found})
    look = partial(_waiting, settings.local.store_path, recipe)
    looked = counted(shared_out(look, found, request.processes), len(found), "series")
    waiting = sorted((one for one in looked if one.files), key=lambda one: (one.subject.study, one.subject.series))
    sheets = _sheets(settings.local.store_path, request.sheets, waiting) if request.sheets else {}
    if as_json:
        click.echo(json.dumps([_values(one, sheets) for one in waiting], indent=2))
    else:
        click.echo("\n".join(_lines(request, waiting, sheets)))
    return Exit.QUARANTINE if waiting else Exit.OK


def _waiting(store: Path, recipe: Recipe, subject: Subject) -> Waiting:
    """Find the files of a series that wait for a look."""
    files, reasons = [], Counter[str]()
    with warnings.catch_warnings(action="ignore"):  # they quote values
        for told in subject.files:
            try:
                require_modest([store / told.path])
                verdict = judged(dcmread(store / told.path, defer_size=1024), recipe, subject.decision)
            except (OSError, UserError, *UNREADABLE):
                continue
            if verdict is not None and verdict.kind == "quarantined":
                files.append(told)
                reasons[verdict.reason] += 1
    return Waiting(subject, tuple(files), reasons)


def _decide(settings: Settings, request: ReviewRequest, known: dict[str, Subject]) -> Exit:
    """Keep a decision about series, for just the files that are here now."""
    for uid in request.series:
        if uid not in known:
            raise UserError(f"the cohort {request.cohort} has no files of a series {visible(uid)}")
    assert request.decision is not None
    now = naive_utc(datetime.now(UTC))
    rows = [
        {
            "cohort": request.cohort,
            "SeriesInstanceUID": uid,
            "decision": request.decision.value,
            "seen": seen(known[uid].files),
            "reason": request.reason,
            "person": name_of(os.getuid()),
            "decided_at": now,
        }
        for uid in request.series
    ]
    with LakeWriter.open(settings.lake.path, create=False) as writer:
        writer.append("review", pa.Table.from_pylist(rows, stored_schema("review")))
        writer.commit()
    click.echo(f"pacslake: {len(rows):,} series: {request.decision.value}. The next export heeds it.", err=True)
    return Exit.OK


def _sheets(store: Path, folder: Path, waiting: list[Waiting]) -> dict[str, list[Path]]:
    """Draw what waits, a picture or more for each series. They show patients: nobody else may read them."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    sheets = {}
    for one in counted(waiting, len(waiting), "sheets"):
        labels = [f"{number} of {len(one.files)}" for number in range(1, len(one.files) + 1)]
        files = [store / told.path for told in one.files]
        sheets[one.subject.series] = contact_sheet(files, labels, folder / f"{one.subject.series}.png")
    return sheets


def _values(one: Waiting, sheets: dict[str, list[Path]]) -> dict[str, Any]:
    return {
        "StudyInstanceUID": one.subject.study,
        "SeriesInstanceUID": one.subject.series,
        "instances": len(one.files),
        "reasons": dict(one.reasons),
        "sheets": [str(path) for path in sheets.get(one.subject.series, ())],
    }


def _lines(request: ReviewRequest, waiting: list[Waiting], sheets: dict[str, list[Path]]) -> Iterator[str]:
    if not waiting:
        yield "Nothing waits for a look."
        return
    yield f"{len(waiting):,} series wait for a look, {many(sum(len(one.files) for one in waiting), 'instance')}:"
    for reason in dict.fromkeys(reason for one in waiting for reason in one.reasons):
        yield reason
        there = [one for one in waiting if reason in one.reasons]
        drawn = {one.subject.series: " ".join(map(str, sheets.get(one.subject.series, ()))) for one in there}
        rows = [(one.subject.series, one.reasons[reason], drawn[one.subject.series]) for one in there]
        shown = ("SeriesInstanceUID", "instances", "sheet" if sheets else "")
        yield from (f"  {line}".rstrip() for line in render(shown, rows, None))
    if not sheets:
        yield "--sheets DIR draws them."
    yield f"Then: pacslake cohort review {visible(request.cohort)} --release UID, or --refuse UID; and export again"
