"""What is written is what pydicom writes, byte by byte, for every kind of file."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path

import pydicom.data
import pytest
from pydicom import FileDataset, dcmread
from pydicom.dataelem import RawDataElement

from crawler.deid.engine import Engine
from crawler.deid.pseudonyms import Pseudonyms
from crawler.deid.recipe import read_recipe
from crawler.deid.writing import apart, file_of

NAMES = Pseudonyms(bytes(32))
NOT_WRITTEN = ("rtplan_truncated", "SC_rgb_jpeg.dcm")
"""Cut off; and pydicom cannot write it."""
FOLDER = Path(pydicom.data.__file__).parent / "test_files"
SAMPLES = sorted(path for path in FOLDER.glob("*.dcm") if not any(name in path.name for name in NOT_WRITTEN))


def read(path: Path) -> FileDataset:
    return dcmread(BytesIO(path.read_bytes()), force=True)


def by_pydicom(dataset: FileDataset) -> bytes:
    written = BytesIO()
    dataset.save_as(written)
    return written.getvalue()


@pytest.mark.parametrize("recipe", ["basic", "research"])
def test_files_are_written_as_pydicom_writes_them(recipe: str) -> None:
    engine, compared = Engine(read_recipe(recipe), NAMES), 0
    for path in SAMPLES:
        with warnings.catch_warnings(action="ignore"):
            one, other = read(path), read(path)
            if "SOPClassUID" not in one:
                continue
            engine.apply(one, "4711")
            engine.apply(other, "4711")
            assert file_of(one) == by_pydicom(other), path
            compared += 1
    assert compared > 50


def test_what_is_read_apart_leaves_the_bytes_as_they_were() -> None:
    dataset = read(FOLDER / "CT_small.dcm")
    header = apart(dataset)
    assert header.Modality == "CT"
    assert isinstance(dataset.get_item("Modality"), RawDataElement)
    assert not isinstance(header.get_item("Modality"), RawDataElement)
