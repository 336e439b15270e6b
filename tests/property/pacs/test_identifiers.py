"""pydicom reads from an identifier what the query asks for."""

from __future__ import annotations

from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from crawler.columns import CATALOGUE
from crawler.model import HIERARCHY, Level, Model
from crawler.pacs.identifier import Query, encode_identifier

LEVELS = st.sampled_from(HIERARCHY)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\\^= \0", exclude_categories=["C", "Z"]), max_size=20)


def as_pydicom(encoded: bytes, explicit_vr: bool) -> Dataset:
    dataset = read_dataset(BytesIO(encoded), is_implicit_VR=not explicit_vr, is_little_endian=True)
    dataset.decode()
    return dataset


@given(LEVELS, st.booleans(), TEXT, st.integers(0, 1 << 100))
def test_a_query_asks_for_the_whole_catalogue(level: Level, explicit_vr: bool, patient: str, number: int) -> None:
    matching = {"PatientID": patient, "StudyInstanceUID": f"2.25.{number}"}
    encoded = Query(Model.STUDY_ROOT, level, matching).encode(explicit_vr=explicit_vr)
    dataset = as_pydicom(encoded, explicit_vr)
    assert len(encoded) % 2 == 0
    assert list(dataset.keys()) == sorted(dataset.keys())
    wanted = {key.keyword for key in CATALOGUE[level]} | {*matching, "QueryRetrieveLevel"}
    assert {element.keyword for element in dataset} == wanted
    assert dataset.QueryRetrieveLevel == level.query_retrieve_level
    assert dataset.StudyInstanceUID == matching["StudyInstanceUID"]
    assert (dataset.PatientID or "") == patient
    assert (dataset.SpecificCharacterSet or "") == ("" if patient.isascii() else "ISO_IR 192")
    empty = wanted - {*matching, "QueryRetrieveLevel", "SpecificCharacterSet"}
    assert all(dataset[keyword].is_empty for keyword in empty)


@given(st.text(st.characters(codec="latin-1", exclude_characters="\\", exclude_categories=["C", "Z"]), min_size=1))
def test_a_named_charset_is_kept(name: str) -> None:
    query = Query(Model.STUDY_ROOT, Level.STUDY, {"PatientID": name}, charset="ISO_IR 100")
    dataset = as_pydicom(query.encode(), explicit_vr=False)
    assert (dataset.SpecificCharacterSet, dataset.PatientID) == ("ISO_IR 100", name)


@given(st.lists(st.sampled_from(CATALOGUE[Level.STUDY]), unique_by=lambda key: key.tag, min_size=1))
def test_fewer_attributes_may_be_asked_for(attributes: list[object]) -> None:
    keys = tuple(key for key in CATALOGUE[Level.STUDY] if key in attributes)
    dataset = as_pydicom(Query(Model.STUDY_ROOT, Level.STUDY, {}, keys).encode(), explicit_vr=False)
    asked = {key.keyword for key in keys} | {"QueryRetrieveLevel", "SpecificCharacterSet"}
    assert {element.keyword for element in dataset} == asked


@given(st.dictionaries(st.integers(0x00080000, 0x00209999), st.binary(max_size=20)), st.booleans())
def test_elements_stand_in_tag_order_and_are_even(values: dict[int, bytes], explicit_vr: bool) -> None:
    encoded = encode_identifier([(tag, "UI", value) for tag, value in values.items()], explicit_vr=explicit_vr)
    assert len(encoded) == sum(8 + len(value) + len(value) % 2 for value in values.values())
    tags, at = [], 0
    while at < len(encoded):
        group, element = encoded[at : at + 2], encoded[at + 2 : at + 4]
        tags.append(int.from_bytes(group, "little") << 16 | int.from_bytes(element, "little"))
        length = encoded[at + 6 : at + 8] if explicit_vr else encoded[at + 4 : at + 8]
        at += 8 + int.from_bytes(length, "little")
    assert tags == sorted(values)
