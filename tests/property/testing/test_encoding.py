"""Encoded identifiers say what the archive's tables say, by pydicom and by our own decoder."""

from __future__ import annotations

from datetime import date
from io import BytesIO

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.filereader import read_dataset

from crawler.columns import CATALOGUE
from crawler.decode.decode import decode
from crawler.model import HIERARCHY, Identifiers, Level
from crawler.pacs import framing
from crawler.pacs.pending import frame_responses
from crawler.testing.archive import Archive
from crawler.testing.encoding import encode

ARCHIVE = Archive(1500, date(2024, 2, 26), date(2024, 3, 3), undated=3)
DAY = date(2024, 3, 2)


def truth(level: Level) -> pa.Table:
    table = ARCHIVE.table(level) if level in (Level.PATIENT, Level.STUDY) else ARCHIVE.table(level, DAY, DAY)
    return table.slice(0, 4000).combine_chunks()


def encoded(table: pa.Table, level: Level, explicit_vr: bool) -> pa.Array:
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    return encode(columns, CATALOGUE[level], explicit_vr)


@pytest.mark.parametrize("explicit_vr", [False, True])
@pytest.mark.parametrize("level", HIERARCHY)
def test_decoding_gives_the_truth_without_a_fault(level: Level, explicit_vr: bool) -> None:
    table = truth(level)
    batch = Identifiers.of(encoded(table, level, explicit_vr).to_pylist(), explicit_vr=explicit_vr)
    decoded = decode(batch, level)
    assert decoded["faults"].null_count + sum(not row for row in decoded["faults"].to_pylist()) >= table.num_rows
    for name in table.column_names:
        assert decoded[name].to_pylist() == table[name].to_pylist(), name


@pytest.mark.parametrize("explicit_vr", [False, True])
def test_pydicom_reads_the_same(explicit_vr: bool) -> None:
    table = truth(Level.STUDY)
    for row, data in zip(table.to_pylist(), encoded(table, Level.STUDY, explicit_vr).to_pylist(), strict=True):
        dataset = read_dataset(BytesIO(data), not explicit_vr, True)
        assert str(dataset.PatientName) == row["PatientName"]
        assert dataset.StudyDescription == row["StudyDescription"]
        assert dataset.StudyInstanceUID == row["StudyInstanceUID"]
        assert dataset.NumberOfStudyRelatedInstances == row["NumberOfStudyRelatedInstances"]
        assert dataset.StudyDate == ("" if row["StudyDate"] is None else f"{row['StudyDate']:%Y%m%d}")
        assert float(f"{row['StudyTime']:%H%M%S.%f}") == float(dataset.StudyTime)
        assert len(data) % 2 == 0


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=40), max_size=60), st.sampled_from([0, 16, 30, 46, 47, 16384]), st.integers(0, 30))
def test_bulk_framing_equals_framing_one_by_one(identifiers: list[bytes], max_pdu: int, skip: int) -> None:
    command = b"\0\0\2\0 a command set"
    array = pa.array(identifiers, pa.binary()).slice(skip)
    one_by_one = framing.frame_messages(3, command, identifiers[skip:], max_pdu)
    assert frame_responses(3, command, array, max_pdu) == one_by_one
