"""Single values, well-formed and malformed: what the column holds, the fault recorded, and whether raw keeps it."""

from __future__ import annotations

import struct
from datetime import date, datetime, time
from typing import Any

import pytest

from crawler.columns import CATALOGUE
from crawler.decode import decode
from crawler.model import HIERARCHY, Identifiers, Level

TAGS = {attribute.keyword: (level, attribute.tag) for level in HIERARCHY for attribute in CATALOGUE[level]}


def element(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def decoded(keyword: str, value: bytes) -> tuple[Any, list[str], list[bytes]]:
    """Decode one value: the cell, the reasons of its faults, and its raw values."""
    level, tag = TAGS[keyword]
    (row,) = decode(Identifiers.of([element(tag, value)]), level).to_pylist()
    assert {finding["tag"] for finding in row["faults"] + row["raw"]} <= {f"{tag:08x}"}
    return row[keyword], [fault["reason"] for fault in row["faults"]], [raw["value"] for raw in row["raw"]]


EXACT: list[tuple[str, bytes, Any]] = [
    ("StudyDate", b"20240229", date(2024, 2, 29)),
    ("StudyDate", b"00010101", date(1, 1, 1)),
    ("StudyDate", b"99991231", date(9999, 12, 31)),
    ("StudyDate", b"", None),
    ("StudyDate", b"        ", None),
    ("StudyTime", b"235959", time(23, 59, 59)),
    ("StudyTime", b"101112.000001 ", time(10, 11, 12, 1)),
    ("AcquisitionDateTime", b"20240229101112", datetime(2024, 2, 29, 10, 11, 12)),
    ("AcquisitionDateTime", b"19691231235959.999999 ", datetime(1969, 12, 31, 23, 59, 59, 999999)),
    ("SeriesNumber", b"0 ", 0),
    ("SeriesNumber", b"-1", -1),
    ("SeriesNumber", b"2147483647", 2147483647),
    ("SeriesNumber", b"-2147483648 ", -2147483648),
    ("SliceLocation", b"-12.50", -12.5),
    ("SliceLocation", b"1e-3", 0.001),
    ("SliceLocation", b"+1.0", 1.0),
    ("Rows", b"\x00\x02", 512),
    ("Rows", b"\x20\x20", 0x2020),
    ("Rows", b"\x00\x00", 0),
    ("StudyInstanceUID", b"1.2.3\0", "1.2.3"),
    ("StudyDescription", b"  Head \\ neck \0", "  Head \\ neck"),
    ("StudyDescription", b" ", ""),
    ("ModalitiesInStudy", b"CT\\SR ", ["CT", "SR"]),
    ("ModalitiesInStudy", b"CT\\", ["CT", ""]),
    ("ModalitiesInStudy", b"  ", []),
    ("ModalitiesInStudy", b"", []),
    ("PatientName", b"", ""),
]


@pytest.mark.parametrize(("keyword", "value", "cell"), EXACT)
def test_a_value_that_the_column_can_give_back(keyword: str, value: bytes, cell: Any) -> None:
    assert decoded(keyword, value) == (cell, [], [])


LOSSY: list[tuple[str, bytes, Any]] = [
    ("StudyDate", b" 20240101 ", date(2024, 1, 1)),
    ("StudyTime", b"10", time(10)),
    ("StudyTime", b"1011", time(10, 11)),
    ("StudyTime", b"101112.5", time(10, 11, 12, 500000)),
    ("StudyTime", b"101112.000000 ", time(10, 11, 12)),
    ("AcquisitionDateTime", b"2024", datetime(2024, 1, 1)),
    ("AcquisitionDateTime", b"20240229101112+0100 ", datetime(2024, 2, 29, 10, 11, 12)),
    ("SeriesNumber", b"007 ", 7),
    ("SeriesNumber", b"+5", 5),
    ("SeriesNumber", b" 5", 5),
    ("SliceLocation", b"9007199254740993", 9007199254740992.0),
    ("SliceLocation", b"1e-400", 0.0),
    ("Modality", b" CT ", "CT"),
    ("ModalitiesInStudy", b"CT \\ SR", ["CT", "SR"]),
]


@pytest.mark.parametrize(("keyword", "value", "cell"), LOSSY)
def test_a_value_that_is_kept_raw_beside_its_column(keyword: str, value: bytes, cell: Any) -> None:
    assert decoded(keyword, value) == (cell, [], [value])


MALFORMED = {
    "StudyDate": r"2024-01-01|20240132|20230229|00000101|2024|2024010|202401011|2024.01.01|2024\2025|20241301|"
    r"20240001|20240100|abcdefgh|19000229|2024 101|+2024010|²°²°°±°±",
    "StudyTime": r"9:30|09:30:00|240000|106000|101161|101112.|101112.1234567|10111|1011.5|1|101112,123456|"
    r"101112.12345x|10 112|10\11|-10112|1011 2",
    "AcquisitionDateTime": r"202|20240230|2024022|20240229101112.1234567|2024.5|202413|2024+9900|20240101+0160|"
    r"2024-01-01|20240101 10|20240101250000|+0100|2024+01",
    "SeriesNumber": r"1.0|abc|2147483648|-2147483649|0000000000012|1\2|1 2|--1|+|1e3|0x1|1_0|x9999999",
    "SliceLocation": r"nan|inf|1e400|1,5|.|1e|- 1|0x1|1_0|1\2|0.12345678901234567|1.5.2|--1",
}
MALFORMED_TEXT = [(keyword, text.encode("latin-1")) for keyword in MALFORMED for text in MALFORMED[keyword].split("|")]
MALFORMED_BINARY = [("Rows", b"\x01"), ("Rows", b"\x01\x02\x03"), ("Rows", b"\x01\x00\x02\x00")]


@pytest.mark.parametrize(("keyword", "value"), MALFORMED_TEXT + MALFORMED_BINARY)
def test_a_malformed_value_is_null_with_its_fault_and_its_bytes(keyword: str, value: bytes) -> None:
    cell, (reason,), raw = decoded(keyword, value)
    assert (cell, raw) == (None, [value])
    assert reason.startswith("malformed ")


@pytest.mark.parametrize(
    ("keyword", "value", "cell", "reason", "kept"),
    [
        ("StudyTime", b"235960", None, "leap second", True),
        ("StudyInstanceUID", b"1.2.a", "1.2.a", "illegal character in UI", False),
        ("StudyInstanceUID", b" 1.2 ", " 1.2", "illegal character in UI", False),
        ("StudyInstanceUID", b"1" * 65, "1" * 65, "longer than 64 characters", False),
        ("Modality", b"X" * 17, "X" * 17, "longer than 16 characters", False),
        ("ModalitiesInStudy", b"CT\\" + b"X" * 17, ["CT", "X" * 17], "longer than 16 characters", False),
        ("Modality", b"\xc4", "\ufffd", "not ASCII", True),
        ("StudyDescription", b"Sch\xe4del", "Sch\ufffddel", "not in its character set", True),
        ("PatientName", b"X" * 65 + b"=A", "X" * 65 + "=A", "longer than 64 characters", False),
    ],
)
def test_a_fault_in_text(keyword: str, value: bytes, cell: Any, reason: str, kept: bool) -> None:
    assert decoded(keyword, value) == (cell, [reason], [value] if kept else [])


@pytest.mark.parametrize(
    ("name", "family", "given"),
    [
        (b"Doe^Jane^Q^Dr^PhD", "Doe", "Jane"),
        (b"Doe", "Doe", ""),
        (b"^Jane", "", "Jane"),
        (b"Doe=\xe5", "Doe", ""),
        (b"=A^B", "", ""),
        (b"", "", ""),
        (b"A^", "A", ""),
        (b"Doe ^ Jane ", "Doe ", " Jane"),
    ],
)
def test_family_and_given_name(name: bytes, family: str, given: str) -> None:
    (row,) = decode(Identifiers.of([element(0x00100010, name)]), Level.STUDY).to_pylist()
    assert (row["patient_family_name"], row["patient_given_name"]) == (family, given)


def test_absent_is_null_and_present_but_empty_is_not() -> None:
    tags = [attribute.tag for attribute in CATALOGUE[Level.STUDY]]
    absent, empty = decode(Identifiers.of([b"", b"".join(element(tag, b"") for tag in tags)]), Level.STUDY).to_pylist()
    assert {value for key, value in absent.items() if key not in ("faults", "raw")} == {None}
    assert (empty["PatientName"], empty["ModalitiesInStudy"], empty["StudyDate"]) == ("", [], None)
    assert absent["faults"] == empty["faults"] == []


def test_no_identifiers_give_an_empty_table() -> None:
    assert decode(Identifiers.of([]), Level.SERIES).num_rows == 0
