"""A dataset as BIDS: the names that its own validator takes, and a reason wherever there is no such name."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from crawler.export.bids import About, write_bids
from crawler.export.bids_names import Image, Place, labels, numbered, place_of
from crawler.export.facts import FACTS
from crawler.export.series import Made
from tests.unit.export.phantom import Phantom, write_all

MPRAGE: dict[str, Any] = {
    "ScanningSequence": ["GR", "IR"],
    "SequenceVariant": ["SK", "SP", "MP"],
    "MRAcquisitionType": "3D",
    "RepetitionTime": 2300.0,
    "EchoTime": 2.3,
    "InversionTime": 900.0,
}
T2: dict[str, Any] = {"ScanningSequence": "SE", "RepetitionTime": 5000.0, "EchoTime": 100.0}
ABOUT = About("Heads and chests", "0.1.0", "Method: as the protocol says.")


def made_of(folder: Path, *phantoms: Phantom) -> dict[str, Made]:
    table = write_all(folder / "dicom", *phantoms)
    return {one.series.uid: one for one in write_bids(folder / "dicom", table, folder / "bids", ABOUT)}


def errors_of(dataset: Path) -> list[Any]:
    """Ask BIDS's own validator, which needs no network for that."""
    program = Path(sys.executable).with_name("bids-validator-deno")
    command = [str(program), str(dataset), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    return [(issue["code"], issue.get("location")) for issue in issues if issue["severity"] == "error"]


def read_table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t"))


def test_a_dataset_that_the_validator_takes(tmp_path: Path) -> None:
    echoes = {**T2, "EchoNumbers": 1}
    made = made_of(
        tmp_path,
        Phantom(),
        Phantom(uid="2.25.13", number=3, slices=(0, 1, 2, 4, 5)),
        Phantom(uid="2.25.14", number=4, modality="MR", times=12, more={"ScanningSequence": "EP"}),
        Phantom(uid="2.25.20", number=5, modality="MR", more=MPRAGE),
        Phantom(uid="2.25.21", number=6, modality="MR", more=MPRAGE),
        Phantom(uid="2.25.22", number=7, modality="MR", more=echoes),
        Phantom(uid="2.25.23", number=8, modality="MR"),
        Phantom(uid="2.25.24", number=9, modality="PT", more={"RescaleSlope": 0.25, "Units": "BQML"}),
        Phantom(uid="2.25.30", patient="PAAA", study="2.25.3", more={"PatientAge": "090Y", "PatientSex": ""}),
        Phantom(uid="2.25.31", patient="PAAA", study="2.25.4", modality="MR", more=MPRAGE),
    )
    bids = tmp_path / "bids"
    assert errors_of(bids) == []
    session = "sub-P7K3QX/ses-20190430"
    stem = "sub-P7K3QX_ses-20190430"
    assert made["2.25.11"].files[0] == f"{session}/ct/{stem}_ct.nii.gz"
    assert made["2.25.14"].files[0] == f"{session}/func/{stem}_task-unknown_bold.nii.gz"
    assert made["2.25.21"].files[0] == f"{session}/anat/{stem}_run-2_T1w.nii.gz"
    assert made["2.25.22"].files[0].startswith(f"{session}/anat/{stem}_")
    assert made["2.25.24"].files[0] == f"{session}/pet/{stem}_pet.nii.gz"
    assert made["2.25.24"].reason is not None
    assert made["2.25.24"].reason.startswith("in .bidsignore until its sidecar has TracerName, ")
    assert made["2.25.23"].reason == "in extra_data: its contrast cannot be told from the header"
    assert {Path(name).parts[0] for name in made["2.25.13"].files} == {"extra_data"}
    assert len({Path(made[uid].files[0]).parts[1] for uid in ("2.25.30", "2.25.31")}) == 2, "two studies of one day"
    there = {path.relative_to(bids).as_posix() for path in bids.rglob("*") if path.is_file()}
    described = {"README.md", "participants.tsv", "participants.json", "dataset_description.json", "series.tsv"}
    assert there == {name for one in made.values() for name in one.files} | described | {".bidsignore"}


def test_who_took_part_and_what_it_is(tmp_path: Path) -> None:
    made_of(
        tmp_path,
        Phantom(),
        Phantom(uid="2.25.12", study="2.25.2", number=2, more={"StudyDate": "20180430", "PatientAge": "060Y"}),
        Phantom(uid="2.25.30", patient="PAAA", study="2.25.3", more={"PatientAge": "090Y", "PatientSex": ""}),
    )
    bids = tmp_path / "bids"
    assert (bids / "participants.tsv").read_text() == (
        "participant_id\tage\tsex\nsub-P7K3QX\t60\tF\nsub-PAAA\t89\tn/a\n"
    )
    assert set(json.loads((bids / "participants.json").read_text())) == {"age", "sex"}
    description = json.loads((bids / "dataset_description.json").read_text())
    assert description["Name"] == "Heads and chests"
    assert [tool["Name"] for tool in description["GeneratedBy"]] == ["pacslake", "dcm2niix"]
    assert "License" not in description
    readme = (bids / "README.md").read_text()
    assert readme.startswith("# Heads and chests\n")
    assert readme.endswith("\n\nMethod: as the protocol says.\n")
    assert "nonym" not in readme
    listed = read_table(bids / "series.tsv")
    assert [row["SeriesInstanceUID"] for row in listed] == ["2.25.11", "2.25.12", "2.25.30"]
    assert all((bids / name).is_file() for row in listed for name in row["files"].split())


def test_a_functional_run_has_the_name_of_a_task(tmp_path: Path) -> None:
    made = made_of(tmp_path, Phantom(modality="MR", times=10, more={"ScanningSequence": "EP"}))
    told = json.loads((tmp_path / "bids" / made["2.25.11"].files[1]).read_text())
    assert told["TaskName"] == "unknown"
    assert told["RepetitionTime"] > 0


def image(ending: str = "", volumes: int = 1, diffusion: bool = False, **known: Any) -> Image:
    row = {**dict.fromkeys(FACTS.names), "Modality": "MR", **known}
    return Image(row, ending, volumes, diffusion)


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (image(Modality="CT"), Place("ct", "ct")),
        (image(Modality="PT"), Place("pet", "pet")),
        (image(diffusion=True, volumes=31), Place("dwi", "dwi")),
        (image(volumes=200, ScanningSequence=["EP"]), Place("func", "bold", (("task", "unknown"),))),
        (
            image("_e2", volumes=200, ScanningSequence=["EP"]),
            Place("func", "bold", (("task", "unknown"), ("echo", "2"))),
        ),
        (image(**{**MPRAGE, "SequenceVariant": ["MP"]}), Place("anat", "T1w")),
        (image(**{**T2, "ScanningSequence": ["SE"]}), Place("anat", "T2w")),
        (image("_e1_ph", SeriesDescription="t2 tse"), Place("anat", "T2w", (("echo", "1"), ("part", "phase")))),
        (image(ProtocolName="AX T2 FLAIR"), Place("anat", "FLAIR")),
        (image(ProtocolName="ep2d T2*"), Place("anat", "T2starw")),
        (image(SeriesDescription="SAG T1", ContrastBolusAgent="x"), Place("anat", "T1w", (("ce", "contrast"),))),
        (image(ScanningSequence=["SE"], RepetitionTime=500.0, EchoTime=10.0), Place("anat", "T1w")),
        (image(ScanningSequence=["SE"], RepetitionTime=2500.0, EchoTime=50.0), "its contrast cannot be told"),
        (image(ScanningSequence=["EP"], volumes=2), "several volumes"),
        (image(ScanningSequence=["EP"]), "echo-planar images of few volumes"),
        (image(ImageType=["DERIVED", "SECONDARY", "ADC"]), "images derived from others"),
        (image(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], Modality="CT"), "a localizer"),
        (image(ProtocolName="Survey"), "a localizer"),
        (image(Modality="US"), "BIDS has no place for US"),
        (image("_Tilt_1", Modality="CT"), "dcm2niix made it beside the images themselves (Tilt_1)"),
        (image("_i00011"), "its slices lie in several directions"),
        (image("_ROI1"), "dcm2niix made it beside the images themselves (ROI1)"),
    ],
)
def test_where_an_image_has_its_place(given: Image, place: Place | str) -> None:
    found = place_of(given)
    assert found == place if isinstance(place, Place) else str(found).startswith(place)


def test_series_of_one_name_are_runs_and_their_echoes_share_one() -> None:
    anat = Place("anat", "T2w")
    echo = [Place("anat", "T2w", (("echo", number),)) for number in "12"]
    bold = Place("func", "bold", (("task", "unknown"),))
    found = numbered([("a", echo[0]), ("a", echo[1]), ("b", anat), ("c", bold)])
    assert [place.name("X", "1").rpartition("/")[2] for place in found] == [
        "sub-X_ses-1_run-1_echo-1_T2w",
        "sub-X_ses-1_run-1_echo-2_T2w",
        "sub-X_ses-1_run-2_T2w",
        "sub-X_ses-1_task-unknown_bold",
    ]


@pytest.mark.parametrize("codes", [["P-1", "P1", "P2"], ["abc", "ABC"], ["", "-"]])
def test_codes_become_labels_that_stay_apart(codes: Sequence[str]) -> None:
    found = labels({code: code for code in codes})
    assert len({label.lower() for label in found.values()}) == len(codes)
    assert all(label.isalnum() and label.isascii() for label in found.values())
