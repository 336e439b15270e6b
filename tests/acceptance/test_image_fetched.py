"""Images of series that are not here: fetched from a simulated PACS on the way, or refused with what can be done."""

from __future__ import annotations

import re
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

import crawler
from crawler.errors import PacslakeError, UserError
from crawler.export.asked import SeveralSeriesError
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.pixels import RESCALE, stored_values
from crawler.testing.quirks import Claims, Quirks
from tests.acceptance.installed import ENVIRONMENT
from tests.acceptance.retrieving import Attempt, sited

ARCHIVE = Archive(3, date(2024, 2, 1), date(2024, 2, 2), seed=1, series_per_study=4, rows=8, columns=6, most_images=4)
STUDIES = {row["StudyInstanceUID"]: row for row in ARCHIVE.table(Level.STUDY).to_pylist()}
SERIES = [row for row in ARCHIVE.table(Level.SERIES).to_pylist() if row["NumberOfSeriesRelatedInstances"] == 4]
CT, OTHER, *_ = (row for row in SERIES if row["Modality"] == "CT")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def known_of(series: dict[str, Any]) -> dict[str, Any]:
    study = STUDIES[series["StudyInstanceUID"]]
    named = {"patient_id": study["PatientID"], "study_date": study["StudyDate"]}
    return {**named, "series_description": series["SeriesDescription"], "series_number": series["SeriesNumber"]}


def voxels(series: dict[str, Any]) -> Any:
    """Give what a volume's voxels are, in either order of its slices."""
    slope, intercept = map(float, RESCALE["CT"])
    numbers = [
        row["InstanceNumber"]
        for row in ARCHIVE.table(Level.IMAGE).to_pylist()
        if row["SeriesInstanceUID"] == series["SeriesInstanceUID"]
    ]
    stored = [stored_values(series["SeriesInstanceUID"], number, (1, 8, 6))[0] for number in sorted(numbers)]
    return np.stack(stored) * slope + intercept


@pytest.mark.parametrize("way", ["move", "get"])
def test_who_knows_patient_day_and_description_has_it_fetched(here: Path, way: str) -> None:
    with sited(here, Attempt(archive=ARCHIVE, way=way)) as (_, pacs):
        with crawler.open_lake("lake") as lake:
            image = lake.load_image(**known_of(CT))
            assert np.array_equal(sitk.GetArrayFromImage(image), voxels(CT))
            lake.load_image(**known_of(CT))
            with pytest.raises(SeveralSeriesError, match=CT["SeriesInstanceUID"]):
                lake.load_image(study_uid=CT["StudyInstanceUID"])
        assert np.array_equal(sitk.GetArrayFromImage(crawler.load_image(OTHER["SeriesInstanceUID"])), voxels(OTHER))
        assert pacs.counts.moves.total() + pacs.counts.gets.total() == 2


def test_the_lines_of_the_readme_open_images(here: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    [_, lines] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    known = known_of(CT)
    for written, meant in (
        ('"4711"', repr(known["patient_id"])),
        ('"2024-01-31"', repr(str(known["study_date"]))),
        ('"Thorax 1.0"', repr(known["series_description"])),
        ('"1.2.840.113619.2.5.1"', repr(OTHER["SeriesInstanceUID"])),
    ):
        assert written in lines
        lines = lines.replace(written, meant)
    with sited(here, Attempt(archive=ARCHIVE)):
        done = subprocess.run(
            ["python", "-c", f"import crawler\n{lines}print(image.GetSize())"], env=ENVIRONMENT, capture_output=True
        )
    assert (done.stdout.decode(), done.stderr.decode(), done.returncode) == ("(6, 8, 4)\n", "", 0)


def test_what_does_not_all_come_is_refused_with_what_to_do(here: Path) -> None:
    lying = Quirks(skips_every=2, claims=Claims.SUCCESS, no_image_level=True)
    with sited(here, Attempt(lying, ARCHIVE, patience=0.05)) as (_, pacs):
        with pytest.raises(
            UserError, match=r"^2 of 4 instances of the series \S+ are missing \(2 of 4 instances did not"
        ):
            crawler.load_image(CT["SeriesInstanceUID"])
        pacs.destinations.clear()
        ours = "have AE title PACSLAKE at host 127.0.0.1, port .* registered there as a destination"
        with pytest.raises(UserError, match=f"^the series {OTHER['SeriesInstanceUID']} is not here .*{ours}"):
            crawler.load_image(OTHER["SeriesInstanceUID"])


def test_why_nothing_can_be_fetched_is_passed_on(here: Path) -> None:
    failure = pytest.raises(PacslakeError, match=r"could not be fetched: .*lake")
    with sited(here, Attempt(archive=ARCHIVE)), LakeWriter.open(here / "lake"), failure:
        crawler.load_image(CT["SeriesInstanceUID"])


def test_a_lake_without_settings_says_the_command(here: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with sited(here, Attempt(archive=ARCHIVE)):
        (here / "pacslake.toml").rename(here / "elsewhere.toml")
        with crawler.open_lake("lake") as lake, pytest.raises(UserError, match="`pacslake cohort retrieve --series 2"):
            lake.load_image(**known_of(CT))
        with crawler.open_lake("lake", config="elsewhere.toml") as lake:
            assert np.array_equal(sitk.GetArrayFromImage(lake.load_image(**known_of(CT))), voxels(CT))
        (here / "another.toml").write_text('[lake]\npath = "another"\n')
        with crawler.open_lake("lake", config="another.toml") as lake, pytest.raises(UserError, match="another lake"):
            lake.load_image(**known_of(CT))
