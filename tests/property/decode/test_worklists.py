"""Items of a worklist: values that lie in sequences, the sequences themselves, and whatever bytes else come."""

from __future__ import annotations

import json
from datetime import date
from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomIO
from pydicom.filewriter import write_dataset

from crawler.columns import schema
from crawler.decode.decode import decode
from crawler.model import Identifiers, Level
from tests.integration.worklists import Entry

ENTRY = Entry(7, date(2024, 2, 29), name="Щукин^Юрий", description="Thorax")


def encoded(dataset: Dataset, *, explicit_vr: bool = False) -> bytes:
    buffer = BytesIO()
    stream = DicomIO(buffer)
    stream.is_implicit_VR, stream.is_little_endian = not explicit_vr, True
    write_dataset(stream, dataset)
    return buffer.getvalue()


def cyrillic(undefined: bool) -> Dataset:
    item = ENTRY.dataset()
    item.SpecificCharacterSet = "ISO_IR 144"
    item.RequestedProcedureCodeSequence[0].CodeMeaning = "Грудь"
    for element in item:
        if element.VR == "SQ":
            element.is_undefined_length = undefined
    return item


@given(st.booleans(), st.booleans())
def test_every_encoding_gives_the_same_row(explicit_vr: bool, undefined: bool) -> None:
    plain = decode(Identifiers.of([encoded(cyrillic(False))]), Level.WORKLIST)
    batch = Identifiers.of([encoded(cyrillic(undefined), explicit_vr=explicit_vr)], explicit_vr=explicit_vr)
    [row] = decode(batch, Level.WORKLIST).to_pylist()
    [same] = plain.to_pylist()
    assert {**row, "raw": None} == {**same, "raw": None}
    assert row["worklist_item"] == ENTRY.key
    assert (row["PatientName"], row["RequestedProcedureCodeSequence_CodeMeaning"]) == (ENTRY.name, ["Грудь"])
    assert (row["Modality"], row["ScheduledProcedureStepStartDate"]) == ("CT", ENTRY.day)
    assert not row["faults"]
    for keyword in ("RequestedProcedureCodeSequence", "ScheduledProcedureStepSequence"):
        assert json.loads(row[keyword]) == [one.to_json_dict() for one in cyrillic(False)[keyword].value]


@given(st.data())
def test_any_bytes_give_a_row(data: st.DataObject) -> None:
    whole = bytearray(encoded(cyrillic(data.draw(st.booleans()))))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4)):
        whole[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    table = decode(Identifiers.of([bytes(whole), bytes(whole[:cut])]), Level.WORKLIST)
    assert table.schema == schema(Level.WORKLIST)
    assert table.num_rows == 2
    for row in table.to_pylist():
        told = row["ScheduledProcedureStepSequence"]
        assert told is None or isinstance(json.loads(told), list)


def test_sequences_in_sequences_end_somewhere() -> None:
    deep = b""
    for _ in range(5000):
        item = b"\xfe\xff\x00\xe0" + len(deep).to_bytes(4, "little") + deep
        deep = b"\x40\x00\x00\x01" + len(item).to_bytes(4, "little") + item
    [row] = decode(Identifiers.of([deep]), Level.WORKLIST).to_pylist()
    assert row["ScheduledProcedureStepSequence"] is None
    assert {"tag": "00400100", "reason": "unreadable sequence"} in row["faults"]


def test_without_a_step_the_study_alone_is_the_key_and_without_a_study_there_is_none() -> None:
    item, nameless = cyrillic(False), cyrillic(False)
    del item.ScheduledProcedureStepSequence
    nameless.StudyInstanceUID = ""
    table = decode(Identifiers.of([encoded(item), encoded(nameless)]), Level.WORKLIST)
    assert table["worklist_item"].to_pylist() == [f"{ENTRY.uid} ", None]
    assert table["ScheduledProcedureStepStartDate"].to_pylist() == [None, ENTRY.day]
