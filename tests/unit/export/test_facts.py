"""What a dataset says of its files."""

from __future__ import annotations

import warnings
from datetime import date, time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from crawler.export.facts import FACTS, FILES, facts_of


def read(name: str) -> Dataset:
    return dcmread(str(get_testdata_file(name)))


def test_a_ct_slice() -> None:
    facts = facts_of(read("CT_small.dcm"))
    told = {name: facts[name] for name in ("Modality", "StudyDate", "KVP", "SliceThickness", "age", "InstanceNumber")}
    assert told == {
        "Modality": "CT",
        "StudyDate": date(2004, 1, 19),
        "KVP": 120.0,
        "SliceThickness": 5.0,
        "age": 0.0,
        "InstanceNumber": 1,
    }
    assert facts["AcquisitionTime"] == time(11, 29, 36)
    assert facts["PixelSpacing"] == [0.661468, 0.661468]
    assert facts["ImagePositionPatient"] == [-158.135803, -179.035797, -75.699997]
    assert facts["transfer_syntax"] == "1.2.840.10008.1.2.1"
    assert facts["ImageType"] == ["ORIGINAL", "PRIMARY", "AXIAL"]


def test_every_column_is_there_whatever_the_file() -> None:
    with warnings.catch_warnings(action="ignore"):  # pydicom has a word on most of these files
        paths = Path(str(get_testdata_file("CT_small.dcm"))).parent.glob("*.dcm")
        rows = [{"path": path.name, **facts_of(dcmread(path, force=True, stop_before_pixels=True))} for path in paths]
    assert len(rows) > 70
    table = pa.Table.from_pylist(rows, FILES)
    assert {name for row in rows for name in row} == set(FILES.names)
    assert table["Modality"].null_count < len(table) / 2


def test_an_enhanced_object_keeps_its_geometry_deeper() -> None:
    facts = facts_of(read("liver_1frame.dcm"))
    assert facts["ImagePositionPatient"] == [-235.2, -226.8, -128.69]
    assert facts["ImageOrientationPatient"] == [1, 0, 0, 0, 1, 0]
    assert facts["SliceThickness"] is not None


@pytest.mark.parametrize(("text", "years"), [("045Y", 45.0), ("006M", 0.5), ("010D", 0.03), ("", None), ("45", None)])
def test_ages_are_years(text: str, years: float | None) -> None:
    dataset = Dataset()
    with warnings.catch_warnings(action="ignore"):
        dataset.PatientAge = text
    assert facts_of(dataset)["age"] == years


def test_what_is_malformed_is_null() -> None:
    dataset: Any = Dataset()
    with warnings.catch_warnings(action="ignore"):
        for keyword, value in {"StudyDate": "20041399", "Modality": "  ", "ImageType": ""}.items():
            setattr(dataset, keyword, value)
        dataset.AcquisitionTime = "9x"
        facts = facts_of(dataset)
    assert {name for name, value in facts.items() if value is not None} == set()


def test_frames_share_what_a_functional_group_says() -> None:
    measures: Any = Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.5], 2.0
    shared: Any = Dataset()
    shared.PixelMeasuresSequence = Sequence([measures])
    enhanced: Any = Dataset()
    enhanced.SharedFunctionalGroupsSequence = Sequence([shared])
    facts = facts_of(enhanced)
    assert (facts["PixelSpacing"], facts["SliceThickness"]) == ([0.5, 0.5], 2.0)
    assert set(facts) == set(FACTS.names)
