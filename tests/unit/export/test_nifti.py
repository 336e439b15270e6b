"""DICOM to NIfTI by dcm2niix: the voxels at the places where SimpleITK reads them, and nothing lost in silence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import nibabel
import nibabel.affines
import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import RLELossless

from crawler.errors import UserError
from crawler.export.nifti import Limits, convert, shape, version, write_nifti
from crawler.export.series import Made, Series, account, series_of
from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.objects import Objects
from tests.unit.export.phantom import OBLIQUE, Phantom, facts_below, write_all

CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def made_of(folder: Path, *phantoms: Phantom) -> list[Made]:
    return write_nifti(folder / "dicom", write_all(folder / "dicom", *phantoms), folder / "nifti")


def itk_reading(folder: Path, series: Series) -> Any:
    """Give SimpleITK's own reading of the DICOM files, in its own order of them."""
    return itk_volume((folder / series.first["path"]).parent, series.uid)


def itk_volume(folder: Path, uid: str) -> Any:
    reader: Any = sitk.ImageSeriesReader
    return sitk.ReadImage(reader.GetGDCMSeriesFileNames(str(folder), uid))


def assert_alike(nifti: Path, image: Any, at_time: int | None = None) -> None:
    """Compare voxel by voxel: what lies at each place of the patient, in NIfTI's RAS and in DICOM's LPS."""
    loaded: Any = nibabel.load(nifti)
    affines: Any = nibabel.affines
    voxels, affine = np.asarray(loaded.dataobj), loaded.affine
    if at_time is not None:
        voxels = voxels[..., at_time]
    expected = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
    assert sorted(voxels.shape) == sorted(expected.shape)
    axes = 3 if expected.shape[2] > 1 else 2  # SimpleITK does not know how thick a single slice is
    assert np.allclose(affines.voxel_sizes(affine)[:axes], image.GetSpacing()[:axes], atol=1e-4)
    indices = np.argwhere(np.ones_like(expected, dtype=bool))
    direction = np.array(image.GetDirection()).reshape(3, 3)
    places = indices * image.GetSpacing() @ direction.T + image.GetOrigin()
    found = affines.apply_affine(np.linalg.inv(affine), places * [-1, -1, 1])
    assert np.abs(found - found.round()).max() < 1e-3, "every voxel lies on one of the other"
    at = tuple(found.round().astype(int).T)
    assert np.array_equal(voxels[at], expected[tuple(indices.T)])


@pytest.mark.parametrize(
    "phantom",
    [
        Phantom(),
        Phantom(orientation=OBLIQUE, corner=(11.5, -20.25, 3.0)),
        Phantom(orientation=CORONAL, thickness=1.0),
        Phantom(modality="MR", spacing=(0.5, 0.5), slices=range(17)),
        Phantom(modality="PT", more={"RescaleSlope": 0.25, "RescaleIntercept": 0, "Units": "BQML"}),
        Phantom(slices=(0,)),
    ],
    ids=["axial", "oblique", "coronal", "MR", "PET", "one slice"],
)
def test_voxels_and_places_are_those_of_simpleitk(phantom: Phantom, tmp_path: Path) -> None:
    [made] = made_of(tmp_path, phantom)
    assert made.reason is None
    assert made.files == ("P7K3QX/20190430_2.25.1/1_" + phantom.modality + ".nii.gz", made.files[0][:-7] + ".json")
    assert_alike(tmp_path / "nifti" / made.files[0], itk_reading(tmp_path / "dicom", made.series))


def test_series_of_the_simulated_archive(tmp_path: Path) -> None:
    archive = Archive(
        4, date(2024, 2, 1), date(2024, 2, 2), seed=1, series_per_study=4, rows=8, columns=6, most_images=5
    )
    wanted = {
        row["SeriesInstanceUID"] for row in archive.table(Level.SERIES).to_pylist() if row["Modality"] in ("CT", "MR")
    }
    for row in archive.table(Level.IMAGE).to_pylist():
        if row["SeriesInstanceUID"] in wanted:
            file = tmp_path / row["SeriesInstanceUID"] / f"{row['SOPInstanceUID']}.dcm"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(Objects(archive).truth(row["SOPInstanceUID"]).file())
    made = write_nifti(tmp_path, facts_below(tmp_path), tmp_path / "nifti")
    assert len(made) == len(wanted) > 3
    for one in made:
        assert_alike(tmp_path / "nifti" / one.files[0], itk_reading(tmp_path, one.series))


def test_compressed_files(tmp_path: Path) -> None:
    write_all(tmp_path, Phantom(), Phantom(uid="2.25.12", number=2))
    for file in (tmp_path / "P7K3QX" / "2.25.12").iterdir():
        dataset = dcmread(file)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(file)
    plain, packed = write_nifti(tmp_path, facts_below(tmp_path), tmp_path / "nifti")
    assert packed.series.first["transfer_syntax"] == RLELossless
    assert packed.reason is None
    assert_alike(tmp_path / "nifti" / packed.files[0], itk_reading(tmp_path, plain.series))


def test_times_are_a_fourth_axis(tmp_path: Path) -> None:
    phantom = Phantom(modality="MR", times=3)
    [made] = made_of(tmp_path, phantom)
    volume = tmp_path / "nifti" / made.files[0]
    assert shape(volume) == (10, 8, 6, 3)
    for at in range(3):
        alone = tmp_path / f"time {at}"
        alone.mkdir()
        for row in made.series.rows:
            if row["AcquisitionNumber"] == at + 1:
                (alone / Path(row["path"]).name).symlink_to(tmp_path / "dicom" / row["path"])
        assert_alike(volume, itk_volume(alone, phantom.uid), at)


def test_a_missing_slice_is_told_with_what_was_made_of_it(tmp_path: Path) -> None:
    [made] = made_of(tmp_path, Phantom(slices=(0, 1, 2, 4, 5)))
    stem = "P7K3QX/20190430_2.25.1/1_CT"
    assert made.files == (f"{stem}.nii.gz", f"{stem}.json", f"{stem}_Eq_1.nii.gz")
    assert made.reason is not None
    assert made.reason.startswith("slices are missing or unevenly spaced, so that places are wrong in it")


def test_a_slice_that_lies_where_another_one_does_is_told(tmp_path: Path) -> None:
    [made] = made_of(tmp_path, Phantom(slices=(0, 1, 2, 2, 3)))
    assert made.reason is not None, made


def test_echoes_are_files_of_their_own(tmp_path: Path) -> None:
    first = Phantom(modality="MR", more={"EchoNumbers": 1, "EchoTime": 10.0})
    second = Phantom(modality="MR", more={"EchoNumbers": 2, "EchoTime": 30.0})
    table = write_all(tmp_path, first)
    for dataset in second.datasets():
        dataset.SOPInstanceUID += ".2"
        dataset.InstanceNumber += 6
        dataset.save_as(tmp_path / f"{dataset.SOPInstanceUID}.dcm", enforce_file_format=True)
    table = facts_below(tmp_path)
    [made] = write_nifti(tmp_path, table, tmp_path / "nifti")
    volumes = [name.rpartition("/")[2] for name in made.files if name.endswith(".nii.gz")]
    assert volumes == ["1_MR_e1.nii.gz", "1_MR_e2.nii.gz"]
    assert made.reason is None


def test_a_tilted_gantry_is_told_and_slices_are_shifted_back_beside_it(tmp_path: Path) -> None:
    tilt = np.radians(15)
    down = [0, round(float(np.cos(tilt)), 6), round(float(-np.sin(tilt)), 6)]
    for dataset in Phantom(more={"GantryDetectorTilt": 15}).datasets():
        at = dataset.InstanceNumber - 1
        dataset.ImageOrientationPatient = [1, 0, 0, *down]
        dataset.ImagePositionPatient = [-30, 12.5, 40 + 2.5 * at]
        dataset.save_as(tmp_path / f"{at}.dcm", enforce_file_format=True)
    [made] = write_nifti(tmp_path, facts_below(tmp_path), tmp_path / "nifti")
    assert [name.rpartition("/")[2] for name in made.files] == ["1_CT.nii.gz", "1_CT.json", "1_CT_Tilt_1.nii.gz"]
    assert made.reason == "the gantry was tilted; in _Tilt the slices are shifted back"


def test_a_localizer_has_an_image_for_each_direction(tmp_path: Path) -> None:
    for number, orientation in enumerate([(1, 0, 0, 0, 1, 0), CORONAL, OBLIQUE]):
        phantom = Phantom(modality="MR", slices=range(3), orientation=orientation)
        for dataset in phantom.datasets():
            dataset.InstanceNumber += 10 * number
            dataset.SOPInstanceUID += f".{number}"
            dataset.save_as(tmp_path / f"{dataset.SOPInstanceUID}.dcm", enforce_file_format=True)
    [made] = write_nifti(tmp_path, facts_below(tmp_path), tmp_path / "nifti")
    assert len([name for name in made.files if name.endswith(".nii.gz")]) == 3
    assert made.reason is None


def test_no_series_is_passed_over(tmp_path: Path) -> None:
    write_all(tmp_path, Phantom(), Phantom(uid="2.25.12", number=2))
    for number, name in enumerate(("test-SR.dcm", "rtplan.dcm", "JPGExtended.dcm", "MR_truncated.dcm"), start=3):
        dataset = dcmread(Path(str(get_testdata_file(name))))
        dataset.PatientID, dataset.StudyInstanceUID, dataset.SeriesNumber = "P7K3QX", "2.25.1", number
        dataset.save_as(tmp_path / name)
    damaged = next((tmp_path / "P7K3QX" / "2.25.12").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-100])
    told = account(write_nifti(tmp_path, facts_below(tmp_path), tmp_path / "nifti")).to_pylist()
    assert [row["Modality"] for row in told] == ["CT", "CT", "SR", "RTPLAN", "NM", "MR"]
    assert [bool(row["files"]) for row in told[2:]] == [False] * 4
    assert all(row["reason"] for row in told[1:])
    assert told[0]["reason"] is None
    assert told[4]["reason"] == "no image, or its encoding is not known to dcm2niix"


def test_a_sidecar_has_of_the_header_what_the_header_has(tmp_path: Path) -> None:
    [made] = made_of(tmp_path, Phantom(modality="MR"))
    told = json.loads((tmp_path / "nifti" / made.files[1]).read_bytes())
    assert told["EchoTime"] == 0.03
    assert told["ConversionSoftware"] == "dcm2niix"
    assert version() in told["ConversionSoftwareVersion"]
    assert not {key for key in told if key.startswith(("Patient", "Institution", "Study")) and key != "PatientPosition"}


def test_files_are_their_owners_alone_and_nothing_else_stays(tmp_path: Path) -> None:
    made_of(tmp_path, Phantom())
    left = [path for path in (tmp_path / "nifti").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in left} == {0o600}
    assert len(left) == 2
    assert not list((tmp_path / "nifti").rglob(".nifti-*"))


def test_a_series_that_takes_too_much_is_told(tmp_path: Path) -> None:
    table = write_all(tmp_path, Phantom(rows=512, columns=512, slices=range(8)))
    [series] = series_of(table)
    for name, limits, said in (
        ("time", Limits(seconds=0.0001), "dcm2niix was ended after 0.0001 seconds"),
        ("memory", Limits(memory=1 << 20), "dcm2niix"),
    ):
        (tmp_path / name).mkdir()
        converted = convert(tmp_path, series, tmp_path / name, limits)
        assert converted.images == ()
        assert converted.reason is not None
        assert converted.reason.startswith(said)


def test_dcm2niix_dies_with_us(tmp_path: Path) -> None:
    """A program that never ends stands in for dcm2niix; who started it is killed."""
    program = "\n".join(
        (
            "import sys; from crawler.export.nifti import _run, Limits",
            "_run([sys.executable, '-c', 'import os, sys, time; '",
            "      'open(sys.argv[1], chr(119)).write(str(os.getpid())); time.sleep(600)', sys.argv[1]], Limits())",
        )
    )
    said = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", program, str(said)], env={"PYTHONPATH": os.pathsep.join(sys.path)})
    while not said.exists() or not said.read_text():
        time.sleep(0.01)
    child = int(said.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while _lives(child):
        time.sleep(0.01)


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_without_dcm2niix_the_line_to_type_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dcm2niix", None)
    with pytest.raises(UserError, match=r"NIfTI files need dcm2niix; type: pip install 'pacslake\[images\]'"):
        made_of(tmp_path, Phantom())
