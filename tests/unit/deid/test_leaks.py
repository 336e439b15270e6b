"""What is found, what is not meant, and what is told of it."""

from __future__ import annotations

import zlib
from datetime import date
from random import Random

import pytest

from crawler.deid.identifiers import CheckRules, Identifiers, Known
from crawler.deid.leaks import UNSEARCHABLE, Leak, search
from tests.property.deid.hiding import BIG, CLEAN, DEFLATED, EXPLICIT, IMPLICIT, dicom

ROW = {
    "PatientName": "Müller-Lang^Anna^M.^Dr.",
    "PatientID": "0012345",
    "PatientBirthDate": date(1970, 12, 31),
    "AccessionNumber": "A-2024-17",
    "StudyID": "17",
    "StudyDate": date(2024, 1, 31),
    "ReferringPhysicianName": "O'Brien^Pat",
    "InstitutionName": "St. Mary's Hospital",
    "StationName": "CT1",
    "StudyInstanceUID": "1.2.840.113619.2.55.3.1",
    "PatientSex": "F",
    "StudyDescription": "Thorax",
}
KNOWN = Identifiers.of([ROW], shift=-100)


def in_comments(text: str) -> bytes:
    return dicom([*CLEAN, (0x0010_4000, "LT", text.encode())], EXPLICIT)


def found(data: bytes, identifiers: Identifiers = KNOWN) -> set[str]:
    return {leak.kind for leak in search(data, identifiers)}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("report on Mrs Mueller", Known.NAME),
        ("MULLERS", Known.NAME),
        ("lang", Known.NAME),
        ("anna1970", Known.NAME),
        ("LANG_A", Known.NAME),
        ("0012345", Known.PATIENT_ID),
        ("id 12345.", Known.PATIENT_ID),
        ("12-345", Known.PATIENT_ID),
        ("a2024 17", Known.NUMBER),
        ("born 31.12.1970", Known.BIRTH_DATE),
        ("12/31/1970", Known.BIRTH_DATE),
        ("31-DEC-1970", Known.BIRTH_DATE),
        ("December 31, 1970", Known.BIRTH_DATE),
        ("on 2024-01-31", Known.STUDY_DATE),
        ("dr obrien", Known.PERSON),
        ("BRIEN", Known.PERSON),
        ("st marys  hospital", Known.INSTITUTION),
        ("at CT1", Known.STATION),
        ("1.2.840.113619.2.55.3.1", Known.UID),
        ("1.2.840.113619.2.55.3.1.7.2", Known.UID),
    ],
)
def test_what_is_known_is_found(text: str, kind: Known) -> None:
    assert found(in_comments(text)) == {kind}
    assert search(in_comments(text), KNOWN) == [Leak(kind, "PatientComments (0010,4000)")]


@pytest.mark.parametrize(
    "text",
    [
        "language",  # names of up to four letters count as words
        "annals",
        "Dr. M.",  # titles and initials tell nothing
        "17",
        "912345",  # numbers count as a whole
        "123450",
        "0.12345",
        "1.2.12345.6",
        "1.2.840.113619.2.55.3.12",
        "1.2.840.113619.2.55.3",
        "31.1.1970",
        "CT10",
        "Thorax F",
        "Mary",
    ],
)
def test_what_only_looks_alike_is_not(text: str) -> None:
    assert found(in_comments(text)) == set()


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG, DEFLATED])
def test_the_place_is_told_and_never_the_value(syntax: str) -> None:
    leaks = search(dicom([*CLEAN, (0x0029_1010, "OB", b"\1\2Mueller\0\3")], syntax), KNOWN)
    assert leaks == [Leak(Known.NAME, "(0029,1010)")]
    assert "ueller" not in repr(leaks).lower()
    assert "ueller" not in repr(KNOWN).lower()
    assert "12345" not in repr(KNOWN)


def test_places_outside_of_elements_have_names() -> None:
    preamble = dicom(CLEAN, EXPLICIT, preamble=b"Mueller".ljust(128, b"\0"))
    assert [leak.where for leak in search(preamble, KNOWN)] == ["the preamble"]
    after = search(dicom(CLEAN, EXPLICIT) + b"\xff\xff Mueller", KNOWN)
    assert [leak.where for leak in after] == ["bytes that belong to no element"]
    assert [leak.where for leak in search(b'{"a": "Mueller"}', KNOWN)] == ["the text"]
    assert [leak.where for leak in search(bytes(400) + b"Mueller\0", KNOWN)] == ["the file"]


def test_a_name_in_any_alphabet_is_found_in_any_character_set() -> None:
    known = Identifiers.of([{"PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう"}])
    for text, codec in (("山田", "iso2022_jp_2"), ("ヤマダ様", "shift_jis"), ("太郎", "euc_jp"), ("ﾔﾏﾀﾞ", "utf-8")):
        assert found(dicom([*CLEAN, (0x0010_4000, "LT", text.encode(codec))], EXPLICIT), known) == {Known.NAME}


def test_bytes_that_the_pacs_sent_are_looked_for_as_they_are() -> None:
    row = {"PatientName": "?????", "raw": [{"tag": "00100010", "value": "Μαρία^Παπά".encode("iso8859_7")}]}
    known = Identifiers.of([row])
    assert found(dicom(CLEAN, EXPLICIT) + b"\1\2" + "Μαρία".encode("iso8859_7"), known) == {Known.NAME}


def test_what_de_identification_itself_writes_is_no_leak() -> None:
    known = Identifiers.of([{"PatientName": "Basic^Clean", "PatientBirthDate": date(1900, 1, 1)}])
    written = [(0x0008_0104, "LO", b"Basic Application Confidentiality Profile"), (0x0008_0022, "DA", b"19000101")]
    assert found(dicom([*CLEAN, *written], EXPLICIT), known) == {Known.NAME}  # PS3.15 ... Basic Profile
    without = [element for element in CLEAN if element[0] != 0x0012_0063]
    assert found(dicom([*without, *written], EXPLICIT), known) == set()
    assert found(dicom([*without, (0x0008_0104, "LO", b"Basic")], EXPLICIT), known) == {Known.NAME}


def test_dates_that_shifting_explains_are_no_leak() -> None:
    days = [{"StudyDate": date(2024, 1, 31)}, {"StudyDate": date(2023, 10, 23)}]
    elements = [(0x0008_0021, "DA", b"20231023")]
    assert found(dicom([*CLEAN, *elements], EXPLICIT), Identifiers.of(days, shift=-100)) == set()
    assert found(dicom([*CLEAN, *elements], EXPLICIT), Identifiers.of(days, shift=-99)) == {Known.STUDY_DATE}
    assert found(dicom([*CLEAN, *elements], EXPLICIT), Identifiers.of(days)) == set()


def test_a_recipe_may_ignore_words_and_keep_kinds() -> None:
    check = CheckRules.model_validate({"ignore_words": ["Chest"], "kept": ["station"]})
    known = Identifiers.of([{"PatientName": "Chest^Rosalind", "StationName": "SCANNER7"}], check)
    assert found(in_comments("chest at SCANNER7"), known) == set()
    assert found(in_comments("Rosalind"), known) == {Known.NAME}


def test_grey_values_that_look_like_letters_are_no_name() -> None:
    random = Random(1)
    grey = bytes(random.choice(b"abcdefghijklmnopqrstuvwxyz") for _ in range(100))
    known = Identifiers.of([{"PatientName": "Meier"}])
    assert found(dicom([*CLEAN, (0x7FE0_0010, "OW", grey + b"meier" + grey)], EXPLICIT), known) == set()
    assert found(dicom([*CLEAN, (0x7FE0_0010, "OW", grey + b" meier^" + grey)], EXPLICIT), known) == {Known.NAME}
    assert found(dicom([*CLEAN, (0x7FE0_0010, "OW", bytes(9) + b"Meier" + bytes(9))], EXPLICIT), known) == {Known.NAME}


def test_what_cannot_be_searched_is_a_leak() -> None:
    whole = dicom(CLEAN, DEFLATED)
    assert found(whole[:-20]) == {UNSEARCHABLE}
    assert found(b"\x1f\x8bnothing like it") == {UNSEARCHABLE}
    assert found(b"PK\x03\x04nothing") == {UNSEARCHABLE}
    packed = b"x"
    for _ in range(6):
        machine = zlib.compressobj(wbits=31)
        packed = machine.compress(packed) + machine.flush()
    assert found(packed) == {UNSEARCHABLE}


def test_a_thousand_uids_cost_no_more_than_one() -> None:
    rows = [{"SOPInstanceUID": f"1.2.840.113619.2.55.3.{number}"} for number in range(1000)]
    known = Identifiers.of(rows)
    assert found(in_comments("1.2.840.113619.2.55.3.999"), known) == {Known.UID}
    assert found(in_comments("1.2.840.113619.2.55.3.1000"), known) == set()
