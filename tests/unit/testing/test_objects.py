"""Synthetic objects say what the archive says, lie where they claim, and always have the same bytes."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import SimpleITK
from pydicom import Dataset, dcmread

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.changing import ChangingArchive
from crawler.testing.objects import Objects
from crawler.testing.pixels import RESCALE, stored_values
from crawler.testing.question import Question

ARCHIVE = Archive(120, date(2024, 3, 4), date(2024, 3, 8), undated=2, rows=8, columns=6, most_images=4)
OBJECTS = Objects(ARCHIVE)
ITK: Any = SimpleITK  # has types for some of its functions only
SERIES = ARCHIVE.table(Level.SERIES)
IMAGES = ARCHIVE.table(Level.IMAGE)


def read(sop_instance: str, objects: Objects = OBJECTS) -> Dataset:
    return dcmread(BytesIO(objects.truth(sop_instance).file()))


def images_of(modality: str) -> list[Dataset]:
    """Read a series of this modality with several images, in order."""
    whole = SERIES.filter(pc.equal(SERIES["NumberOfSeriesRelatedInstances"], 4))
    series = whole.filter(pc.equal(whole["Modality"], modality))["SeriesInstanceUID"][-1]
    uids = IMAGES.filter(pc.equal(IMAGES["SeriesInstanceUID"], series))["SOPInstanceUID"].to_pylist()
    return [read(uid) for uid in uids]


def pixels(image: Dataset) -> npt.NDArray[np.uint16]:
    return np.frombuffer(image.PixelData, "<u2").reshape(-1, image.Rows, image.Columns)


def test_every_row_is_in_the_object_that_it_lists() -> None:
    studies = {row["StudyInstanceUID"]: row for row in ARCHIVE.table(Level.STUDY).to_pylist()}
    series = {row["SeriesInstanceUID"]: row for row in SERIES.to_pylist()}
    for row in IMAGES.to_pylist()[::17]:
        image = read(row["SOPInstanceUID"])
        for listed in (studies[row["StudyInstanceUID"]], series[row["SeriesInstanceUID"]], row):
            for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "PatientName"):
                assert name not in listed or image[name].value == listed[name]
            for name in ("PatientID", "AccessionNumber", "StudyDescription", "SeriesDescription", "Modality"):
                assert name not in listed or (image[name].value or "") == (listed[name] or "")
            for name in ("Rows", "Columns", "InstanceNumber", "SeriesNumber", "SliceThickness"):
                assert listed.get(name) is None or image[name].value == listed[name]
        day = studies[row["StudyInstanceUID"]]["StudyDate"]
        assert image.StudyDate == (f"{day:%Y%m%d}" if day else "")
        assert "NumberOfStudyRelatedSeries" not in image


@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
def test_a_series_is_a_volume_of_known_values(modality: str) -> None:
    images = images_of(modality)
    across, down = (np.array(images[0].ImageOrientationPatient[at : at + 3]) for at in (0, 3))
    normal = np.cross(across, down)
    places = [np.array(image.ImagePositionPatient) @ normal for image in images]
    assert places == pytest.approx([image.SliceLocation for image in images])
    assert np.diff(places) == pytest.approx(images[0].SliceThickness)
    for image in images:
        column, row = np.meshgrid(np.arange(6), np.arange(8))
        first = 257 * image.InstanceNumber + crc32(image.SeriesInstanceUID.encode())
        assert np.array_equal(pixels(image)[0], (column + 16 * row + first) % 4096)
        assert (str(image.RescaleSlope), str(image.RescaleIntercept)) == RESCALE[modality]
        assert (image.Rows, image.Columns, image.PixelSpacing) == (8, 6, [1.25, 0.75])


@pytest.mark.parametrize("modality", ["CT", "MR", "PT"])
def test_simpleitk_loads_a_series_as_the_volume_of_these_values(modality: str, tmp_path: Path) -> None:
    images = images_of(modality)
    for image in reversed(images):
        (tmp_path / image.SOPInstanceUID).write_bytes(OBJECTS.truth(image.SOPInstanceUID).file())
    reader = ITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    volume = reader.Execute()
    slope, intercept = (float(text) for text in RESCALE[modality])
    stored = [stored_values(image.SeriesInstanceUID, image.InstanceNumber, (1, 8, 6)) for image in images]
    assert np.array_equal(ITK.GetArrayFromImage(volume), slope * np.concatenate(stored) + intercept)
    assert volume.GetSpacing() == pytest.approx((0.75, 1.25, images[0].SliceThickness))
    assert volume.GetOrigin() == pytest.approx(images[0].ImagePositionPatient)


def test_frames_differ_and_reports_have_no_pixels() -> None:
    (film, *_) = (image for image in images_of("US") if image.NumberOfFrames > 1)
    frames = pixels(film)
    assert len(frames) == film.NumberOfFrames
    assert np.array_equal(frames[1], (frames[0] + 31) % 4096)
    report = SERIES.filter(pc.equal(SERIES["Modality"], "SR"))["SeriesInstanceUID"][0]
    uid = IMAGES.filter(pc.equal(IMAGES["SeriesInstanceUID"], report))["SOPInstanceUID"][0].as_py()
    assert "PixelData" not in read(uid)
    assert "BitsAllocated" not in read(uid)
    assert OBJECTS.truth(uid).altered() == OBJECTS.truth(uid)


def test_the_same_archive_gives_the_same_bytes_and_another_seed_others() -> None:
    uid = IMAGES["SOPInstanceUID"][11].as_py()
    assert Objects(ARCHIVE).truth(uid) == OBJECTS.truth(uid)
    with pytest.raises(KeyError):
        Objects(Archive(120, date(2024, 3, 4), date(2024, 3, 8), seed=2)).truth(uid)
    other, true = OBJECTS.truth(uid).altered().dataset, OBJECTS.truth(uid).dataset
    assert (len(other), other[:-2]) == (len(true), true[:-2])
    assert other != true


def uids_for(level: Level, keys: dict[str, str], objects: Objects = OBJECTS) -> list[str]:
    found = objects.asked_for(Question(level, keys, (), False))
    assert [one.sop_instance for one in objects.made(found)] == found["SOPInstanceUID"].to_pylist()
    uids: list[str] = found["SOPInstanceUID"].to_pylist()
    return uids


def test_what_is_asked_for_at_each_level() -> None:
    study, series, image = (
        IMAGES[name][5].as_py() for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    )
    studies = ARCHIVE.table(Level.STUDY)
    patient = studies["PatientID"][0].as_py()
    theirs = studies.filter(pc.equal(studies["PatientID"], patient))["StudyInstanceUID"].to_pylist()

    def truth(name: str, *values: str) -> list[str]:
        wanted = IMAGES.filter(pc.is_in(IMAGES[name], pa.array(values)))
        uids: list[str] = wanted["SOPInstanceUID"].to_pylist()
        return uids

    assert uids_for(Level.PATIENT, {"PatientID": patient}) == truth("StudyInstanceUID", *theirs)
    assert uids_for(Level.STUDY, {"StudyInstanceUID": f"{study}\\1.2.3"}) == truth("StudyInstanceUID", study)
    above = {"StudyInstanceUID": study}
    assert uids_for(Level.SERIES, {**above, "SeriesInstanceUID": series}) == truth("SeriesInstanceUID", series)
    above["SeriesInstanceUID"] = series
    assert uids_for(Level.IMAGE, {**above, "SOPInstanceUID": f"9.9\\{image}"}) == [image]
    assert uids_for(Level.IMAGE, {**above, "StudyInstanceUID": "1.2", "SOPInstanceUID": image}) == []


def test_a_changing_archive_sends_what_it_holds_now() -> None:
    archive = ChangingArchive(Archive(3, date(2024, 3, 4), date(2024, 3, 4), most_images=2))
    objects = Objects(archive)
    study = archive.studies()[-1]
    archive.grow(study, "2.25.4711")
    archive.alter(study, PatientID="MERGED")
    assert read("2.25.4711.1", objects).PatientID == "MERGED"
    assert "2.25.4711.1" in uids_for(Level.PATIENT, {"PatientID": "MERGED"}, objects)
    archive.delete(study)
    assert uids_for(Level.STUDY, {"StudyInstanceUID": study}, objects) == []
