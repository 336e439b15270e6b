"""`pacslake cohort export --recipe`: a cohort as a de-identified research dataset. Touches: disk, clock, processes."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from crawler.cohort.frozen import newest
from crawler.deid.pseudonyms import Pseudonyms
from crawler.deid.recipe import read_recipe
from crawler.errors import UserError
from crawler.export.dataset import Dataset, Released
from crawler.export.whole import whole_file
from crawler.lake.catalog import open_catalog
from crawler.retrieve.standing import gather, standing
from crawler.settings import Settings
from jobs.account import Account, show_account
from jobs.counting import counted
from jobs.crew import shared_out
from jobs.described import described
from jobs.exits import Exit
from jobs.forms import Form, as_dicom, as_images
from jobs.keys import project_pseudonyms
from jobs.releasing import Plan, Subject, release
from jobs.subjects import subjects, with_known

KEEP_EVERY = 5.0
"""Seconds of work that a kill may cost: waiting for the disk after each series took a fifth of the time."""


@dataclass(frozen=True, slots=True)
class DatasetRequest:
    """What somebody wants."""

    cohort: str
    version: int | None
    recipe: str
    form: Form
    folder: Path
    processes: int
    crosswalk: Path | None = None


def export_dataset(settings: Settings, request: DatasetRequest, *, as_json: bool) -> Exit:
    """Make a dataset, or go on with it; give 20 while something waits for a look, 3 while something is missing."""
    recipe = read_recipe(request.recipe)
    request.form.check()
    _keep_apart(request, settings.deid.key_file.file, request.crosswalk)
    frozen = newest(settings.lake.path, request.cohort, request.version)
    names = project_pseudonyms(settings)
    dataset = Dataset(request.folder)
    dataset.begin(request.cohort, request.form.kind)
    plan = Plan(settings.local.store_path, request.folder, recipe, names)
    with open_catalog(settings.lake.path) as connection:
        gather(connection, frozen.rows)
        missing = standing(connection).missing
        wanted = subjects(connection)

        def known() -> Iterator[Subject]:
            return with_known(connection, wanted, recipe, names)

        released = _released(dataset, plan, known, (len(wanted), request.processes))
        if request.form.kind == "dicom":
            formed = as_dicom(dataset, released, request.form)
        else:
            of = ((names.uid(one.series), one.known) for one in known())
            formed = as_images(dataset, released, request.form, of, request.processes)
    account = Account(frozen, recipe, names.fingerprint, request.form.kind, released, formed, missing)
    formed.rows += described(dataset.folder, account)
    told = account.values()
    dataset.close(formed.rows, told)
    if request.crosswalk:
        _write_crosswalk(request.crosswalk, wanted, names)
    return show_account(request.folder, account, told, as_json=as_json)


def _released(
    dataset: Dataset, plan: Plan, known: Callable[[], Iterator[Subject]], how: tuple[int, int]
) -> list[Released]:
    """Make what is not made yet, and give what came of each series, in the order of the new UIDs."""
    total, processes = how
    found: list[Released] = []

    def due() -> Iterator[Subject]:
        for one in known():
            before = dataset.known(plan.pseudonyms.uid(one.series), one.made_of)
            if before is None:
                yield one
            else:
                found.append(before)

    fresh: list[Released] = []
    kept_at = time.monotonic()
    with ThreadPoolExecutor(1) as keeper:  # the others go on while it waits for the disk
        kept = keeper.submit(dataset.keep, ())
        try:
            for made in counted(shared_out(partial(release, plan), due(), processes), total, "series"):
                found.append(made)
                fresh.append(made)
                if kept.done() and time.monotonic() - kept_at > KEEP_EVERY:
                    kept.result()
                    kept, fresh, kept_at = keeper.submit(dataset.keep, fresh), [], time.monotonic()
        finally:
            kept.result()
            dataset.keep(fresh)
    return sorted(found, key=lambda one: (one.patient, one.study, one.series))


def _keep_apart(request: DatasetRequest, *apart: Path | None) -> None:
    """Refuse what tells who is who inside of the dataset. UserError."""
    for path in apart:
        if path is not None and path.resolve().is_relative_to(request.folder.resolve()):
            raise UserError(f"{path} tells who is who: it must not lie in {request.folder}, which is handed on")


def _write_crosswalk(path: Path, wanted: list[Subject], names: Pseudonyms) -> None:
    """Write which pseudonyms stand for whom."""
    with whole_file(path, overwrite=True) as draft, open(draft, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(CROSSWALK)
        for one in wanted:
            new = (names.patient(one.patient), names.days(one.patient), names.uid(one.study), names.uid(one.series))
            table.writerow((one.patient, one.study, one.series, *new))


CROSSWALK = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "patient", "days", "study", "series")
