"""DICOM JSON comes to the same rows as the dataset that pydicom made it of; no JSON is too odd for a row."""

from __future__ import annotations

import json
import struct
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from crawler.columns import CATALOGUE
from crawler.decode.decode import decode
from crawler.errors import ProtocolError
from crawler.model import HIERARCHY, Identifiers, Level
from crawler.pacs.dicom_json import encode_datasets, read_datasets
from crawler.pacs.identifier import encode_identifier

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="\\=^"), max_size=8)
UIDS = st.lists(st.integers(0, 99), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "DA": st.dates().map(lambda day: day.strftime("%Y%m%d").rjust(8, "0")),
    "TM": st.times().map(lambda time: time.strftime("%H%M%S.%f")),
    "DT": st.datetimes().map(lambda moment: moment.strftime("%Y%m%d%H%M%S.%f").rjust(21, "0")),
    "IS": st.integers(-(2**31), 2**31 - 1),
    "US": st.integers(0, 2**16 - 1),
    "DS": st.decimals(-1000, 1000, places=3).map(str),
    "UI": UIDS,
    "CS": st.from_regex(r"[A-Z0-9_]{1,16}", fullmatch=True),
    "AE": st.from_regex(r"[A-Z0-9_]{1,16}", fullmatch=True),
    "PN": st.lists(WORDS.filter(bool), min_size=1, max_size=5).map("^".join)
    | st.tuples(WORDS.filter(bool), WORDS.filter(bool)).map("=".join),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def datasets(draw: st.DrawFn) -> tuple[Level, Dataset]:
    level = draw(st.sampled_from(HIERARCHY))
    dataset = Dataset()
    for key in CATALOGUE[level]:
        if key.keyword != "SpecificCharacterSet" and draw(st.booleans()):
            one = VALUES.get(key.vr, WORDS)
            value = draw(st.lists(one, min_size=1, max_size=3)) if key.multi else draw(st.none() | one)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset.add_new(key.tag, key.vr, value)
    return level, dataset


@given(st.lists(datasets(), min_size=1, max_size=3))
def test_rows_are_those_of_the_dataset(drawn: list[tuple[Level, Dataset]]) -> None:
    level = drawn[0][0]
    alike = [dataset for at, dataset in drawn if at is level]
    body = "[" + ",".join(dataset.to_json() for dataset in alike) + "]"
    found = decode(encode_datasets(read_datasets(body.encode())), level)
    assert found.to_pylist() == decode(Identifiers.of([_encoded(dataset) for dataset in alike]), level).to_pylist()


@given(st.dictionaries(st.sampled_from(["00100010", "00080020", "00280010", "00321064", "x"]) | st.text(), JSON))
def test_any_json_gives_a_row(dataset: dict[str, Any]) -> None:
    body = json.dumps([dataset]).encode()
    assert decode(encode_datasets(read_datasets(body)), Level.STUDY).num_rows == 1


@given(st.sampled_from(["PN", "DS", "US", "AT", "SQ", "OB", "LO", "ZZ"]), JSON)
def test_any_value_gives_a_row(vr: str, value: object) -> None:
    dataset = {"00100020": {"vr": vr, "Value": value}, "00081110": {"vr": vr, "Value": [value]}}
    assert decode(encode_datasets(read_datasets(json.dumps([dataset]).encode())), Level.STUDY).num_rows == 1


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[1]", b"[[]]", b"\xff", b"[" * 100_000])
def test_what_is_no_list_of_datasets_is_an_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_datasets(body)


def test_doubles_that_are_printed_in_full_fit_into_ds() -> None:
    body = b'[{"00080018":{"vr":"UI","Value":["1"]},"00180050":{"vr":"DS","Value":[0.80000000000000004]}}]'
    row = decode(encode_datasets(read_datasets(body)), Level.IMAGE).to_pylist()[0]
    assert (row["SliceThickness"], row["faults"]) == (0.8, [])


def _encoded(dataset: Dataset) -> bytes:
    """Encode it without a look at its JSON."""
    elements = [(0x00080005, "CS", b"ISO_IR 192")]
    for element in dataset:
        values = element.value if element.VM > 1 else [element.value]
        if element.VR == "US":
            packed = b"" if element.value is None else struct.pack("<H", element.value)
            elements.append((int(element.tag), "US", packed))
        else:
            text = "\\".join("" if value is None else str(value) for value in values)
            elements.append((int(element.tag), str(element.VR), text.encode()))
    return encode_identifier(elements)
