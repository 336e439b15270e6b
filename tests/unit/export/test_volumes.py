"""One volume for each series: known voxels at known places, and a reason where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedCTImageStorage

from crawler.errors import UserError
from crawler.export.volumes import write_volumes
from tests.unit.export.phantom import OBLIQUE, Phantom, facts_below, write_all


def truth(phantom: Phantom) -> Any:
    return np.stack([phantom.voxels(at) for at in phantom.slices]) - 1024


def item(keyword: str, value: Any) -> Sequence:
    made = Dataset()
    setattr(made, keyword, value)
    return Sequence([made])


def enhanced(folder: Path, phantom: Phantom) -> None:
    """Write a series as one object of several frames."""
    slices = {dataset.InstanceNumber: dataset for dataset in phantom.datasets()}
    made: FileDataset = slices[1]
    made.SOPClassUID, made.NumberOfFrames = EnhancedCTImageStorage, len(phantom.slices)
    made.PixelData = b"".join(slices[at + 1].PixelData for at in range(len(phantom.slices)))
    shared = Dataset()
    shared.PlaneOrientationSequence = item("ImageOrientationPatient", made.ImageOrientationPatient)
    shared.PixelMeasuresSequence = item("PixelSpacing", made.PixelSpacing)
    shared.PixelMeasuresSequence[0].SliceThickness = made.SliceThickness
    shared.PixelValueTransformationSequence = item("RescaleSlope", 1)
    shared.PixelValueTransformationSequence[0].RescaleIntercept = -1024
    made.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = [Dataset() for _ in phantom.slices]
    for frame, at in zip(frames, phantom.slices, strict=True):
        frame.PlanePositionSequence = item("ImagePositionPatient", phantom.place(at))
    made.PerFrameFunctionalGroupsSequence = Sequence(frames)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(made, keyword)
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        delattr(made, keyword)
    made.save_as(folder / f"{phantom.uid}.dcm", enforce_file_format=True)


@pytest.mark.parametrize("ending", [".nii.gz", ".mha", ".nrrd"])
def test_known_voxels_at_known_places(tmp_path: Path, ending: str) -> None:
    phantom = Phantom(orientation=OBLIQUE)
    table = write_all(tmp_path, phantom)
    [made] = write_volumes(tmp_path, table, tmp_path / "out", ending)
    assert made.files == (f"P7K3QX/20190430_2.25.1/1_CT{ending}",)
    file = tmp_path / "out" / made.files[0]
    image: Any = sitk.ReadImage(str(file))
    assert np.array_equal(sitk.GetArrayFromImage(image), truth(phantom))
    for at in phantom.slices:
        assert image.TransformIndexToPhysicalPoint((0, 0, at)) == pytest.approx(tuple(phantom.place(at)), abs=1e-4)
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"P7K3QX" not in file.read_bytes(), "no attribute of the files comes along"
    assert [one.name for one in file.parent.iterdir()] == [file.name]


def test_frames_of_one_object_are_a_volume_where_they_lie_like_one(tmp_path: Path) -> None:
    whole, gap = Phantom(), Phantom(uid="2.25.12", number=2, slices=(0, 1, 3, 4))
    enhanced(tmp_path, whole)
    enhanced(tmp_path, gap)
    made = write_volumes(tmp_path, facts_below(tmp_path), tmp_path / "out", ".mha")
    image: Any = sitk.ReadImage(str(tmp_path / "out" / made[0].files[0]))
    assert np.array_equal(sitk.GetArrayFromImage(image), truth(whole))
    assert image.GetSpacing() == pytest.approx((1.25, 0.75, 2.5))
    assert made[1].files == ()
    assert made[1].reason is not None
    assert made[1].reason.startswith("slices are missing or unevenly spaced")


@pytest.mark.parametrize(
    ("phantom", "said"),
    [
        (Phantom(slices=(0, 1, 2, 4, 5)), "slices are missing or unevenly spaced: 1 of 4 distances"),
        (Phantom(slices=(0, 1, 2, 2, 3)), "1 slices lie where another one lies"),
        (Phantom(modality="MR", times=3), "12 slices lie where another one lies"),
        (Phantom(slices=(0,)), "a single image is no volume"),
        (Phantom(more={"ImagePositionPatient": None}), "the files do not say where their images lie"),
        (Phantom(more={"PhotometricInterpretation": "MONOCHROME1"}), "its values grow from light to dark"),
    ],
)
def test_what_is_no_volume_is_refused_with_the_reason(tmp_path: Path, phantom: Phantom, said: str) -> None:
    [made] = write_volumes(tmp_path, write_all(tmp_path, phantom), tmp_path / "out")
    assert made.files == ()
    assert made.reason is not None
    assert made.reason.startswith(said)
    assert not list(tmp_path.rglob("*.nii.gz"))


def test_another_ending_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^volumes are written as \.nii\.gz, \.mha, \.nrrd$"):
        write_volumes(tmp_path, write_all(tmp_path, Phantom()), tmp_path / "out", ".dcm")
