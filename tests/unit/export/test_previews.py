"""Pictures of images: what a person must be able to see is there, and what cannot be shown is said."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.data import get_testdata_file

from crawler.errors import UserError
from crawler.export.previews import contact_sheet, write_previews
from tests.unit.export.phantom import Phantom, facts_below, write_all

TILE, LABEL, GAP = 320, 22, 8


def example(name: str) -> Path:
    return Path(str(get_testdata_file(name)))


def tile(sheet: Path, at: int) -> Any:
    left, top = GAP + at % 4 * (TILE + GAP), GAP + at // 4 * (TILE + LABEL + GAP)
    with Image.open(sheet) as image:
        return np.asarray(image.convert("L"))[top : top + TILE, left : left + TILE]


def label(sheet: Path, at: int) -> Any:
    left, top = GAP + at % 4 * (TILE + GAP), GAP + at // 4 * (TILE + LABEL + GAP) + TILE
    with Image.open(sheet) as image:
        return np.asarray(image.convert("L"))[top : top + LABEL, left : left + TILE]


def test_compressed_and_plain_files_and_some_frames_of_a_film(tmp_path: Path) -> None:
    names = ["MR_small.dcm", "MR_small_RLE.dcm", "MR_small_jpeg_ls_lossless.dcm", "examples_ybr_color.dcm"]
    [sheet] = contact_sheet([example(name) for name in names], ["1", "2", "3", "4"], tmp_path / "sheet.png")
    with Image.open(sheet) as image:
        assert image.size == (4 * (TILE + GAP) + GAP, 2 * (TILE + LABEL + GAP) + GAP)  # one of the films has 4 tiles
    for at in (1, 2):
        assert np.array_equal(tile(sheet, 0), tile(sheet, at))
    assert tile(sheet, 6).std() > 10
    assert tile(sheet, 7).std() == 0, "nothing stands where there is no file"
    assert all(label(sheet, at).min() < 100 for at in range(7))


def test_what_cannot_be_shown_gets_a_tile_too(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.dcm"
    garbage.write_bytes(b"no DICOM at all")
    files = [example("test-SR.dcm"), garbage, example("CT_small.dcm"), tmp_path / "not there"]
    [sheet] = contact_sheet(files, ["a", "b", "c", "d"], tmp_path / "sheet.png")
    empty = [np.median(tile(sheet, at)) > 220 and tile(sheet, at).min() < 100 for at in range(4)]
    assert empty == [True, True, False, True]


def test_text_is_seen_although_the_files_window_hides_it(tmp_path: Path) -> None:
    path = example("CT_small.dcm")
    dataset = dcmread(path)
    pixels = dataset.pixel_array.copy()
    pixels[20:40, 20:100] = 1900
    dataset.PixelData = pixels.tobytes()
    dataset.WindowCenter, dataset.WindowWidth = -900, 10
    dataset.save_as(tmp_path / "hidden.dcm")
    [sheet] = contact_sheet([tmp_path / "hidden.dcm"], ["1"], tmp_path / "sheet.png")
    shown = tile(sheet, 0)
    assert shown[60:90, 60:240].mean() > shown[200:300, 100:200].mean() + 50


def test_more_than_a_sheet_holds_goes_to_further_sheets(tmp_path: Path) -> None:
    files = [example("MR_small.dcm")] * 25
    sheets = contact_sheet(files, [f"{at}" for at in range(25)], tmp_path / "sheet.png")
    assert [sheet.name for sheet in sheets] == ["sheet.png", "sheet-2.png"]
    assert contact_sheet(files[:1], ["again"], tmp_path / "sheet.png") == sheets[:1]
    assert contact_sheet([], [], tmp_path / "none.png") == []


def test_dark_is_light_where_a_file_says_so(tmp_path: Path) -> None:
    dataset = dcmread(example("CT_small.dcm"))
    dataset.PhotometricInterpretation = "MONOCHROME1"
    dataset.save_as(tmp_path / "inverted.dcm")
    [sheet] = contact_sheet([example("CT_small.dcm"), tmp_path / "inverted.dcm"], ["1", "2"], tmp_path / "sheet.png")
    assert np.allclose(tile(sheet, 0), 255 - tile(sheet, 1).astype(int), atol=1)


def test_a_preview_of_each_series(tmp_path: Path) -> None:
    write_all(tmp_path, Phantom(), Phantom(uid="2.25.12", number=2))
    report = dcmread(example("test-SR.dcm"))
    report.PatientID, report.SeriesNumber = "P8", 3
    report.save_as(tmp_path / "report.dcm")
    made = write_previews(tmp_path, facts_below(tmp_path), tmp_path / "previews")
    assert [one.files for one in made[:2]] == [("P7K3QX/2.25.1/1_CT.png",), ("P7K3QX/2.25.1/2_CT.png",)]
    assert made[2].files == ()
    assert made[2].reason == "no image, or its encoding is not known"
    with Image.open(tmp_path / "previews" / made[0].files[0]) as image:
        assert image.size == (10, 5), "pixels are square: rows lie 0.75 mm apart, columns 1.25 mm"
        shown = np.asarray(image)
    assert shown[-1, -1] > 230
    assert shown[0, 0] < 25


@pytest.mark.parametrize(("module", "name"), [("SimpleITK", "SimpleITK"), ("PIL.Image", "PIL")])
def test_without_the_libraries_the_line_to_type_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"images need {name}; type: pip install 'pacslake\[images\]'"):
        contact_sheet([example("CT_small.dcm")], ["1"], tmp_path / "sheet.png")
