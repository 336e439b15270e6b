"""One series from the store into a dataset: judged, de-identified, written, and read again to see what was left.

It runs in processes of its own, so that what it is given and what it gives can be pickled. Touches: disk.
"""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, FileDataset, dcmread
from pydicom.errors import BytesLengthException, InvalidDicomError

from crawler.deid.engine import Engine
from crawler.deid.leaks import Leak, search
from crawler.deid.pixels import Verdict, judge, may_show_face
from crawler.deid.pseudonyms import Pseudonyms
from crawler.deid.recipe import Recipe
from crawler.deid.writing import apart, file_of
from crawler.export.dataset import STAGED, Released
from crawler.export.facts import facts_of
from crawler.model import Decision
from crawler.retrieve.readback import Flaw, Told
from crawler.retrieve.unpacking import immodest
from jobs.known import Known, LastLook

_NO_VALUE = (ValueError, TypeError, LookupError, AttributeError, OverflowError, struct.error)
UNREADABLE = (*_NO_VALUE, NotImplementedError, EOFError, InvalidDicomError, BytesLengthException, RecursionError)
"""What pydicom raises on bytes that are no DICOM; its messages quote them."""
REFUSED = "Somebody who looked at it refused it."


@dataclass(frozen=True, slots=True)
class Plan:
    """How all series of a dataset are made."""

    store: Path
    folder: Path
    recipe: Recipe
    pseudonyms: Pseudonyms


@dataclass(frozen=True, slots=True)
class Subject:
    """A series of the store, and what is known of its patient."""

    study: str
    series: str
    """The UIDs that the PACS has."""
    patient: str
    """PatientID, or the StudyInstanceUID where there is none."""
    files: tuple[Told, ...]
    decision: Decision | None = None
    """What somebody decided who looked at just these files."""
    known: Known = field(default_factory=Known, repr=False)
    made_of: str = ""
    """A digest of all that decides what comes of it."""


def release(plan: Plan, subject: Subject) -> Released:
    """Make the files of one series, in the folder for those that have no place yet."""
    names = plan.pseudonyms
    released = Released(names.uid(subject.study), names.uid(subject.series), names.patient(subject.patient))
    released.made_of = subject.made_of
    (plan.folder / STAGED / released.series).mkdir(parents=True, exist_ok=True, mode=0o700)
    engine, look = Engine(plan.recipe, names), LastLook(subject.known)
    with warnings.catch_warnings(action="ignore"):  # they quote values
        for told in subject.files:
            data = _bytes(plan.store, told)
            if isinstance(data, Flaw):
                released.lost[data.value] += 1
                continue
            if immodest(BytesIO(data), len(data)):
                released.lost["would become too large when it is unpacked"] += 1
                continue
            try:
                _release(plan, subject, dcmread(BytesIO(data)), (engine, look), released)
            except UNREADABLE:
                released.lost["cannot be read as DICOM"] += 1
    return released


def _release(
    plan: Plan, subject: Subject, dataset: FileDataset, tools: tuple[Engine, LastLook], released: Released
) -> None:
    """Make one file, or count why it stays."""
    engine, look = tools
    header = apart(dataset)
    if verdict := judged(header, plan.recipe, subject.decision):
        counts = released.excluded if verdict.kind == "excluded" else released.quarantined
        counts[verdict.reason] += 1
        return
    face, identifiers = may_show_face(header), look.identifiers(header)
    done = engine.apply(dataset, subject.patient)
    facts = facts_of(apart(dataset))
    path = f"{STAGED}/{released.series}/{facts['SOPInstanceUID']}.dcm"
    _write(plan.folder / path, file_of(dataset))
    written = (plan.folder / path).read_bytes()
    if left := search(written, identifiers):
        (plan.folder / path).unlink()
        released.kept_back[told_of(left)] += 1
        return
    released.faces += face
    released.actions.update(done)
    released.files.append({"path": path, "size": len(written), "sha256": sha256(written).hexdigest(), **facts})


def told_of(left: Iterable[Leak]) -> str:
    """Say what of a patient was found, and where."""
    return ", ".join(sorted({f"{one.kind} in {one.where}" for one in left}))


def judged(dataset: Dataset, recipe: Recipe, decision: Decision | None) -> Verdict | None:
    """Say why an object stays, by its header and by what somebody decided who looked at it."""
    verdict = judge(dataset, recipe.pixels)
    if verdict is None or verdict.kind == "excluded" or decision is None:
        return verdict
    return None if decision is Decision.RELEASE else Verdict("excluded", REFUSED)


def _bytes(store: Path, told: Told) -> bytes | Flaw:
    """Read a file of the store, if it is what was received."""
    try:
        data = (store / told.path).read_bytes()
    except OSError:
        return Flaw.MISSING
    return data if sha256(data).hexdigest() == told.sha256 else Flaw.CONTENT


def _write(target: Path, data: bytes) -> None:
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
