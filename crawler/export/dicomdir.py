"""A DICOMDIR: the directory of a folder of DICOM files for CDs and viewers (PS3.3 F, PS3.10 8).

It can name files of at most eight levels of eight capital letters and digits, so that a dataset with a DICOMDIR has the
places of `file_ids` and not those of a template. pydicom's FileSet copies each file twice and compares each with all
others to write one; here the files stay as they are. Touches: disk.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from crawler.export.whole import whole_file

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

DICOMDIR, IMAGES = "DICOMDIR", "IMAGES"
_LEVELS = (("PatientID", "PA"), ("StudyInstanceUID", "ST"), ("SeriesInstanceUID", "SE"), ("SOPInstanceUID", "IM"))
_OF_STUDY = ("PatientName", "StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber")
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_RECORD_TYPES = {
    "481.2": "RT DOSE",
    "481.3": "RT STRUCTURE SET",
    "481.5": "RT PLAN",
    "66": "RAW DATA",
    "66.1": "REGISTRATION",
    "66.3": "REGISTRATION",
    "66.2": "FIDUCIAL",
    "4.2": "SPECTROSCOPY",
    "67": "VALUE MAP",
}
_RECORD_FAMILIES = {"88.": "SR DOCUMENT", "11.": "PRESENTATION", "9.": "WAVEFORM", "104.": "ENCAP DOC"}
"""Which record a class of objects has, by the end of its UID; all others are images (PS3.3 F.4)."""
_KEY_OBJECT = "88.59"
_IN_USE = 0xFFFF


@dataclass
class _Node:
    """A record, and those below it."""

    record: Dataset
    below: list[_Node] = field(default_factory=list)


def file_ids(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Give each file a place that a DICOMDIR can name: numbers of patient, study, series and image."""
    order = sorted(range(len(rows)), key=lambda at: _order(rows[at]))
    numbers: dict[tuple[str, ...], int] = {}
    count: defaultdict[tuple[str, ...], int] = defaultdict(int)
    found = [""] * len(rows)
    for at in order:
        above: tuple[str, ...] = ()
        names = [IMAGES]
        for keyword, prefix in _LEVELS:
            key = (*above, str(rows[at][keyword]))
            if key not in numbers:
                count[above] += 1
                numbers[key] = count[above]
            names.append(f"{prefix}{numbers[key]:06}")
            above = key
        found[at] = "/".join(names)
    return found


def write_dicomdir(folder: Path, files: pa.Table, label: str = "") -> list[str]:
    """Write the DICOMDIR of a folder, whose files lie where `file_ids` says; give the paths that it cannot name.

    `files` is of `FILES`; `label` is shown by viewers, 16 capital letters, digits and `_` at most.
    """
    with warnings.catch_warnings(action="ignore"):  # pydicom's quote values
        return _write(folder, files, label)


def _write(folder: Path, files: pa.Table, label: str) -> list[str]:
    left_out: list[str] = []
    roots: dict[str, _Node] = {}
    for row in sorted(files.to_pylist(), key=_order):
        leaf = _leaf(folder, row)
        if leaf is None:
            left_out.append(row["path"])
            continue
        _parent(folder, row, roots).below.append(_Node(leaf))
    with whole_file(folder / DICOMDIR, overwrite=True) as draft:
        draft.write_bytes(_encoded(list(roots.values()), label))
    return left_out


def _order(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Order as people read: by patient, day of the study, number of the series and of the image."""
    day = f"{row['StudyDate']}"
    numbers = [f"{(row[name] or 0) + 10**12:015}" for name in ("SeriesNumber", "InstanceNumber")]
    patient, study, series, image = (row[keyword] or "" for keyword, _ in _LEVELS)
    return patient, day, study, numbers[0], series, numbers[1], image


def _parent(folder: Path, row: Mapping[str, Any], roots: dict[str, _Node]) -> _Node:
    """Give the node of a file's series, made with those above it where they are new. The last of each level is open."""
    patient = row["PatientID"] or ""
    header: Dataset | None = None
    if patient not in roots or _differs(roots[patient], row, "StudyInstanceUID"):
        header = _header(folder / row["path"], _OF_STUDY)
    if patient not in roots:
        assert header is not None
        roots[patient] = _Node(_record("PATIENT", PatientName=header.get("PatientName", ""), PatientID=patient))
    of_patient = roots[patient]
    if header is not None:
        of_patient.below.append(_Node(_study(header, row, len(of_patient.below) + 1)))
    of_study = of_patient.below[-1]
    if _differs(of_study, row, "SeriesInstanceUID"):
        number = row["SeriesNumber"] if row["SeriesNumber"] is not None else len(of_study.below) + 1
        told = {"Modality": row["Modality"] or "OT", "SeriesInstanceUID": row["SeriesInstanceUID"] or ""}
        of_study.below.append(_Node(_record("SERIES", **told, SeriesNumber=number)))
    return of_study.below[-1]


def _differs(above: _Node, row: Mapping[str, Any], keyword: str) -> bool:
    return not above.below or above.below[-1].record.get(keyword) != (row[keyword] or "")


def _study(header: Dataset, row: Mapping[str, Any], number: int) -> Dataset:
    """Make the record of a study. A StudyID, which is required, is its number where de-identification emptied it."""
    texts = {keyword: header.get(keyword) or "" for keyword in _OF_STUDY if keyword != "PatientName"}
    texts["StudyID"] = texts["StudyID"] or str(number)
    made = _record("STUDY", StudyInstanceUID=row["StudyInstanceUID"] or "", **texts)
    if not str(texts["StudyDescription"]).isascii():
        made.SpecificCharacterSet = "ISO_IR 192"
    return made


def _leaf(folder: Path, row: Mapping[str, Any]) -> Dataset | None:
    """Make the record of a file; None where the file lacks what its kind of record requires."""
    from pydicom.fileset import DIRECTORY_RECORDERS, is_conformant_file_id

    path = Path(row["path"])
    kind = _record_type(row["SOPClassUID"] or "")
    if not is_conformant_file_id(path):
        return None
    number = row["InstanceNumber"] if row["InstanceNumber"] is not None else 1  # required
    made = _record(kind, InstanceNumber=number)
    if kind != "IMAGE":
        try:
            header = _header(folder / path)
            header.InstanceNumber = number
            made.update(DIRECTORY_RECORDERS[kind](header))
        except (AttributeError, KeyError, ValueError):
            return None
    made.ReferencedFileID = list(path.parts)
    made.ReferencedSOPClassUIDInFile, made.ReferencedSOPInstanceUIDInFile = row["SOPClassUID"], row["SOPInstanceUID"]
    made.ReferencedTransferSyntaxUIDInFile = row["transfer_syntax"]
    return made


def _record_type(sop_class: str) -> str:
    end = sop_class.removeprefix(_STORAGE) if sop_class.startswith(_STORAGE) else ""
    if end == _KEY_OBJECT:
        return "KEY OBJECT DOC"
    family = next((kind for start, kind in _RECORD_FAMILIES.items() if end.startswith(start)), "IMAGE")
    return _RECORD_TYPES.get(end, family)


def _record(kind: str, **values: Any) -> Dataset:
    from pydicom.dataset import Dataset

    made = Dataset()
    made.OffsetOfTheNextDirectoryRecord = made.OffsetOfReferencedLowerLevelDirectoryEntity = 0
    made.RecordInUseFlag, made.DirectoryRecordType = _IN_USE, kind
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def _header(file: Path, keywords: Sequence[str] | None = None) -> Dataset:
    from pydicom import dcmread

    return dcmread(file, stop_before_pixels=True, specific_tags=list(keywords) if keywords else None)


def _encoded(roots: Sequence[_Node], label: str) -> bytes:
    """Encode the directory. Records name each other by offsets: it is written, read for these, and written anew."""
    from pydicom import dcmread
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, MediaStorageDirectoryStorage, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = MediaStorageDirectoryStorage, ExplicitVRLittleEndian
    found = sorted(str(node.record.get("ReferencedSOPInstanceUIDInFile", "")) for node in _walk(roots))
    meta.MediaStorageSOPInstanceUID = UID(generate_uid("2.25.", entropy_srcs=[*found, label]))
    made: Any = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    made.FileSetID, made.FileSetConsistencyFlag = label, 0
    made.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    made.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    nodes = list(_walk(roots))
    made.DirectoryRecordSequence = [node.record for node in nodes]
    first = BytesIO()
    made.save_as(first, enforce_file_format=True)
    first.seek(0)
    read = dcmread(first).DirectoryRecordSequence
    offsets = {id(node): item.seq_item_tell for node, item in zip(nodes, read, strict=True)}
    for siblings in (roots, *(node.below for node in nodes)):
        for node, follower in pairwise(siblings):
            node.record.OffsetOfTheNextDirectoryRecord = offsets[id(follower)]
    for node in nodes:
        node.record.OffsetOfReferencedLowerLevelDirectoryEntity = offsets[id(node.below[0])] if node.below else 0
    if roots:
        made.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = offsets[id(roots[0])]
        made.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = offsets[id(roots[-1])]
    second = BytesIO()
    made.save_as(second, enforce_file_format=True)
    return second.getvalue()


def _walk(nodes: Sequence[_Node]) -> Iterator[_Node]:
    for node in nodes:
        yield node
        yield from _walk(node.below)
