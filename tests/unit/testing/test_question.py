"""How a simulated PACS reads a C-FIND identifier."""

from __future__ import annotations

import contextlib

import pytest

from crawler.model import Level, Model
from crawler.pacs.identifier import encode_identifier
from crawler.testing.question import BadQuestionError, Question, read_question

STUDY_UID = (0x0020000D, "UI", b"1.2.3")


def asked(*elements: tuple[int, str, bytes], level: str = "STUDY", explicit_vr: bool = False) -> Question:
    encoded = encode_identifier([(0x00080052, "CS", level.encode()), *elements], explicit_vr=explicit_vr)
    return read_question(encoded, explicit_vr=explicit_vr, model=Model.STUDY_ROOT)


@pytest.mark.parametrize("explicit_vr", [False, True])
def test_keys_with_values_match_and_the_others_return(explicit_vr: bool) -> None:
    question = asked((0x00080020, "DA", b"20240101-"), (0x00100010, "PN", b""), explicit_vr=explicit_vr)
    assert question.level is Level.STUDY
    assert question.keys == {"StudyDate": "20240101-"}
    assert question.tags == (0x00080005, 0x00080020, 0x00080054, 0x00100010)
    assert not question.is_partly_unsupported


def test_a_key_that_the_level_does_not_know_is_left_out_and_told() -> None:
    question = asked((0x00180015, "CS", b""))
    assert question.tags == (0x00080005, 0x00080054)
    assert question.is_partly_unsupported


def test_a_sequence_is_read_over() -> None:
    item = bytes.fromhex("feff00e0ffffffff feff0de000000000 feffdde000000000")
    sequence = bytes.fromhex("08001011 ffffffff") + item
    encoded = encode_identifier([(0x00080052, "CS", b"STUDY")]) + sequence + encode_identifier([STUDY_UID])
    question = read_question(encoded, explicit_vr=False, model=Model.STUDY_ROOT)
    assert question.keys == {"StudyInstanceUID": "1.2.3"}
    assert question.is_partly_unsupported


def test_matching_text_is_decoded_by_its_character_set() -> None:
    latin = asked((0x00080005, "CS", b"ISO_IR 100"), (0x00100010, "PN", "Müller*".encode("latin-1")))
    utf8 = asked((0x00080005, "CS", b"ISO_IR 192"), (0x00100010, "PN", "Müller*".encode()))
    greek = asked((0x00080005, "CS", b"ISO_IR 126"), (0x00100010, "PN", "Θάλεια".encode("iso8859_7")))
    assert latin.keys["PatientName"] == utf8.keys["PatientName"] == "Müller*"
    assert greek.keys["PatientName"] == "Θάλεια"


@pytest.mark.parametrize("level", ["SERIES", "IMAGE", "PATIENT", "FRAME", ""])
def test_what_is_not_hierarchical_is_refused(level: str) -> None:
    with pytest.raises(BadQuestionError):
        asked(level=level)


def test_patient_root_wants_the_patient_first() -> None:
    encoded = encode_identifier([(0x00080052, "CS", b"STUDY"), (0x00100020, "LO", b"")])
    with pytest.raises(BadQuestionError, match="PatientID"):
        read_question(encoded, explicit_vr=False, model=Model.PATIENT_ROOT)


@pytest.mark.parametrize("cut", range(1, 24))
def test_a_cut_identifier_is_refused_or_read_but_never_raises_anything_else(cut: int) -> None:
    encoded = encode_identifier([(0x00080052, "CS", b"SERIES"), STUDY_UID])
    with contextlib.suppress(BadQuestionError):
        read_question(encoded[:-cut], explicit_vr=False, model=Model.STUDY_ROOT)
