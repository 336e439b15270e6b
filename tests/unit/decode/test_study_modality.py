"""PACS that answer Modality at STUDY level instead of ModalitiesInStudy."""

from __future__ import annotations

import pytest

from crawler.decode.decode import decode
from crawler.model import Identifiers, Level
from crawler.pacs.identifier import encode_identifier

MODALITY, MODALITIES = 0x00080060, 0x00080061
UID = (0x0020000D, "UI", b"1.2")


@pytest.mark.parametrize("explicit_vr", [False, True])
def test_modality_stands_for_modalities_in_study(explicit_vr: bool) -> None:
    rows = [[(MODALITY, "CS", b"CT\\SR"), UID], [(MODALITY, "CS", b"MR"), (MODALITIES, "CS", b"MR\\PR"), UID], [UID]]
    batch = Identifiers.of([encode_identifier(row, explicit_vr=explicit_vr) for row in rows], explicit_vr=explicit_vr)
    told = decode(batch, Level.STUDY, study_modality=True)
    assert told["ModalitiesInStudy"].to_pylist() == [["CT", "SR"], ["MR"], None]
    assert told["StudyInstanceUID"].to_pylist() == ["1.2"] * 3
    usual = decode(batch, Level.STUDY)
    assert usual["ModalitiesInStudy"].to_pylist() == [None, ["MR", "PR"], None]
    assert told.schema == usual.schema
    series = decode(batch, Level.SERIES, study_modality=True)
    assert series["Modality"].to_pylist()[1] == "MR"
