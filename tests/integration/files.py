"""DICOM files to fill real PACS with: made for the purpose, and those that pydicom brings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian, MRImageStorage

ROOT = "1.2.826.0.1.3680043.10.1337"

PATIENTS = [
    ("ISO_IR 100", "Müller^Jörg^von", "M", "19710308"),
    ("ISO_IR 192", "山田^太郎", "M", "19850228"),
    ("ISO_IR 144", "Щукин^Юрий", "F", "19991231"),
    ("ISO_IR 192", "Ångström^Åsa^Maria^Dr^PhD", "F", ""),
    ("", "O'Brien^Mary-Ann", "O", "20000229"),
    ("", "SINGLE", "", "19000101"),
]
"""Charset, name, sex and birth date of each made patient."""

TIMES = ["081502", "235959", "000000", "101112.5", "1011", "093000.123456", ""]
DATES = ["20240229", "20231231", "20240101", "19991231", "20240615"]
DESCRIPTIONS = ["CT Thorax / Abdomen", "Schädel nativ", "", "MRT Knie re. *WICHTIG*", "x" * 64]


def made_files(folder: Path) -> list[Path]:
    """Write 6 patients with 3 studies of 2 series of 3 instances each; every file says all that a PACS may be asked."""
    paths = []
    for number, dataset in enumerate(_datasets()):
        path = folder / f"made{number:04}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def bundled_files() -> list[Path]:
    """Give the test files inside pydicom that a PACS stores: named at every level, little endian, one per instance."""
    wanted = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "PatientID")
    chosen: dict[str, Path] = {}
    for path in sorted((Path(pydicom.__file__).parent / "data").rglob("*.dcm")):
        if path.name == "SC_rgb_jpeg.dcm":  # says Explicit VR and is not, of which pydicom warns
            continue
        dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        syntax = dataset.file_meta.get("TransferSyntaxUID")
        if syntax and syntax != ExplicitVRBigEndian and all(dataset.get(keyword) for keyword in wanted):
            chosen.setdefault(str(dataset.SOPInstanceUID), path)
    return list(chosen.values())


def _datasets() -> Iterator[FileDataset]:
    for patient, (charset, name, sex, born) in enumerate(PATIENTS):
        for study in range(3):
            for series in range(2):
                for instance in range(3):
                    yield _dataset(f"{patient + 1}.{study + 1}.{series + 1}.{instance + 1}", charset, name, sex, born)


def _dataset(place: str, charset: str, name: str, sex: str, born: str) -> FileDataset:
    patient, study, series, instance = (int(part) for part in place.split("."))
    dataset = FileDataset("", Dataset(), preamble=b"\0" * 128, file_meta=FileMetaDataset())
    turn = patient * 3 + study
    ct = turn % 2 == 0
    if charset:
        dataset.SpecificCharacterSet = charset
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL" if ct else "M"]
    dataset.SOPClassUID = CTImageStorage if ct else MRImageStorage
    dataset.SOPInstanceUID = f"{ROOT}.{place}"
    dataset.StudyDate = DATES[turn % len(DATES)]
    dataset.SeriesDate = dataset.ContentDate = dataset.StudyDate
    dataset.StudyTime = TIMES[turn % len(TIMES)]
    dataset.SeriesTime = TIMES[(turn + series) % len(TIMES)]
    dataset.ContentTime = TIMES[(turn + instance) % len(TIMES)]
    dataset.AcquisitionDateTime = f"{dataset.StudyDate}101112.25"
    dataset.AccessionNumber = f"A{patient}{study:05}"
    dataset.Modality = "CT" if ct else "MR"
    dataset.Manufacturer = "ACME Medical"
    dataset.InstitutionName = "Klinikum Süd" if charset in ("ISO_IR 100", "ISO_IR 192") else "South Hospital"
    dataset.ReferringPhysicianName = "Doe^John"
    dataset.StationName = f"STATION{series}"
    text = DESCRIPTIONS[turn % len(DESCRIPTIONS)]
    dataset.StudyDescription = text if charset in ("ISO_IR 100", "ISO_IR 192") or text.isascii() else "Skull"
    dataset.SeriesDescription = f"series {series} of {study}"
    dataset.ManufacturerModelName = "Model 7"
    dataset.PatientName, dataset.PatientSex, dataset.PatientBirthDate = name, sex, born
    dataset.PatientID = f"P{patient:03}"
    dataset.IssuerOfPatientID = "SOUTH"
    dataset.BodyPartExamined = "CHEST"
    dataset.SliceThickness = "2.5"
    dataset.ProtocolName = "Routine"
    dataset.StudyInstanceUID = f"{ROOT}.{patient}.{study}"
    dataset.SeriesInstanceUID = f"{ROOT}.{patient}.{study}.{series}"
    dataset.StudyID = str(study)
    dataset.SeriesNumber, dataset.InstanceNumber = series, instance
    dataset.Laterality = "L"
    dataset.SliceLocation = f"{-12.5 + instance:.2f}"
    dataset.Rows, dataset.Columns = 4, 2
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = bytes(16)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def many_studies(folder: Path, count: int) -> list[Path]:
    """Write so many studies of one series and one instance, over as many patients."""
    paths = []
    for number in range(count):
        charset, name, sex, born = PATIENTS[number % len(PATIENTS)]
        path = folder / f"study{number:05}.dcm"
        _dataset(f"{number + 1}.1.1.1", charset, name, sex, born).save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def studies_at(folder: Path, moments: Iterable[datetime]) -> list[Path]:
    """Write a study of one instance for each of these moments."""
    paths = []
    for number, moment in enumerate(moments):
        charset, name, sex, born = PATIENTS[number % len(PATIENTS)]
        dataset = _dataset(f"{number + 1}.1.1.1", charset, name, sex, born)
        dataset.StudyDate, dataset.StudyTime = f"{moment:%Y%m%d}", f"{moment:%H%M%S}"
        path = folder / f"study{number:05}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths
