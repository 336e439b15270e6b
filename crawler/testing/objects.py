"""The instances of a synthetic archive as DICOM objects in Explicit VR Little Endian. Pure.

Made when they are asked for, always of the same bytes. An object has what the archive's rows say of its study, series
and image, less what only answers have (counts, ModalitiesInStudy, availability), and pixels as pixels.py says; reports
(SR) have none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler import columns
from crawler.columns import CATALOGUE, Attribute
from crawler.model import Level
from crawler.testing import rows
from crawler.testing.archive import Archive
from crawler.testing.block import STUDY_UID_LENGTH
from crawler.testing.cache import BoundedCache
from crawler.testing.changing import ChangingArchive
from crawler.testing.encoding import encode
from crawler.testing.people import patient_number
from crawler.testing.pixels import RESCALE, described, placed, stored_values
from crawler.testing.question import BadQuestionError, Question

STUDY, SERIES, INSTANCE = "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"
EXPLICIT_VR = "1.2.840.10008.1.2.1"
_ONLY_ANSWERED = ("RetrieveAETitle", "InstanceAvailability", "ModalitiesInStudy", "NumberOfStudy", "NumberOfSeries")
_ATTRIBUTES = {
    level: [attribute for attribute in CATALOGUE[level] if not attribute.keyword.startswith(_ONLY_ANSWERED)]
    for level in (Level.STUDY, Level.SERIES, Level.IMAGE)
}
_BY_KEYWORD = {attribute.keyword: attribute for attributes in _ATTRIBUTES.values() for attribute in attributes}
_SCHEMAS = {
    level: pa.schema([columns.schema(level).field(attribute.keyword) for attribute in attributes])
    for level, attributes in _ATTRIBUTES.items()
}
_SHAPE = ("InstanceNumber", "NumberOfFrames", "Rows", "Columns")
_AT_ONCE = 256
"""Headers made together."""
_BYTES_KEPT = 16 * 1024 * 1024
_PIXEL_DATA = struct.Struct("<HH2sHI")


@dataclass(frozen=True, slots=True)
class SyntheticObject:
    """One instance: its identity, and its dataset as it is sent."""

    sop_class: str
    sop_instance: str
    series: str
    dataset: bytes
    has_pixels: bool
    transfer_syntax: str = EXPLICIT_VR

    def fragments(self, size: int) -> Iterator[bytes]:
        """Give the dataset in pieces."""
        return (self.dataset[at : at + size] for at in range(0, len(self.dataset), size))

    def file(self) -> bytes:
        """Give it as a DICOM file (PS3.10)."""
        from pydicom.dataset import FileMetaDataset
        from pydicom.filebase import DicomBytesIO
        from pydicom.filewriter import write_file_meta_info
        from pydicom.uid import UID

        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(self.sop_class), UID(self.sop_instance)
        meta.TransferSyntaxUID = UID(EXPLICIT_VR)
        written = DicomBytesIO()
        write_file_meta_info(written, meta)
        return bytes(128) + b"DICM" + written.getvalue() + self.dataset

    def altered(self) -> SyntheticObject:
        """Give it with another last pixel. What has no pixels stays as it is."""
        if not self.has_pixels:
            return self
        return replace(self, dataset=self.dataset[:-2] + bytes((self.dataset[-2] ^ 1, self.dataset[-1])))


class Objects:
    """What an archive can send."""

    def __init__(self, archive: Archive | ChangingArchive) -> None:
        self._archive = archive
        self._studies = BoundedCache(_BYTES_KEPT)

    def truth(self, sop_instance: str) -> SyntheticObject:
        """Give one instance as it really is. Raises KeyError when there is none with this UID."""
        if isinstance(self._archive, ChangingArchive):
            images = self._archive.table(Level.IMAGE)
            owners = images.filter(pc.equal(images[INSTANCE], sop_instance))[STUDY].to_pylist()
        else:
            owners = [sop_instance[:STUDY_UID_LENGTH]]
        for owner in owners:
            images = self._of_study(owner)
            for found in self.made(images.filter(pc.equal(images[INSTANCE], sop_instance))):
                return found
        raise KeyError(sop_instance)

    def asked_for(self, question: Question) -> pa.Table:
        """Give the rows of the instances that a C-MOVE or C-GET names. Raises BadQuestionError."""
        if not question.uids(question.level.unique_key):
            raise BadQuestionError(f"{question.level.unique_key} is required to retrieve")
        patients = question.uids("PatientID")
        studies = _studies_of(self._archive, patients[0]) if question.level is Level.PATIENT else question.uids(STUDY)
        found = pa.concat_tables([self._of_study(study) for study in dict.fromkeys(studies)] or [self._of_study("")])
        for keyword in ("PatientID", SERIES, INSTANCE):
            if uids := question.uids(keyword):
                found = found.filter(pc.is_in(found[keyword], value_set=pa.array(uids, pa.string())))
        return found

    def made(self, images: pa.Table) -> Iterator[SyntheticObject]:
        """Make the objects of such rows, one series after the other."""
        uids = images[SERIES].to_pylist()
        bounds = [at for at, uid in enumerate(uids) if at == 0 or uid != uids[at - 1]]
        for start, stop in pairwise([*bounds, len(uids)]):
            for at in range(start, stop, _AT_ONCE):
                yield from _of_one_series(images.slice(at, min(_AT_ONCE, stop - at)))

    def _of_study(self, study: str) -> pa.Table:
        """Give a row for each image of a study, with what its study and its series say; none for an unknown one."""
        archive = self._archive
        if isinstance(archive, ChangingArchive):
            tables = {level: archive.table(level) for level in _ATTRIBUTES}
            return _joined({level: table.filter(pc.equal(table[STUDY], study)) for level, table in tables.items()})
        return self._studies.get(study, lambda: _joined(_tables(archive, study)))


def _studies_of(archive: Archive | ChangingArchive, patient: str) -> list[str]:
    if isinstance(archive, ChangingArchive):
        tables = [archive.table(Level.STUDY)]
    else:
        number = patient_number(patient)
        pieces = [] if number is None else archive.pieces_of(archive.patients.keys_of(number))
        blocks = [archive.block(piece.block).part(piece.start, piece.stop) for piece in pieces]
        tables = [pa.table(rows.study_columns(block, ["PatientID", STUDY])) for block in blocks]
    matching = [table.filter(pc.equal(table["PatientID"], patient)) for table in tables]
    return [uid for table in matching for uid in table[STUDY].to_pylist()]


def _tables(archive: Archive, study: str) -> dict[Level, pa.Table]:
    piece = archive.find_study(study) if len(study) == STUDY_UID_LENGTH else None
    if piece is None:
        return {level: schema.empty_table() for level, schema in _SCHEMAS.items()}
    block = archive.block(piece.block).part(piece.start, piece.stop)
    images = rows.Images(block, np.arange(len(block.series_study)))
    made = {
        Level.STUDY: rows.study_columns(block, _SCHEMAS[Level.STUDY].names),
        Level.SERIES: rows.series_columns(block, _SCHEMAS[Level.SERIES].names),
        Level.IMAGE: rows.image_columns(images, _SCHEMAS[Level.IMAGE].names),
    }
    return {level: pa.table(found, _SCHEMAS[level]) for level, found in made.items()}


def _joined(tables: dict[Level, pa.Table]) -> pa.Table:
    images = tables[Level.IMAGE]
    found: dict[str, Any] = {}
    for level, key in ((Level.STUDY, STUDY), (Level.SERIES, SERIES), (Level.IMAGE, INSTANCE)):
        above = tables[level]
        at = pc.index_in(images[key], value_set=above[key].combine_chunks())
        found |= {attribute.keyword: above[attribute.keyword].take(at) for attribute in _ATTRIBUTES[level]}
    return pa.table(found).combine_chunks()


def _of_one_series(images: pa.Table) -> Iterator[SyntheticObject]:
    made = {name: images[name].combine_chunks() for name in images.column_names}
    modality, series = made["Modality"][0].as_py(), made[SERIES][0].as_py()
    of_images = {attribute.keyword for attribute in _ATTRIBUTES[Level.IMAGE]}
    attributes: dict[Attribute, Any] = {
        _BY_KEYWORD[name]: column
        for name, column in made.items()
        if name not in of_images or column.null_count < len(column)  # a CT says nothing of frames
    }
    has_pixels = made["Rows"].null_count == 0
    if has_pixels:
        attributes |= described(len(images))
    if modality in RESCALE:
        description, frame_of_reference = made["SeriesDescription"][0].as_py() or "", f"{made[STUDY][0].as_py()}.1"
        attributes |= placed(modality, description, made["SliceLocation"], frame_of_reference)
    headers = encode({a.keyword: column for a, column in attributes.items()}, list(attributes), explicit_vr=True)
    for at, header in enumerate(headers.to_pylist()):
        pixels = b""
        if has_pixels:
            number, frames, height, width = (made[name][at].as_py() for name in _SHAPE)
            pixels = _element(stored_values(series, number, (frames or 1, height, width)).tobytes())
        sop_class, sop_instance = made["SOPClassUID"][at].as_py(), made[INSTANCE][at].as_py()
        yield SyntheticObject(sop_class, sop_instance, series, header + pixels, has_pixels)


def _element(values: bytes) -> bytes:
    return _PIXEL_DATA.pack(0x7FE0, 0x0010, b"OW", 0, len(values)) + values
