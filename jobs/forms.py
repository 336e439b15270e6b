"""The form in which a dataset is handed on: DICOM files by a template, NIfTI, or BIDS. Touches: disk, processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import pyarrow as pa

from crawler.deid.leaks import search
from crawler.export import bids, nifti, previews, template
from crawler.export.card import FIGURES, HTML, MARKDOWN
from crawler.export.dataset import Dataset, Released, Row, row_of
from crawler.export.dicomdir import DICOMDIR, file_ids, write_dicomdir
from crawler.export.extra import extra
from crawler.export.facts import FACTS, FILES
from crawler.export.receipt import CSV, OWN, PARQUET, RECEIPT
from crawler.export.series import Made, Series, series_of
from crawler.export.volumes import write_volume
from jobs.counting import counted
from jobs.crew import shared_out
from jobs.known import Known
from jobs.releasing import told_of

FormKind = Literal["dicom", "nifti", "bids", "volumes"]
_CONVERTED = f"{OWN}/nifti"
_OF_SERIES = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Modality")
PREVIEWS = "previews"
_BESIDE = (FIGURES, MARKDOWN, HTML, PREVIEWS, RECEIPT, PARQUET, CSV)


@dataclass(frozen=True, slots=True)
class Form:
    """How files are named, or what they become."""

    kind: FormKind
    template: str = template.DEFAULT
    dicomdir: bool = False
    previews: bool = False
    title: str = ""

    def check(self) -> None:
        """Look whether it can be made here, before anything is. UserError."""
        template.check(self.template, FACTS.names)
        if self.kind in ("nifti", "bids"):
            nifti.version()
        if self.kind == "volumes" or self.previews:
            extra("SimpleITK")


@dataclass(slots=True)
class Formed:
    """What a form came to."""

    rows: list[Row]
    """Of the manifest."""
    unmade: dict[str, str] = field(default_factory=dict)
    """By new SeriesInstanceUID, why nothing was made of it, or not of all of it."""
    kept_back: dict[str, str] = field(default_factory=dict)
    """What of the patient was found in what was made, which is not there then."""


@dataclass(frozen=True, slots=True)
class _Conversion:
    series: Series
    place: str
    known: Known


@dataclass(frozen=True, slots=True)
class _Converted:
    made: Made
    shows: str


def as_dicom(dataset: Dataset, released: list[Released], form: Form) -> Formed:
    """Give the DICOM files their places."""
    rows = [row for one in released for row in one.files]
    paths = iter(file_ids(rows) if form.dicomdir else template.places(form.template, rows))
    placed = [dataset.place(one, [next(paths) for _ in one.files]) for one in released]
    formed = Formed([row for one in placed for row in one.files])
    if form.dicomdir:
        left_out = set(write_dicomdir(dataset.folder, files_of(formed.rows)))
        formed.unmade = {
            row["SeriesInstanceUID"]: "a DICOMDIR has no place for it" for row in formed.rows if row["path"] in left_out
        }
        formed.rows.append(row_of(dataset.folder, DICOMDIR))
    if form.previews:
        _add_pictures(dataset, files_of(formed.rows), formed)
    return formed


def as_images(
    dataset: Dataset, released: list[Released], form: Form, known: Iterable[tuple[str, Known]], processes: int
) -> Formed:
    """Convert each series; `known` gives by its new UID what is known of its patient, to look for in what is made."""
    dataset.clear()
    table = files_of([row for one in released for row in one.files])
    series = {one.uid: one for one in series_of(table)}
    places = dict(zip(series, template.places(nifti.PLACES, [one.first for one in series.values()]), strict=True))
    out = dataset.folder / (_CONVERTED if form.kind == "bids" else "")
    out.mkdir(parents=True, exist_ok=True)
    tasks = (_Conversion(series[uid], places[uid], of_patient) for uid, of_patient in known if uid in series)
    work = partial(_convert, dataset.folder, out, volumes=form.kind == "volumes")
    done = list(counted(shared_out(work, tasks, processes), len(series), "series as images"))
    order = list(series)
    made = sorted((one.made for one in done), key=lambda one: order.index(one.series.uid))
    if form.kind == "bids":
        made = bids.arrange(made, out, dataset.folder, bids.About(form.title, version("pacslake"), beside=_BESIDE))
        shutil.rmtree(out)
    rows = [
        row_of(dataset.folder, path, {name: one.series.first[name] for name in _OF_SERIES})
        for one in made
        for path in one.files
    ]
    rows += [row_of(dataset.folder, path.name) for path in sorted(dataset.folder.iterdir()) if dataset.is_beside(path)]
    unmade = {one.series.uid: one.reason for one in made if one.reason}
    shows = {one.made.series.uid: one.shows for one in done if one.shows}
    formed = Formed(rows, unmade, shows)
    if form.previews:
        _add_pictures(dataset, table, formed)
    return formed


def _add_pictures(dataset: Dataset, files: pa.Table, formed: Formed) -> None:
    """Draw a picture of each series."""
    made = previews.write_previews(dataset.folder, files, dataset.folder / PREVIEWS)
    formed.rows += [row_of(dataset.folder, f"{PREVIEWS}/{path}") for one in made for path in one.files]


def _convert(folder: Path, out: Path, task: _Conversion, *, volumes: bool) -> _Converted:
    """Convert one series, and take away what shows something of its patient."""
    if volumes:
        made = write_volume(folder, task.series, out, f"{task.place}{nifti.VOLUME}")
    else:
        made = nifti.write_series(folder, task.series, out, task.place)
    identifiers = task.known.identifiers()
    found = [leak for path in made.files for leak in search((out / path).read_bytes(), identifiers)]
    if not found:
        return _Converted(made, "")
    for path in made.files:
        (out / path).unlink()
    return _Converted(replace(made, files=()), told_of(found))


def files_of(rows: list[Row]) -> pa.Table:
    """Give the facts of files as a table, as forms want it."""
    return pa.Table.from_pylist([{name: row.get(name) for name in FILES.names} for row in rows], FILES)
