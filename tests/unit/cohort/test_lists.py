"""Lists as people have them: whatever program wrote them, values come through as they are or the list is refused."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from crawler.cohort.definition import Listed
from crawler.cohort.lists import Choice, read_list
from crawler.errors import UserError

BOM = b"\xef\xbb\xbf"


def read(folder: Path, data: bytes, by: str | None = None, heading: str | None = None) -> Listed:
    file = folder / "list.csv"
    file.write_bytes(data)
    return read_list(file, Choice(by, heading))


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (b"AccessionNumber\n00123\n7\n", ["00123", "7"]),
        (BOM + b"accession number\r\n00123\r\n", ["00123"]),
        ("AccessionNumber\n00123\n".encode("utf-16"), ["00123"]),
        ("Accession;Name\n00123;Müller\n".encode("cp1252"), ["00123"]),
        (b'"Name";"Accession no."\r\n"A; B";"00123"\r\n', ["00123"]),
        (b"Name\tACCESSION_NUMBER\nx\t 00123 \n", ["00123"]),
        (b"sep=;\r\nAccessionNumber;a,b,c\r\n00123;x\r\n", ["00123"]),
        (b'AccessionNumber\n="00123"\n"say ""hi"""\n', ["00123", 'say "hi"']),
        (b"AccessionNumber\n5\n5\n\n4\n5\n", ["4", "5"]),
        (b"AccessionNumber\n1e5\n-1\n=1+1\n1.10\n", ["-1", "1.10", "1e5", "=1+1"]),
        ("AccessionNumber\nÄ\u2028B\n".encode(), ["Ä\u2028B"]),
        (b"AccessionNumber\nlast", ["last"]),
        (b"AccessionNumber,Name\n5\n,only a name\n", ["5"]),
    ],
)
def test_values_are_text_and_stay_as_they_are(tmp_path: Path, data: bytes, values: list[str]) -> None:
    assert read(tmp_path, data) == Listed(("AccessionNumber",), tuple((value,) for value in values))


def test_every_heading_that_is_known_narrows_its_line(tmp_path: Path) -> None:
    found = read(tmp_path, b"pacs,PatientID,Age,StudyUID\nmain,007,44,1.2\n,,45,1.3\n")
    assert found == Listed(("pacs", "PatientID", "StudyInstanceUID"), (("", "", "1.3"), ("main", "007", "1.2")))


def test_by_says_what_the_first_column_holds_or_which_heading_counts(tmp_path: Path) -> None:
    assert read(tmp_path, b"007\n008\n", "PatientID").rows == (("007",), ("008",))
    both = b"PatientID,AccessionNumber\npseudonym,A1\n"
    assert read(tmp_path, both, "AccessionNumber") == Listed(("AccessionNumber",), (("A1",),))
    assert read(tmp_path, b"x,Acc. Nr.\n1,A1\n", "AccessionNumber", "Acc. Nr.").rows == (("A1",),)


def test_a_workbook_keeps_text_and_shows_numbers_as_their_format_does(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in ([None, "Accession number"], ["x", "00123"], ["y", 45], ["z", 678], [None, None], ["w", 9.0]):
        book.active.append(row)
    book.active["B3"].number_format = "00000"
    book.save(tmp_path / "list.csv")
    found = read_list(tmp_path / "list.csv", Choice())
    assert found == Listed(("AccessionNumber",), (("00045",), ("00123",), ("678",), ("9",)))
    book.active["B3"] = 1234567890123456
    book.save(tmp_path / "list.csv")
    with pytest.raises(UserError, match="row 3: a number of more than 15 digits"):
        read_list(tmp_path / "list.csv", Choice())


def test_a_long_list_is_read_whole(tmp_path: Path) -> None:
    lines = [f"{number:08}" for number in range(100_000)]
    found = read(tmp_path, "\n".join(["AccessionNumber", *reversed(lines)]).encode())
    assert [row[0] for row in found.rows] == lines


@pytest.mark.parametrize(
    ("data", "choice", "sentence"),
    [
        (b"", (), "is empty"),
        (b"\n \n,,\n", (), "is empty"),
        (b"AccessionNumber\n\n", (), "has no values under AccessionNumber"),
        (b"Acc. Nr.\nsecret\n", (), "has none of the headings"),
        (b"pacs\nmain\n", (), "has none of the headings"),
        (b"Acc. Nr.\nsecret\n", ("PatientID", "Acc"), "has no column 'Acc'"),
        (b"Acc. Nr.\nsecret\n", (None, "Acc. Nr."), "say what the column 'Acc. Nr.' holds"),
        (b'AccessionNumber\n"secret\nmore\n', (), "line 3"),
        (b'AccessionNumber\n"secret\nmore"\n', (), "line 3: a value ends that began on another line"),
        (b'AccessionNumber\n"secret"x\n', (), "line 2"),
        (b"AccessionNumber\n" + b"s" * 200_000, (), "line 2"),
        (b"PK\x03\x04rest", (), "cannot be read as a workbook"),
        (b"\xd0\xcf\x11\xe0rest", (), "of an old format"),
        (b"\xff\xfea", (), "is no text"),
    ],
)
def test_what_cannot_be_understood_is_refused_without_a_value(
    tmp_path: Path, data: bytes, choice: tuple[str | None, ...], sentence: str
) -> None:
    with pytest.raises(UserError, match=r"list\.csv|say what") as caught:
        read(tmp_path, data, *choice)
    assert sentence in str(caught.value)
    assert "secret" not in str(caught.value)
