"""The walk finds what pydicom finds, in every file that pydicom ships to test readers of DICOM."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from crawler.deid.walk import Holds, inflated, is_dicom, values, where

ITEM = b"\xfe\xff\x00\xe0"
ROWS = 0x0028_0010


FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def values_of(dataset: Dataset) -> list[tuple[int, bytes]]:
    """Give the values of a dataset at all depths as bytes, as pydicom has them before it reads them."""
    found = []
    for tag in list(dataset.keys()):
        element: Any = dataset.get_item(tag)
        if isinstance(element, RawDataElement) and dataset[tag].VR != "SQ":
            found.append((int(tag), element.value or b""))
        elif dataset[tag].VR == "SQ":
            found += [value for item in dataset[tag].value for value in values_of(item)]
    return found


def whole_files() -> list[Path]:
    """Give those that are whole DICOM files, and that pydicom reads without complaint."""
    whole = []
    for path in sorted(FILES.rglob("*.dcm")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                if is_dicom(path.read_bytes()) and path.stat().st_size < 300_000 and "truncated" not in path.name:
                    values_of(pydicom.dcmread(path))
                    whole.append(path)
            except Exception:  # pydicom's complaints are of many kinds
                continue
    return whole


@pytest.mark.parametrize("path", whole_files(), ids=lambda path: path.name)
def test_every_value_that_pydicom_reads_is_found(path: Path) -> None:
    data, found = values(path.read_bytes())
    held = {(tag, data[start:end]) for start, end, tag, _ in found}
    read = [one for one in values_of(pydicom.dcmread(path)) if one[0] >> 16 != 0x7FE0]
    lost = [hex(tag) for tag, value in read if (tag, value) not in held and not value.startswith(ITEM)]
    assert lost == []


def test_nothing_is_passed_over() -> None:
    data = (FILES / "CT_small.dcm").read_bytes() + b"rest"
    _, found = values(data)
    assert found[0] == (0, 128, 0, Holds.BYTES)
    assert found[-1] == (len(data) - 4, len(data), 0, Holds.BYTES)
    assert where(found[0]) == "the preamble"
    assert where(found[-1]) == "bytes that belong to no element"
    assert where(next(value for value in found if value[2] == ROWS)) == "Rows (0028,0010)"
    assert where((500, 502, 0x0029_1010, Holds.BYTES)) == "(0029,1010)"


def test_what_does_not_inflate_is_said() -> None:
    with pytest.raises(ValueError, match="does not inflate"):
        inflated(b"\x1f\x8bnothing")
