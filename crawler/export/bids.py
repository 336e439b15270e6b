"""A dataset as BIDS: NIfTI files under BIDS's names, with who took part and what it is.

CT has no place in BIDS yet, but a proposal, whose names are taken; these files, PET without what BIDS wants to know of
it, and `extra_data` are in `.bidsignore`. `series.tsv` says of each series where it went. Touches: disk.
"""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from crawler.export.bids_names import TASK, Image, Place, Row, labels, numbered, place_of
from crawler.export.nifti import DIFFUSION, SIDECAR, VOLUME, Limits, shape, version, write_nifti
from crawler.export.series import Made, account
from crawler.export.whole import whole_file

BIDS_VERSION = "1.10.1"
EXTRA = "extra_data"
_PET_WANTS = (
    *("TracerName", "TracerRadionuclide", "InjectedRadioactivity", "InjectedRadioactivityUnits", "InjectedMass"),
    *("InjectedMassUnits", "SpecificRadioactivity", "SpecificRadioactivityUnits", "ModeOfAdministration", "TimeZero"),
    *("ScanStart", "InjectionStart", "FrameTimesStart", "FrameDuration", "AcquisitionMode", "ImageDecayCorrected"),
    *("ImageDecayCorrectionTime", "ReconMethodName", "ReconMethodParameterLabels", "ReconFilterType"),
    *("AttenuationCorrection", "Manufacturer", "ManufacturersModelName", "Units", "BodyPart"),
)
"""What BIDS requires of a PET sidecar; much of it is written down by no scanner."""
_IGNORED = f"# CT, by the names of the proposal BEP 024\n**/ct\n# what BIDS does not know\n{EXTRA}\nseries.tsv\n"
"""Folders without a slash: the validator does not take them for ignored otherwise."""
_OLDEST = 89
"""BIDS wants no higher age (participants.tsv)."""
_SEX = {"F": "female", "M": "male", "O": "other"}


@dataclass(frozen=True, slots=True)
class About:
    """What is said of a dataset as a whole."""

    name: str
    version: str
    """Of pacslake."""
    text: str = ""
    """Further paragraphs of the README."""
    beside: tuple[str, ...] = ("card", "card.md", "card.html")
    """What else will lie in the folder, and is no part of BIDS."""


@dataclass(frozen=True, slots=True)
class _Found:
    """An image, whose it is, and its place or why it has none."""

    made: Made
    ending: str
    where: Place | str


def write_bids(folder: Path, files: pa.Table, out: Path, about: About, limits: Limits | None = None) -> list[Made]:
    """Convert a dataset into BIDS in the folder `out`; say what became of each series. `files` is of `FILES`."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bids-", dir=out) as scratch:
        return arrange(write_nifti(folder, files, Path(scratch), limits), Path(scratch), out, about)


def arrange(made: Sequence[Made], nifti: Path, out: Path, about: About) -> list[Made]:
    """Move what `write_series` made of all series of a dataset below `nifti` to its places in BIDS."""
    found = [_Found(one, ending, _where(one, ending, nifti)) for one in made for ending in _endings(one)]
    subjects = labels({one.series.first["PatientID"] or "": one.series.first["PatientID"] or "" for one in made})
    names = _names(found, subjects)
    moved: dict[int, list[str]] = {id(one): [] for one in made}
    reasons: dict[int, list[str]] = {id(one): [one.reason] if one.reason else [] for one in made}
    incomplete = []
    for one, name in zip(found, names, strict=True):
        put = _move(one, nifti, out, name)
        moved[id(one.made)] += put
        if isinstance(one.where, str):
            reasons[id(one.made)].append(f"in {EXTRA}: {one.where}")
        elif one.where.suffix == "pet" and (lacking := _lacking(out / f"{name}{SIDECAR}")):
            incomplete += put
            reasons[id(one.made)].append(f"in .bidsignore until its sidecar has {', '.join(lacking)}")
    told = [
        replace(one, files=tuple(moved[id(one)]), reason="; ".join(dict.fromkeys(reasons[id(one)])) or None)
        for one in made
    ]
    _describe(told, out, about, (subjects, incomplete))
    return told


def _endings(made: Made) -> list[str]:
    return [name[len(made.place) : -len(VOLUME)] for name in made.files if name.endswith(VOLUME)]


def _where(made: Made, ending: str, nifti: Path) -> Place | str:
    if made.reason:
        return "not whole, or not all in its right place"
    size = shape(nifti / f"{made.place}{ending}{VOLUME}")
    diffusion = f"{made.place}{ending}.bval" in made.files
    return place_of(Image(made.series.first, ending, size[3] if len(size) > 3 else 1, diffusion))


def _sessions(found: Sequence[_Found]) -> dict[tuple[str, str], str]:
    """Name each study of a patient by its day, which de-identification has shifted."""
    days: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for row in (one.made.series.first for one in found):
        day = f"{row['StudyDate']:%Y%m%d}" if row["StudyDate"] else ""
        days[row["PatientID"] or ""][row["StudyInstanceUID"] or ""] = day
    return {(patient, study): label for patient, of in days.items() for study, label in labels(of).items()}


def _names(found: Sequence[_Found], subjects: dict[str, str]) -> list[str]:
    """Give the path of each image, without a file's suffix."""
    sessions = _sessions(found)
    owners = [_whose(one.made.series.first, subjects, sessions) for one in found]
    placed: defaultdict[tuple[str, str], list[tuple[str, Place]]] = defaultdict(list)
    for one, owner in zip(found, owners, strict=True):
        if isinstance(one.where, Place):
            placed[owner].append((one.made.series.uid, one.where))
    runs = {owner: iter(numbered(places)) for owner, places in placed.items()}
    return [
        next(runs[owner]).name(*owner) if isinstance(one.where, Place) else _extra_name(one, owner)
        for one, owner in zip(found, owners, strict=True)
    ]


def _extra_name(found: _Found, owner: tuple[str, str]) -> str:
    return f"{EXTRA}/sub-{owner[0]}/ses-{owner[1]}/{found.made.place.rpartition('/')[2]}{found.ending}"


def _whose(row: Row, subjects: dict[str, str], sessions: dict[tuple[str, str], str]) -> tuple[str, str]:
    patient = row["PatientID"] or ""
    return subjects[patient], sessions[patient, row["StudyInstanceUID"] or ""]


def _move(found: _Found, nifti: Path, out: Path, name: str) -> list[str]:
    moved = []
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    for suffix in (VOLUME, SIDECAR, *DIFFUSION):
        source = f"{found.made.place}{found.ending}{suffix}"
        if source in found.made.files:
            shutil.move(nifti / source, out / f"{name}{suffix}")
            moved.append(f"{name}{suffix}")
    if isinstance(found.where, Place) and found.where.suffix == "bold":
        told = json.loads((out / f"{name}{SIDECAR}").read_bytes())
        _write_json(out / f"{name}{SIDECAR}", {"TaskName": TASK, **told})
    return moved


def _lacking(sidecar: Path) -> list[str]:
    told = json.loads(sidecar.read_bytes()) if sidecar.is_file() else {}
    return [key for key in _PET_WANTS if key not in told]


def _describe(made: Sequence[Made], out: Path, about: About, told: tuple[dict[str, str], list[str]]) -> None:
    """Write the files that say what the dataset is."""
    subjects, incomplete = told
    tools = [{"Name": "pacslake", "Version": about.version}, {"Name": "dcm2niix", "Version": version()}]
    description = {"Name": about.name, "BIDSVersion": BIDS_VERSION, "DatasetType": "raw", "GeneratedBy": tools}
    _write_json(out / "dataset_description.json", description)
    named = {patient: f"sub-{label}" for patient, label in subjects.items()}
    write_participants((one.series.first for one in made), out, named)
    rows = account(made).to_pylist()
    columns = ["StudyInstanceUID", "SeriesInstanceUID", "Modality", "instances", "files", "reason"]
    listed = [[_cell(row[name]) for name in columns] for row in rows]
    participants = [f"sub-{subjects[row['PatientID'] or '']}" for row in rows]
    _write_table(
        out / "series.tsv",
        ["participant_id", *columns],
        ([who, *row] for who, row in zip(participants, listed, strict=True)),
    )
    wanting = "".join(f"{name}\n" for name in incomplete)
    ignored = _IGNORED + "".join(f"{name}\n" for name in about.beside)
    ignored += f"# PET that lacks fields, see series.tsv\n{wanting}" if wanting else ""
    _write_text(out / ".bidsignore", ignored)
    _write_text(out / "README.md", _readme(about))


def write_participants(rows: Iterable[Row], out: Path, named: Mapping[str, str] | None = None) -> list[str]:
    """Write who takes part, as BIDS has it, from rows of files; give the names of what was written.

    `named` says of each PatientID how it is written, where that is not as it is.
    """
    _write_table(out / "participants.tsv", ["participant_id", "age", "sex"], _participants(rows, named or {}))
    age = f"age at the first study here; {_OLDEST} stands for all who are as old or older"
    told = {
        "age": {"Description": age, "Units": "year"},
        "sex": {"Description": "PatientSex of the DICOM files", "Levels": _SEX},
    }
    _write_json(out / "participants.json", told)
    return ["participants.json", "participants.tsv"]


def _participants(rows: Iterable[Row], named: Mapping[str, str]) -> Iterable[list[str]]:
    first: dict[str, Row] = {}
    for row in rows:
        known = first.setdefault(row["PatientID"] or "", row)
        if row["StudyDate"] and (known["StudyDate"] is None or row["StudyDate"] < known["StudyDate"]):
            first[row["PatientID"] or ""] = row
    for patient, row in sorted(first.items()):
        age = row["age"]
        shown = "n/a" if age is None else f"{min(age, _OLDEST):.4g}"
        yield [named.get(patient, patient), shown, row["PatientSex"] if row["PatientSex"] in _SEX else "n/a"]


def _readme(about: About) -> str:
    return f"""# {about.name}

A dataset in BIDS {BIDS_VERSION}, made from DICOM files by pacslake {about.version} and dcm2niix {version()}.

A participant is named by a code, a session by the day of its study. Where recipes shift dates, these days are shifted,
and times between the sessions of one participant are kept.

`series.tsv` lists every series with the files that were made of it, or the reason why there are none. What BIDS has no
place for, or whose place the headers do not tell, is in `{EXTRA}`; CT is in folders `ct`, by the names of the BIDS
proposal 024. `.bidsignore` names both. What somebody did during a functional run is not known: the task is `{TASK}`.
{about.text and chr(10) + about.text.strip() + chr(10)}"""


def _cell(value: Any) -> str:
    if isinstance(value, list):
        value = " ".join(value)
    return "n/a" if value in (None, "") else str(value).replace("\t", " ")


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with whole_file(path, overwrite=True) as draft, open(draft, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
        table.writerow(header)
        table.writerows(rows)


def _write_json(path: Path, told: Any) -> None:
    _write_text(path, json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def _write_text(path: Path, text: str) -> None:
    with whole_file(path, overwrite=True) as draft:
        draft.write_text(text, encoding="utf-8")
