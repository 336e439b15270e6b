"""The head of a dataset, read by walking: as pydicom reads it, and harmless on anything else."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import (
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom.dsutils import encode

from crawler.retrieve.header import file_meta, first_elements
from tests.integration.files import bundled_files

SYNTAXES = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    JPEG2000,
)
WANTED = frozenset((0x00080016, 0x00080018, 0x00080060, 0x0020000D, 0x0020000E, 0x00280010, 0x00280030))

nested = st.recursive(
    st.just(()), lambda inner: st.lists(st.tuples(inner, st.booleans()), max_size=3).map(tuple), max_leaves=6
)
"""Sequences: their items, and whether each is of undefined length."""


def dataset_with(items: object, undefined: bool) -> Dataset:
    """Make a dataset whose sequences, nested, hold the same tags with other values."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4", "CT"
    dataset.SeriesInstanceUID, dataset.Rows, dataset.PixelSpacing = "1.2.3", 513, ["1.0", "2.5"]
    dataset.ReferencedStudySequence = [inner(*item) for item in items]  # type: ignore[attr-defined]  # it is a tuple
    dataset["ReferencedStudySequence"].is_undefined_length = undefined
    dataset.PixelData = b"\0" * 10
    dataset["PixelData"].VR = "OB"
    return dataset


def inner(items: object, undefined: bool) -> Dataset:
    item = dataset_with(items, undefined)
    item.Modality, item.SeriesInstanceUID, item.Rows = "XX", "9.9", 1
    item.is_undefined_length_sequence_item = undefined
    return item


@given(nested, st.booleans(), st.sampled_from(SYNTAXES))
def test_values_outside_of_sequences_are_those_of_the_dataset(items: object, undefined: bool, syntax: UID) -> None:
    dataset = dataset_with(items, undefined)
    data = encode(dataset, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
    assert data is not None
    check(dataset, first_elements(data, str(syntax), WANTED), syntax)


def test_bundled_files_read_as_pydicom_reads_them() -> None:
    for path in bundled_files():
        dataset = dcmread(path)
        syntax = dataset.file_meta.TransferSyntaxUID
        data = encode(dataset, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
        assert data is not None
        check(dataset, first_elements(data[:65536], str(syntax), WANTED), syntax)


@given(st.binary(max_size=300), st.sampled_from(SYNTAXES))
def test_any_bytes_are_harmless(data: bytes, syntax: UID) -> None:
    assert set(first_elements(data, str(syntax), WANTED)) <= WANTED


@given(st.integers(min_value=0), st.sampled_from(SYNTAXES))
def test_a_cut_head_gives_a_part_of_the_whole(at: int, syntax: UID) -> None:
    dataset = dataset_with((((), True), ((), False)), True)
    data = encode(dataset, syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated)
    assert data is not None
    whole = first_elements(data, str(syntax), WANTED)
    part = first_elements(data[: at % (len(data) + 1)], str(syntax), WANTED)
    assert part.items() <= whole.items()


@pytest.mark.parametrize("uid", ["1.2.3", "1.2.34"])
def test_the_file_meta_information_is_what_pydicom_reads(uid: str) -> None:
    meta = dcmread(BytesIO(file_meta("1.2.840.10008.5.1.4.1.1.2", uid, str(JPEG2000)))).file_meta
    assert (meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID) == (uid, JPEG2000)
    assert meta.FileMetaInformationVersion == b"\0\1"


def check(dataset: Dataset, found: Mapping[int, bytes], syntax: UID) -> None:
    assert set(found) == {tag for tag in WANTED if tag in dataset}
    for tag, value in found.items():
        if tag == 0x00280010:
            assert int.from_bytes(value, "little" if syntax.is_little_endian else "big") == dataset.Rows
        else:
            wanted = dataset[tag].value
            text = "\\".join(map(str, wanted)) if isinstance(wanted, MultiValue) else str(wanted or "")
            assert value.decode("ascii").strip("\0 ") == text
