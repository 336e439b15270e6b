"""Small de-identified datasets made for tests: volumes of known voxels, at known places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydicom import dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, PositronEmissionTomographyImageStorage

from crawler.export.facts import FILES, facts_of

_CLASSES = {"CT": CTImageStorage, "MR": MRImageStorage, "PT": PositronEmissionTomographyImageStorage}
OBLIQUE = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)


@dataclass(frozen=True)
class Phantom:
    """A series. Voxels are `1000 * slice + 20 * row + column`, one more for each time point."""

    uid: str = "2.25.11"
    patient: str = "P7K3QX"
    study: str = "2.25.1"
    modality: str = "CT"
    number: int = 1
    slices: Sequence[int] = tuple(range(6))
    times: int = 1
    rows: int = 8
    columns: int = 10
    thickness: float = 2.5
    spacing: tuple[float, float] = (0.75, 1.25)
    orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0)
    corner: tuple[float, float, float] = (-30.0, 12.5, 40.0)
    more: dict[str, Any] = field(default_factory=dict)

    def place(self, at: int) -> list[float]:
        """Where the first voxel of a slice lies, in the patient's millimetres (LPS)."""
        across, down = np.array(self.orientation[:3]), np.array(self.orientation[3:])
        return [round(value, 6) for value in np.array(self.corner) + at * self.thickness * np.cross(across, down)]

    def voxels(self, at: int, time: int = 0) -> Any:
        """The values of a slice."""
        return 1000 * at + 20 * np.arange(self.rows)[:, None] + np.arange(self.columns)[None, :] + time

    def datasets(self) -> Iterable[FileDataset]:
        """Make its files, the last slice first."""
        for time in range(self.times):
            for index, at in reversed(list(enumerate(self.slices))):
                yield self._dataset(time * len(self.slices) + index + 1, at, time)

    def write(self, folder: Path) -> None:
        """Write its files below a folder, by patient and series."""
        place = folder / self.patient / self.uid
        place.mkdir(parents=True)
        for dataset in self.datasets():
            dataset.save_as(place / f"{dataset.SOPInstanceUID}.dcm", enforce_file_format=True)

    def _dataset(self, number: int, at: int, time: int) -> FileDataset:
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made: Any = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
        made.PatientID, made.PatientName, made.PatientSex, made.PatientAge = self.patient, self.patient, "F", "061Y"
        made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = self.study, self.uid, "2.25.9"
        made.SOPClassUID, made.SOPInstanceUID = _CLASSES[self.modality], f"{self.uid}.{number}"
        made.StudyDate = made.SeriesDate = made.AcquisitionDate = "20190430"
        made.StudyTime = made.SeriesTime = "080910"
        made.AcquisitionTime = made.ContentTime = f"0809{10 + time}"
        made.AccessionNumber, made.StudyID, made.PatientBirthDate, made.ReferringPhysicianName = "", "", "", ""
        made.Modality, made.Manufacturer, made.ManufacturerModelName = self.modality, "SIEMENS", "Example"
        made.SeriesNumber, made.InstanceNumber, made.AcquisitionNumber = self.number, number, time + 1
        made.PatientPosition, made.ImageType = "HFS", ["ORIGINAL", "PRIMARY", "AXIAL"]
        made.PixelSpacing, made.SliceThickness = list(self.spacing), self.thickness
        made.ImageOrientationPatient, made.ImagePositionPatient = list(self.orientation), self.place(at)
        made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
        made.Rows, made.Columns = self.rows, self.columns
        made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 1
        if self.modality == "MR":
            made.RepetitionTime, made.EchoTime, made.MagneticFieldStrength = 2000.0, 30.0, 3.0
            made.ScanningSequence, made.SequenceVariant, made.MRAcquisitionType = "GR", "SK", "2D"
        else:
            made.RescaleSlope, made.RescaleIntercept, made.KVP = 1, -1024, 120.0
        for keyword, value in self.more.items():
            setattr(made, keyword, value)
        made.PixelData = self.voxels(at, time).astype("<i2").tobytes()
        return made  # type: ignore[no-any-return]  # pydicom types no attributes by keyword


def facts_below(folder: Path) -> pa.Table:
    """Give the table of files of a dataset."""
    rows = [
        {"path": path.relative_to(folder).as_posix(), **facts_of(dcmread(path, stop_before_pixels=True))}
        for path in sorted(folder.rglob("*.dcm"))
    ]
    return pa.Table.from_pylist(rows, FILES)


def write_all(folder: Path, *phantoms: Phantom) -> pa.Table:
    """Write series and give the table of their files."""
    for phantom in phantoms:
        phantom.write(folder)
    return facts_below(folder)
