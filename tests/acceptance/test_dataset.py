"""Research datasets as a user makes them: what leaves, what stays and why, and that every image is accounted for."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import time
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import MRImageStorage

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.objects import Objects
from tests.acceptance.bringing import bring, swept
from tests.acceptance.cohorts import cohort
from tests.acceptance.installed import ENVIRONMENT
from tests.acceptance.sweeping import ask

DAYS = (date(2024, 2, 1), date(2024, 2, 4))
HELD = Archive(8, *DAYS, seed=11, series_per_study=3, rows=16, columns=12, most_images=6)
IMAGES = HELD.table(Level.IMAGE).to_pylist()
STUDIES = HELD.table(Level.STUDY).to_pylist()
MR = [row for row in IMAGES if row["SOPClassUID"] == MRImageStorage]
RECIPE = ("--recipe", "research", "--processes", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    swept(folder, {"main": (HELD, Level.IMAGE)}, DAYS)
    bring(folder, [Objects(HELD).truth(row["SOPInstanceUID"]) for row in IMAGES], {})
    assert cohort(folder, "new", "all", "--sql", "from series")[0] == 0
    return folder


@pytest.fixture(scope="module")
def made(folder: Path) -> Path:
    code, said = export(folder, "made")
    assert code == 20
    assert said["counts"]["instances"] == len(IMAGES)
    return folder / "made"


def referring(folder: Path) -> None:
    """Add to the first MR series an image that refers to all others of it, at some depth."""
    one = Objects(HELD).truth(MR[0]["SOPInstanceUID"])
    dataset = dcmread(BytesIO(one.file()))
    others = [row["SOPInstanceUID"] for row in MR if row["SeriesInstanceUID"] == one.series]
    source = Dataset()
    source.ReferencedSOPClassUID = MRImageStorage
    source.ReferencedSeriesSequence = [Dataset()]
    source.ReferencedSeriesSequence[0].SeriesInstanceUID = one.series
    source.ReferencedSeriesSequence[0].ReferencedImageSequence = [_reference(uid) for uid in others]
    dataset.ReferencedImageSequence = [source]
    dataset.SOPInstanceUID = f"{one.sop_instance[:-2]}77"
    written = DicomBytesIO()
    written.is_implicit_VR, written.is_little_endian = False, True
    write_dataset(written, dataset)
    bring(folder, [replace(one, sop_instance=dataset.SOPInstanceUID, dataset=written.getvalue())], {})


def _reference(uid: str) -> Dataset:
    found = Dataset()
    found.ReferencedSOPClassUID, found.ReferencedSOPInstanceUID = MRImageStorage, uid
    return found


def export(folder: Path, out: str, *words: str) -> tuple[int, Any]:
    code, said = cohort(folder, "export", "all", *RECIPE, "--out", out, "--format", "json", *words)
    return code, json.loads(said)


def files_of(out: Path) -> dict[str, bytes]:
    """Give what is handed on, less the account, which tells the time."""
    inside = (path for path in sorted(out.rglob("*")) if path.is_file() and ".pacslake" not in path.parts)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in inside if path.name != "receipt.json"}


def test_every_image_of_the_cohort_is_in_the_dataset_or_accounted_for(made: Path) -> None:
    told = json.loads((made / "receipt.json").read_text())
    waiting = sum(one["instances"] for name in ("quarantined", "kept_back") for one in told[name])
    left_out = sum(told["excluded"].values())
    files = list(made.rglob("*.dcm"))
    assert len(files) == told["counts"]["released"] > 20
    assert len(files) + waiting + left_out == len(IMAGES)
    assert waiting > 0
    assert left_out > 0


def test_nothing_of_the_patients_is_in_any_file(made: Path) -> None:
    known = {row[name] for row in STUDIES for name in ("PatientID", "AccessionNumber", "StudyInstanceUID")}
    known |= {part for row in STUDIES for part in row["PatientName"].replace("=", "^").split("^")}
    needles = [one.encode() for one in known if one and len(one) > 4]
    assert len(needles) > 10
    everything = list(files_of(made).values()) + [path.read_bytes() for path in made.rglob(".pacslake/**/*.json")]
    assert not [one for one in needles for data in everything if one in data]
    assert "anonym" not in (made / "receipt.json").read_text().lower()


def test_a_patient_is_one_patient_and_the_days_between_studies_stay(folder: Path, made: Path) -> None:
    assert cohort(folder, "export", "all", *RECIPE, "--out", "again", "--crosswalk", "who.csv")[0] == 20
    with open(folder / "who.csv", newline="") as file:
        who = list(csv.DictReader(file))
    assert (folder / "who.csv").stat().st_mode & 0o777 == 0o600
    code_of = {row["PatientID"]: row["patient"] for row in who}
    day_of = {row["study"]: (row["PatientID"], row["StudyInstanceUID"], int(row["days"])) for row in who}
    true_day = {row["StudyInstanceUID"]: row["StudyDate"] for row in STUDIES}
    assert len(set(code_of.values())) == len(code_of)
    for path in made.rglob("*.dcm"):
        dataset = dcmread(path)
        patient, study, days = day_of[dataset.StudyInstanceUID]
        assert dataset.PatientID == code_of[patient]
        shifted = date.fromisoformat(dataset.StudyDate)
        assert (shifted - true_day[study]).days == days < 0
    assert files_of(folder / "again") == files_of(made), "the same key gives the same bytes"


def test_who_is_who_must_not_lie_in_the_dataset(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cohort(folder, "export", "all", *RECIPE, "--out", "inside", "--crosswalk", "inside/who.csv")[0] == 2
    assert "tells who is who" in capsys.readouterr().err
    assert not (folder / "inside").exists()


def test_another_key_gives_other_codes(folder: Path, made: Path, tmp_path: Path) -> None:
    settings = (folder / "pacslake.toml").read_text() + '\n[deid]\nkey_file = "other.key"\n'
    (folder / "other.toml").write_text(settings)
    export(folder, str(tmp_path / "other"), "--config", "other.toml")
    assert not {path.name for path in (tmp_path / "other").iterdir()} & {path.name for path in made.glob("P*")}


def test_a_copy_is_checked_without_the_lake(made: Path, tmp_path: Path) -> None:
    code, said = cohort(tmp_path, "verify", str(made), "--format", "json")
    assert (code, json.loads(said)["whole"]) == (0, True)


def test_a_person_decides_about_what_is_quarantined(folder: Path, made: Path) -> None:
    code, said = cohort(folder, "review", "all", "--processes", "1", "--sheets", "look", "--format", "json")
    waiting = json.loads(said)
    assert code == 20
    assert all((folder / sheet).read_bytes().startswith(b"\x89PNG") for one in waiting for sheet in one["sheets"])
    assert (folder / "look").stat().st_mode & 0o777 == 0o700
    first, second, *_ = (one["SeriesInstanceUID"] for one in waiting)
    assert cohort(folder, "review", "all", "--release", first, "--reason", "nothing there")[0] == 0
    assert cohort(folder, "review", "all", "--refuse", second)[0] == 0
    left = json.loads(cohort(folder, "review", "all", "--processes", "1", "--format", "json")[1])
    assert [one["SeriesInstanceUID"] for one in left] == [one["SeriesInstanceUID"] for one in waiting[2:]]
    before = json.loads((made / "receipt.json").read_text())["counts"]["released"]
    _, told = export(folder, "decided")
    assert told["counts"]["released"] == before + waiting[0]["instances"]
    assert told["excluded"]["Somebody who looked at it refused it."] == waiting[1]["instances"]
    decided = ask(folder, "select SeriesInstanceUID, decision, reason from reviews order by review")
    assert decided == [(first, "release", "nothing there"), (second, "refuse", None)]


def test_a_file_that_the_store_has_lost_is_not_passed_over(folder: Path, tmp_path: Path) -> None:
    [(path,)] = ask(folder, "select path from files order by path limit 1")
    (folder / "store" / path).rename(tmp_path / "away.dcm")
    try:
        code, told = export(folder, str(tmp_path / "out"))
    finally:
        (tmp_path / "away.dcm").rename(folder / "store" / path)
    assert code == 20
    assert told["not_usable"] == {"missing": 1}
    assert told["counts"]["instances"] == len(IMAGES)


def test_killed_at_any_moment_it_goes_on_to_the_same_files(folder: Path, made: Path, tmp_path: Path) -> None:
    words = ["pacslake", "cohort", "export", "all", "--recipe", "research", "--out", str(tmp_path / "out")]
    for moment in (0.8, 1.3, 1.8, 2.4):
        victim = subprocess.Popen([*words, "--processes", "2"], cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
        time.sleep(moment)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    export(folder, str(tmp_path / "out"))
    export(folder, str(tmp_path / "straight"))
    assert files_of(tmp_path / "out") == files_of(tmp_path / "straight")


@pytest.mark.parametrize("form", ["nifti", "bids", "volumes"])
def test_images_become_volumes_and_the_account_names_every_series(folder: Path, form: str, tmp_path: Path) -> None:
    code, told = export(folder, str(tmp_path / form), "--form", form, "--previews")
    assert code == 20
    manifest = {row["path"] for row in csv.DictReader((tmp_path / form / "manifest.csv").read_text().splitlines())}
    volumes = {path.relative_to(tmp_path / form).as_posix() for path in (tmp_path / form).rglob("*.nii.gz")}
    assert volumes
    assert volumes <= manifest
    assert {"card.md", "card.html", "participants.tsv"} <= manifest
    assert sum(path.startswith("previews/") for path in manifest) >= told["counts"]["series"] > 5
    assert not list((tmp_path / form).rglob("*.dcm"))
    assert cohort(folder, "verify", str(tmp_path / form))[0] == 0


def test_another_form_does_not_take_the_files_of_the_first(
    folder: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files_of(made)
    assert cohort(folder, "export", "all", *RECIPE, "--out", str(made), "--form", "nifti")[0] == 2
    assert "holds a dataset as dicom" in capsys.readouterr().err
    assert files_of(made) == before


def test_another_template_moves_the_files_and_leaves_no_empty_folder(folder: Path, tmp_path: Path) -> None:
    words = ("export", "all", *RECIPE, "--out", str(tmp_path / "out"))
    assert cohort(folder, *words)[0] == 20
    first = sorted(files_of(tmp_path / "out").values())
    assert cohort(folder, *words, "--template", "{SOPInstanceUID}.dcm")[0] == 20
    assert not [
        path for path in (tmp_path / "out").iterdir() if path.is_dir() and path.name not in (".pacslake", "card")
    ]
    again = files_of(tmp_path / "out")
    assert sorted(data for name, data in again.items() if name.endswith(".dcm")) == [
        data for data in first if data[128:132] == b"DICM"
    ]
    assert cohort(folder, "verify", str(tmp_path / "out"))[0] == 0


def test_a_folder_with_something_else_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    assert cohort(folder, "export", "all", *RECIPE, "--out", str(tmp_path))[0] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--recipe", "reserch", "--out", "x"), "did you mean 'research'"),
        (("--recipe", "research"), "--recipe needs --out DIR"),
        (("--recipe", "research", "--out", "x", "--template", "{Nme}.dcm"), "has {Nme}"),
        (("--recipe", "research", "--out", "x", "--form", "bids", "--dicomdir"), "are for --form dicom"),
        (("--dicomdir", "--output", "x.csv"), "are for --recipe"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_done(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    assert cohort(folder, "export", "all", *words)[0] == 2
    assert sentence in capsys.readouterr().err
    assert not (folder / "x").exists()


def test_a_decision_is_about_the_files_that_were_seen(folder: Path) -> None:
    waiting = json.loads(cohort(folder, "review", "all", "--processes", "1", "--format", "json")[1])
    uid = waiting[-1]["SeriesInstanceUID"]
    assert cohort(folder, "review", "all", "--release", uid)[0] == 0
    one = Objects(HELD).truth(next(row["SOPInstanceUID"] for row in IMAGES if row["SeriesInstanceUID"] == uid))
    new = f"{one.sop_instance[:-2]}99"
    dataset = one.dataset.replace(one.sop_instance.encode(), new.encode())
    bring(folder, [replace(one, sop_instance=new, dataset=dataset)], {})
    again = json.loads(cohort(folder, "review", "all", "--processes", "1", "--format", "json")[1])
    assert [one["SeriesInstanceUID"] for one in again] == [one["SeriesInstanceUID"] for one in waiting]


def test_every_reference_inside_of_the_cohort_leads_to_a_file_of_the_dataset(folder: Path, tmp_path: Path) -> None:
    referring(folder)
    export(folder, str(tmp_path / "out"))
    datasets = [dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")]
    there = {dataset.SOPInstanceUID for dataset in datasets} | {dataset.SeriesInstanceUID for dataset in datasets}
    elements = [element for dataset in datasets for element in dataset.iterall()]
    references = [one.value for one in elements if one.keyword == "ReferencedSOPInstanceUID"]
    assert len(references) == sum(row["SeriesInstanceUID"] == MR[0]["SeriesInstanceUID"] for row in MR)
    assert set(references) <= there
    assert {one.value for one in elements if one.keyword == "SeriesInstanceUID"} <= there
