"""Series as images in memory, as a person in Python asks for them: known voxels, plain words where there is none."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread

import crawler
from crawler.errors import UserError
from crawler.export.asked import Candidate, SeveralSeriesError
from crawler.model import Level
from crawler.retrieve.layout import place_of
from crawler.testing.archive import Archive
from crawler.testing.objects import Objects
from crawler.testing.pixels import RESCALE, stored_values
from tests.acceptance.bringing import bring, swept

DAYS = (date(2024, 2, 1), date(2024, 2, 2))
ARCHIVE = Archive(3, *DAYS, seed=1, series_per_study=4, rows=8, columns=6, most_images=4)
SERIES = {row["SeriesInstanceUID"]: row for row in ARCHIVE.table(Level.SERIES).to_pylist()}
STUDIES = {row["StudyInstanceUID"]: row for row in ARCHIVE.table(Level.STUDY).to_pylist()}
IMAGES: dict[str, list[dict[str, Any]]] = {}
for _row in ARCHIVE.table(Level.IMAGE).to_pylist():
    IMAGES.setdefault(_row["SeriesInstanceUID"], []).append(_row)


def series_of(modality: str, images: int = 4) -> list[str]:
    return [uid for uid, row in SERIES.items() if row["Modality"] == modality and len(IMAGES[uid]) == images]


(CT, PARTLY, *_), (MR, LATE, *_), (REPORT, *_) = series_of("CT"), series_of("MR"), series_of("SR", 1)
FILM = next(uid for uid, rows in IMAGES.items() if len(rows) == 1 and (rows[0]["NumberOfFrames"] or 1) > 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    swept(folder, {"main": (ARCHIVE, Level.IMAGE)}, DAYS)
    come(folder, *[row for uid in (CT, MR, FILM, REPORT) for row in reversed(IMAGES[uid])], *IMAGES[PARTLY][:3])
    return folder


def come(folder: Path, *images: dict[str, Any]) -> None:
    bring(folder, [Objects(ARCHIVE).truth(row["SOPInstanceUID"]) for row in images], {})


def truth(uid: str) -> tuple[list[Any], Any]:
    """Give the datasets of a volume in the order of their places, and what its voxels are."""
    images = [dcmread_of(row["SOPInstanceUID"]) for row in IMAGES[uid]]
    across, down = (np.array(images[0].ImageOrientationPatient[at : at + 3]) for at in (0, 3))
    images.sort(key=lambda image: float(np.array(image.ImagePositionPatient) @ np.cross(across, down)))
    slope, intercept = map(float, RESCALE[images[0].Modality])
    stored = [stored_values(uid, image.InstanceNumber, (1, 8, 6))[0] for image in images]
    return images, np.stack(stored) * slope + intercept


def dcmread_of(uid: str) -> Any:
    return dcmread(BytesIO(Objects(ARCHIVE).truth(uid).file()))


def known_of(uid: str) -> dict[str, Any]:
    row = SERIES[uid]
    study = STUDIES[row["StudyInstanceUID"]]
    named = {"patient_id": study["PatientID"], "study_date": study["StudyDate"]}
    return {**named, "series_description": row["SeriesDescription"], "series_number": row["SeriesNumber"]}


@pytest.mark.parametrize("uid", [CT, MR])
def test_who_knows_patient_day_and_description_gets_the_volume(folder: Path, uid: str) -> None:
    images, voxels = truth(uid)
    with crawler.open_lake(folder / "lake") as lake:
        image: Any = lake.load_image(**known_of(uid))
        assert np.array_equal(sitk.GetArrayFromImage(image), voxels)
        as_text = {**known_of(uid), "study_date": str(known_of(uid)["study_date"])}
        assert np.array_equal(sitk.GetArrayFromImage(lake.load_image(**as_text)), voxels)
    for at, dataset in enumerate(images):
        place = image.TransformIndexToPhysicalPoint((0, 0, at))
        assert place == pytest.approx(tuple(map(float, dataset.ImagePositionPatient)))
    assert image.GetSpacing()[:2] == pytest.approx((0.75, 1.25))
    direction = np.array(image.GetDirection()).reshape(3, 3)
    assert direction[:, :2].T.ravel() == pytest.approx(list(map(float, images[0].ImageOrientationPatient)))


def test_a_series_uid_alone_is_enough(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert np.array_equal(sitk.GetArrayFromImage(crawler.load_image(CT)), truth(CT)[1])
    [row] = IMAGES[FILM]
    film = sitk.GetArrayFromImage(crawler.load_image(FILM))
    assert np.array_equal(film, stored_values(FILM, row["InstanceNumber"], (row["NumberOfFrames"], 8, 6)))


def test_what_is_not_all_here_is_refused_or_fetched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=f"^1 of 4 instances of the series {PARTLY} are missing"):
        crawler.load_image(PARTLY, fetch=False)
    with pytest.raises(UserError, match=f"^the series {LATE} is not here"):
        crawler.load_image(LATE, fetch=False)
    asked: list[Candidate] = []

    def fetch(candidate: Candidate) -> None:
        asked.append(candidate)
        come(folder, *IMAGES[candidate.series_uid])

    assert np.array_equal(sitk.GetArrayFromImage(crawler.load_image(LATE, fetch=fetch)), truth(LATE)[1])
    [candidate] = asked
    assert (candidate.pacs, candidate.series_uid) == ("main", LATE)
    assert candidate.study_uid == SERIES[LATE]["StudyInstanceUID"]
    with pytest.raises(UserError, match="1 of 4 instances"):
        crawler.load_image(PARTLY, fetch=lambda _: None)


def test_what_fits_several_series_lists_them(folder: Path) -> None:
    study = SERIES[CT]["StudyInstanceUID"]
    there = sorted(uid for uid, row in SERIES.items() if row["StudyInstanceUID"] == study)
    with crawler.open_lake(folder / "lake") as lake:
        with pytest.raises(SeveralSeriesError, match=f"^{len(there)} series fit; name one by its") as several:
            lake.load_image(study_uid=study)
        assert sorted(one.series_uid for one in several.value.candidates) == there
        shown = next(line for line in str(several.value).splitlines() if CT in line)
        row = SERIES[CT]
        assert shown == f"  {CT}  main  CT  no. {row['SeriesNumber']}  {row['SeriesDescription']}  4 instances"
        with pytest.raises(SeveralSeriesError, match="no series has this description; there are:"):
            lake.load_image(study_uid=study, series_description="nothing like it")
        with pytest.raises(UserError, match="no series in the lake fits"):
            lake.load_image(patient_id="nobody")
        with pytest.raises(UserError, match="say which series"):
            lake.load_image(series_description="Thorax")


def test_what_is_no_image_or_lies_elsewhere_is_said(folder: Path, tmp_path: Path) -> None:
    with crawler.open_lake(folder / "lake") as lake, pytest.raises(UserError, match="cannot read this series"):
        lake.load_image(series_uid=REPORT)
    with (
        crawler.open_lake(folder / "lake", store=tmp_path) as lake,
        pytest.raises(UserError, match="Is the store"),
    ):
        lake.load_image(series_uid=CT)
    file = folder / "store" / place_of(IMAGES[MR][0]["SOPInstanceUID"])
    whole = file.read_bytes()
    file.write_bytes(whole[:-2])
    with crawler.open_lake(folder / "lake") as lake, pytest.raises(UserError, match="another size"):
        lake.load_image(series_uid=MR)
    file.write_bytes(whole)


def test_without_simpleitk_the_line_to_type_is_said(folder: Path) -> None:
    code = f"""import sys; sys.modules["SimpleITK"] = None
import crawler
try:
    crawler.open_lake("lake").load_image(series_uid="{CT}")
except crawler.errors.UserError as error:
    print(error)"""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.stdout == "images need SimpleITK; type: pip install 'pacslake[images]'\n", done.stderr
