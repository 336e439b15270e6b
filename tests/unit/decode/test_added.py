"""Attributes that a user adds: what is asked, and what becomes of the answers, in both encodings."""

from __future__ import annotations

import io
import struct
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from crawler.attributes import Told, resolve, with_blocks
from crawler.columns import Attribute, Phi, schema
from crawler.decode import decode
from crawler.model import Identifiers, Level, Model
from crawler.pacs.identifier import Query
from crawler.pacs.profile import Profile, attributes

LEVEL = Level.SERIES
ADDED = with_blocks(
    (LEVEL, resolve(told, LEVEL))
    for told in (
        Told("PatientAge"),
        Told("0018,0022", name="Options"),
        Told("PixelSpacing"),
        Told("0028,3002", vr="US"),
        Told("PerformedProcedureStepStartDate"),
        Told("OperatorsName"),
        Told("RequestAttributesSequence.ScheduledProcedureStepID"),
        Told("RequestAttributesSequence.ScheduledProcedureStepStartDate"),
        Told("RequestAttributesSequence.ScheduledProtocolCodeSequence.CodeValue", name="protocol_code"),
        Told("0019,xx23", name="table_speed", creator="GEMS_ACQU_01", vr="DS"),
        Told("0019,xx23", name="b_value", creator="SIEMENS MR HEADER", vr="IS"),
    )
)
KEYS: tuple[Attribute, ...] = tuple(key for _, key in ADDED)
BOTH = pytest.mark.parametrize("explicit_vr", [False, True], ids=["implicit", "explicit"])


def encoded(dataset: Dataset, explicit_vr: bool) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, not explicit_vr
    write_dataset(stream, dataset)
    return stream.getvalue().replace(b"20240129", b"20240199")


def answer(block: int = 0x10, other: int = 0x11) -> Dataset:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SeriesInstanceUID = "1.2.3"
    dataset.PatientAge = "042Y"
    dataset.ScanOptions = ["FS", "PFF"]
    dataset.PixelSpacing = [0.5, 0.75]
    dataset.LUTDescriptor = [256, 0, 16]
    dataset.PerformedProcedureStepStartDate = "20240131"
    dataset.OperatorsName = ["Roe^Änne", "Doe^Jim"]
    code = Dataset()
    code.CodeValue = "CTCHEST"
    first, second = Dataset(), Dataset()
    first.ScheduledProcedureStepID, first.ScheduledProcedureStepStartDate = "Stück 1", "20240130"
    first.ScheduledProtocolCodeSequence = [code]
    second.ScheduledProcedureStepStartDate = "20240129"  # `encoded` breaks it: pydicom would not
    dataset.RequestAttributesSequence = [first, second]
    for creator, place, vr, value in (("GEMS_ACQU_01", block, "DS", "1.5"), ("SIEMENS MR HEADER", other, "IS", "1000")):
        dataset.add_new((0x0019, place), "LO", creator)
        dataset.add_new((0x0019, place << 8 | 0x23), vr, value)
    return dataset


EXPECTED: dict[str, Any] = {
    "PatientAge": "042Y",
    "Options": ["FS", "PFF"],
    "PixelSpacing": [0.5, 0.75],
    "LUTDescriptor": [256, 0, 16],
    "PerformedProcedureStepStartDate": date(2024, 1, 31),
    "OperatorsName": ["Roe^Änne", "Doe^Jim"],
    "RequestAttributesSequence_ScheduledProcedureStepID": ["Stück 1", None],
    "RequestAttributesSequence_ScheduledProcedureStepStartDate": [date(2024, 1, 30), None],
    "protocol_code": ["CTCHEST", None],
    "table_speed": 1.5,
    "b_value": 1000,
}


def row_of(data: bytes, explicit_vr: bool) -> dict[str, Any]:
    table = decode(Identifiers.of([data], explicit_vr=explicit_vr), LEVEL, added=KEYS)
    assert table.schema == schema(LEVEL, KEYS)
    (row,) = table.to_pylist()
    return {**row}


@BOTH
@pytest.mark.parametrize(("block", "other"), [(0x10, 0x11), (0x11, 0x10), (0x42, 0x10), (0x10, 0xFE)])
def test_added_columns_are_typed_wherever_a_private_block_lies(explicit_vr: bool, block: int, other: int) -> None:
    row = row_of(encoded(answer(block, other), explicit_vr), explicit_vr)
    assert {name: row[name] for name in EXPECTED} == EXPECTED
    assert (row["SeriesInstanceUID"], row["BodyPartExamined"]) == ("1.2.3", None)
    assert {"tag": "00400275.00400002", "reason": "malformed DA"} in row["faults"]
    assert {"tag": "00400275.00400002", "value": b"20240199"} in row["raw"]
    assert {"tag": "00400275.00400009", "value": "Stück 1 ".encode("latin-1")} in row["raw"]


@BOTH
def test_absent_is_null_empty_is_an_empty_list_and_a_foreign_private_value_is_nobodys(explicit_vr: bool) -> None:
    dataset = Dataset()
    dataset.PixelSpacing = None
    dataset.RequestAttributesSequence = []
    dataset.add_new((0x0019, 0x10), "LO", "SOMEBODY ELSE")
    dataset.add_new((0x0019, 0x1023), "DS", "1.5")
    row = row_of(encoded(dataset, explicit_vr), explicit_vr)
    assert (row["PixelSpacing"], row["RequestAttributesSequence_ScheduledProcedureStepID"]) == ([], [])
    assert (row["PatientAge"], row["LUTDescriptor"], row["table_speed"], row["b_value"]) == (None, None, None, None)


def test_a_private_value_without_its_creator_is_nobodys() -> None:
    assert row_of(struct.pack("<HHL", 0x0019, 0x1023, 4) + b"1.5 ", False)["table_speed"] is None


@BOTH
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_bytes_in_any_place_give_a_row(explicit_vr: bool, data: st.DataObject) -> None:
    whole = bytearray(encoded(answer(data.draw(st.sampled_from([0x10, 0x33]))), explicit_vr))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
        whole[place] = data.draw(st.integers(0, 255))
    broken = bytes(whole)[: data.draw(st.integers(0, len(whole)))]
    row_of(broken, explicit_vr)
    batch = Identifiers.of([broken, encoded(answer(), explicit_vr)], explicit_vr=explicit_vr)
    last = decode(batch, LEVEL, added=KEYS).to_pylist()[1]
    assert {name: last[name] for name in EXPECTED} == EXPECTED


@BOTH
def test_the_question_holds_each_key_once_with_items_and_creators(explicit_vr: bool) -> None:
    wanted = attributes(Profile(added=ADDED), LEVEL)
    query = Query.below(Model.STUDY_ROOT, LEVEL, {"StudyInstanceUID": "1.2"}, wanted).encode(explicit_vr=explicit_vr)
    asked = read_dataset(io.BytesIO(query), is_implicit_VR=not explicit_vr, is_little_endian=True)
    tags = [int(element.tag) for element in asked]
    assert tags == sorted(tags)
    assert (asked[0x0019, 0x10].value, asked[0x0019, 0x11].value) == ("GEMS_ACQU_01", "SIEMENS MR HEADER")
    assert {0x00101010, 0x00191023, 0x00191123, 0x00180022} < set(tags)
    (item,) = asked.RequestAttributesSequence
    assert [element.keyword for element in item] == [
        "ScheduledProcedureStepStartDate",
        "ScheduledProtocolCodeSequence",
        "ScheduledProcedureStepID",
    ]
    assert [element.keyword for element in item.ScheduledProtocolCodeSequence[0]] == ["CodeValue"]


def test_without_additions_nothing_changes() -> None:
    assert attributes(Profile(), LEVEL) is None
    assert attributes(Profile(added=ADDED), Level.STUDY) is None


def test_what_is_unknown_of_a_private_attribute_counts_as_identifying() -> None:
    phi = {key.keyword: key.phi for key in KEYS}
    assert (phi["table_speed"], phi["OperatorsName"], phi["PixelSpacing"]) == (Phi.DIRECT, Phi.DIRECT, Phi.QUASI)
