"""Character sets: what pydicom's own test names say, and what must not be guessed."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.charset import python_encoding
from pydicom.data import get_charset_files

from crawler.decode import decode
from crawler.decode.charset import charset_of, decode_text
from crawler.model import Identifiers, Level

PREAMBLE, GROUP_LENGTH = 132, 12


@pytest.mark.parametrize(
    "path", [str(path) for path in get_charset_files("*.dcm")], ids=lambda path: path.rsplit("/")[-1]
)
def test_names_of_pydicoms_charset_files(path: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(path)
        dataset.decode()
        name = str(dataset.PatientName) if "PatientName" in dataset else None
    meta = dataset.file_meta
    identifier = Path(path).read_bytes()[PREAMBLE + GROUP_LENGTH + meta.FileMetaInformationGroupLength :]
    batch = Identifiers.of([identifier], explicit_vr=not meta.TransferSyntaxUID.is_implicit_VR)
    (row,) = decode(batch, Level.STUDY).to_pylist()
    # pydicom drops empty groups at the end; the column has the name as written.
    assert (row["PatientName"] or "").rstrip("=") == (name or "")
    assert row["StudyInstanceUID"] == dataset.get("StudyInstanceUID")
    assert not [fault for fault in row["faults"] if fault["tag"] == "00100010"]


# The examples of PS3.5 annexes H to K and those of pydicom's own tests.
NAMES = [
    (
        "ISO_IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎",
    ),
    ("\\ISO 2022 IR 149", b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", "Hong^Gildong=洪^吉洞"),
    ("GB18030", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", "Wang^XiaoDong=王^小东"),
    ("GB18030", b"\x81\x5c\x81\x30\x81\x30", "乗\x80"),
    ("GBK", b"\x81\x5c^A", "乗^A"),
    ("\\ISO 2022 IR 58", b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab", "Zhang^XiaoDong=张^小东"),
    ("ISO_IR 192", "Wang^XiaoDong=王^小東".encode(), "Wang^XiaoDong=王^小東"),
    ("\\ISO 2022 IR 87", b"\x1b$B=UED\x1b(B^A", "春田^A"),
    ("ISO 2022 IR 100\\ISO 2022 IR 87", b"\xc4b\x1b$B;3\x1b(B\xe4", "Äb山ä"),
    ("", b"plain", "plain"),
]


@pytest.mark.parametrize(("terms", "value", "expected"), NAMES)
def test_names_of_the_standard(terms: str, value: bytes, expected: str) -> None:
    assert decode_text(value, charset_of(terms), is_name=True) == (expected, None)


@pytest.mark.parametrize(
    ("terms", "value", "problem"),
    [
        ("", b"M\xfcller", "not in its character set"),
        ("ISO_IR 6", b"M\xfcller", "not in its character set"),
        ("ISO_IR 192", b"M\xfcller", "not in its character set"),
        ("BOGUS", b"M\xfcller", "unknown character set"),
        ("latin_1", b"M\xfcller", "unknown character set"),
        ("rot13", b"M\xfcller", "unknown character set"),
        ("GB18030", b"M\xff\xffller", "not in its character set"),
        ("\\ISO 2022 IR 87", b"\x1b-A\xfc", "not in its character set"),
        ("\\ISO 2022 IR 87", b"\x1b", "not in its character set"),
        ("\\ISO 2022 IR 87", b"\x1b$B;", "not in its character set"),
    ],
)
def test_what_cannot_be_decoded_is_said(terms: str, value: bytes, problem: str) -> None:
    text, found = decode_text(value, charset_of(terms))
    assert found == problem
    assert "ü" not in text


@pytest.mark.parametrize("terms", ["ISO-IR 100", "ISO IR 100", "ISO 2022-IR 100", "ISO_2022_IR_100"])
def test_a_misspelt_character_set_is_understood_and_said(terms: str) -> None:
    assert decode_text(b"M\xfcller", charset_of(terms)) == ("Müller", "misspelt character set")


def test_character_sets_that_stand_alone_take_no_extension() -> None:
    assert charset_of("GB18030\\ISO 2022 IR 87").codecs == ("GB18030",)
    assert charset_of("ISO_IR 100\\ISO_IR 192").codecs == ("latin_1",)


def test_every_character_set_leaves_ascii_alone() -> None:
    ascii_bytes = bytes(code for code in range(0x80) if code != 0x1B)
    for codec in set(python_encoding.values()):
        assert ascii_bytes.decode(codec) == ascii_bytes.decode("ascii")
