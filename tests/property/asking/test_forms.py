"""A dataset is the same in every form: bytes, DICOM JSON, a dump; and nothing that is read can break the reader."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.filereader import read_dataset

from crawler.asking.dicom_json import as_json, from_json, json_text
from crawler.asking.dump import as_lines, from_text
from crawler.asking.files import file_of, read_query
from crawler.asking.tree import Tree, encode_tree, read_tree
from crawler.errors import UserError
from tests.property.asking.trees import questions

SOME = settings(max_examples=50)
SCRAPS = [*"()[]# \n0123456789abcdef,=\\SQUILO", "(fffe,e000)", "(0040,0100) SQ"]
FIND = "1.2.840.10008.5.1.4.1.2.2.1"


@SOME
@given(questions(), st.booleans())
def test_bytes_are_read_as_they_were_written(tree: Tree, explicit_vr: bool) -> None:
    assert read_tree(encode_tree(tree, explicit_vr=explicit_vr), explicit_vr=explicit_vr) == tree


@SOME
@given(questions())
def test_a_dump_is_read_as_it_was_written(tree: Tree) -> None:
    assert from_text("\n".join(as_lines(tree))) == tree


@SOME
@given(questions())
def test_json_is_read_as_it_was_written(tree: Tree) -> None:
    written = json.loads(json_text(tree))
    assert written == json.loads(json.dumps(as_json(tree)))
    assert as_json(from_json(written)) == written


@SOME
@given(questions(), st.booleans())
def test_pydicom_reads_the_same(tree: Tree, explicit_vr: bool) -> None:
    same(read_dataset(BytesIO(encode_tree(tree, explicit_vr=explicit_vr)), not explicit_vr, True), tree)


def same(dataset: pydicom.Dataset, tree: Tree) -> None:
    assert list(dataset.keys()) == sorted(tree)
    for tag, (vr, value) in tree.items():
        if not isinstance(value, str):
            for item, expected in zip(dataset[tag].value, value, strict=True):
                same(item, expected)
        elif vr in ("ST", "LT", "UT"):
            assert dataset[tag].value == value


@SOME
@given(questions(), st.booleans())
def test_a_file_of_an_answer_is_a_dicom_file_and_a_question(
    tmp_path_factory: Any, tree: Tree, explicit_vr: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "answer.dcm"
    path.write_bytes(file_of(encode_tree(tree, explicit_vr=explicit_vr), FIND, explicit_vr=explicit_vr))
    assert pydicom.dcmread(path).file_meta.MediaStorageSOPClassUID == FIND
    assert read_query(path) == tree


def encoded_or_not(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    with suppress(UserError):
        tree = read_query(path)
        encode_tree(tree)
        list(as_lines(tree))
        json.dumps(as_json(tree))


@SOME
@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda rest: bytes(128) + b"DICM" + rest))
def test_any_file_is_read_or_refused_in_a_sentence(tmp_path_factory: Any, content: bytes) -> None:
    encoded_or_not(content, tmp_path_factory.getbasetemp() / "any")


@SOME
@given(st.lists(st.sampled_from(SCRAPS)).map("".join))
def test_any_dump_is_read_or_refused_in_a_sentence(tmp_path_factory: Any, text: str) -> None:
    encoded_or_not(b"#\n" + text.encode(), tmp_path_factory.getbasetemp() / "any.txt")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["00400100", "00080005", "00100010", "vr", "Value", "InlineBinary", "x"]), inner
        )
    ),
    max_leaves=12,
)
ELEMENTS = st.fixed_dictionaries(
    {"vr": st.sampled_from(["SQ", "PN", "US", "FD", "AT", "OB", "CS", "XX"])},
    optional={"Value": JSON, "InlineBinary": JSON},
)


@SOME
@given(st.dictionaries(st.sampled_from(["00400100", "00080005", "00080052", "00100010"]), ELEMENTS | JSON) | JSON)
def test_any_json_is_read_or_refused_in_a_sentence(tmp_path_factory: Any, content: object) -> None:
    encoded_or_not(b" " + json.dumps(content).encode(), tmp_path_factory.getbasetemp() / "any.json")


@SOME
@given(st.binary(max_size=200), st.booleans())
def test_any_answer_is_shown_or_counted(content: bytes, explicit_vr: bool) -> None:
    tree = read_tree(content, explicit_vr=explicit_vr)
    if tree is not None:
        list(as_lines(tree))
        json.dumps(as_json(tree))


def test_an_endless_nesting_is_refused(tmp_path: Path) -> None:
    deep = b""
    for _ in range(3000):
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(deep)) + deep
        deep = struct.pack("<HHI", 0x0040, 0x0100, len(item)) + item
    assert read_tree(deep, explicit_vr=False) is None
    nested = '{"00400100":{"vr":"SQ","Value":[' * 500 + "{}" + "]}}" * 500
    path = tmp_path / "deep.json"
    path.write_text(nested)
    with pytest.raises(UserError):
        read_query(path)
