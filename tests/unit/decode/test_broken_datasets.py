"""Datasets that are broken as a whole: what is still read of each, and what is said of the rest."""

from __future__ import annotations

import pytest

from crawler.decode import decode
from crawler.model import Identifiers, Level

UID = b"\x20\x00\x0d\x00"
TEXT = b"\x08\x00\x30\x10"
NAME = b"\x10\x00\x10\x00"
IMPLICIT, EXPLICIT = False, True

BROKEN: list[tuple[str, bool, bytes, str | None, list[str]]] = [
    ("nothing at all", IMPLICIT, b"", None, []),
    ("a single byte", IMPLICIT, b"\x08", None, ["00000000 unreadable"]),
    ("half a header", IMPLICIT, TEXT + b"\x04\x00", None, ["00000000 unreadable"]),
    ("a header without its value", IMPLICIT, TEXT + b"\x04\x00\x00\x00", None, ["00081030 truncated"]),
    ("a value cut off", IMPLICIT, TEXT + b"\x04\x00\x00\x00He", None, ["00081030 truncated"]),
    ("a length of 4 GiB", IMPLICIT, TEXT + b"\xfe\xff\xff\xffHead", None, ["00081030 truncated"]),
    ("an undefined length without end", IMPLICIT, TEXT + b"\xff\xff\xff\xffHead", None, ["00000000 unreadable"]),
    ("bytes after the last element", IMPLICIT, TEXT + b"\x04\0\0\0Head" + b"\0\0\0", "Head", ["00000000 unreadable"]),
    ("an element twice", IMPLICIT, (TEXT + b"\x02\0\0\0Ab") + (TEXT + b"\x02\0\0\0Cd"), "Cd", ["00081030 repeated"]),
    ("elements out of order", IMPLICIT, UID + b"\2\0\0\x001." + TEXT + b"\2\0\0\0Ab", "Ab", ["00081030 out of order"]),
    ("an item where an element should be", IMPLICIT, b"\xfe\xff\x00\xe0\0\0\0\0", None, ["00000000 unreadable"]),
    ("a delimiter of nothing", IMPLICIT, b"\xfe\xff\xdd\xe0\0\0\0\0", None, ["00000000 unreadable"]),
    ("an empty sequence instead of text", IMPLICIT, TEXT + b"\xff\xff\xff\xff\xfe\xff\xdd\xe0\0\0\0\0", None,
     ["00081030 a sequence instead of LO"]),
    ("half a header", EXPLICIT, TEXT + b"LO", None, ["00000000 unreadable"]),
    ("a long header cut off", EXPLICIT, TEXT + b"UT\0\0\4\0", None, ["00000000 unreadable"]),
    ("a value cut off", EXPLICIT, TEXT + b"LO\4\0He", None, ["00081030 truncated"]),
    ("another VR, of text too", EXPLICIT, TEXT + b"ST\4\0Head", "Head", []),
    ("a VR of numbers for text", EXPLICIT, TEXT + b"US\2\0\1\0", None, ["00081030 another VR instead of LO"]),
    ("UN for text", EXPLICIT, TEXT + b"UN\0\0\4\0\0\0Head", "Head", []),
    ("a VR that does not exist", EXPLICIT, TEXT + b"ZZ\4\0Head", "Head", []),
    ("a sequence instead of text", EXPLICIT, TEXT + b"SQ\0\0\0\0\0\0", None, ["00081030 a sequence instead of LO"]),
    ("bytes of a picture", EXPLICIT, b"\x89PNG\r\n\x1a\n" * 4, None, ["5089474e truncated"]),
    ("text of a web server", IMPLICIT, b"HTTP/1.1 400 Bad Request\r\n\r\n", None, ["54485054 truncated"]),
    ("zeros alone", IMPLICIT, b"\0" * 16, None, ["00000000 repeated"]),
    ("ones alone", IMPLICIT, b"\xff" * 16, None, ["00000000 unreadable"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "explicit_vr", "data", "text", "faults"), BROKEN)
def test_what_is_read_of_a_broken_dataset(
    what: str, explicit_vr: bool, data: bytes, text: str | None, faults: list[str]
) -> None:
    good = TEXT + (b"LO\x04\x00Knee" if explicit_vr else b"\x04\x00\x00\x00Knee")
    before, row, after = decode(Identifiers.of([good, data, good], explicit_vr=explicit_vr), Level.STUDY).to_pylist()
    assert row["StudyDescription"] == text, what
    assert [f"{fault['tag']} {fault['reason']}" for fault in row["faults"]] == faults
    assert (before["StudyDescription"], after["StudyDescription"]) == ("Knee", "Knee")
    assert before["faults"] == after["faults"] == []


NAMES = [
    ("ISO_IR 100", b"M\xfcller^J\xf6rg", "Müller^Jörg", "Müller", None),
    ("ISO_IR 192", b"M\xfcller", "M\ufffdller", "M\ufffdller", "not in its character set"),
    ("ISO_IR 100", "Müller".encode(), "MÃ¼ller", "MÃ¼ller", None),
    ("", b"M\xfcller", "M\ufffdller", "M\ufffdller", "not in its character set"),
    ("GB18030", b"Wang=\xcd\xf5^\xd0\xa1=W\xa8\xa2ng", "Wang=王^小=Wáng", "Wang", None),
    ("\\ISO 2022 IR 87", b"Ya^T=\x1b$B;3ED\x1b(B^\x1b$BB@\x1b(B=\x1b$B$d\x1b(B", "Ya^T=山田^太=や", "Ya", None),
    ("\\ISO 2022 IR 149", b"Hong^G=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce", "Hong^G=洪^吉", "Hong", None),
    ("\\ISO 2022 IR 58", b"Zhang=\x1b$)A\xd5\xc5", "Zhang=张", "Zhang", None),
    ("\\ISO 2022 IR 87", b"=\x1b$B;3\x1b(B^A=", "=山^A=", "", None),
    ("\\ISO 2022 IR 87", b"A=\x1b$B;", "A=\x1b$B;", "A", "not in its character set"),
    ("ISO_IR 999", b"M\xfcller", "M\ufffdller", "M\ufffdller", "unknown character set"),
    ("ISO-IR 100", b"M\xfcller", "Müller", "Müller", "misspelt character set"),
]


@pytest.mark.parametrize(("charset", "value", "name", "family", "fault"), NAMES)
def test_names_with_right_wrong_and_missing_character_sets(
    charset: str, value: bytes, name: str, family: str, fault: str | None
) -> None:
    said = charset.encode()
    data = b"\x08\x00\x05\x00" + len(said).to_bytes(4, "little") + said
    data += NAME + len(value).to_bytes(4, "little") + value
    (row,) = decode(Identifiers.of([data]), Level.STUDY).to_pylist()
    assert (row["PatientName"], row["patient_family_name"]) == (name, family)
    assert [one["reason"] for one in row["faults"]] == ([fault] if fault else [])
    assert {"tag": "00100010", "value": value} in row["raw"]
