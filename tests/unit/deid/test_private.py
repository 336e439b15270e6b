"""Private attributes stay where they are known to be safe, under their creator, wherever their block lies."""

from __future__ import annotations

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

from crawler.deid.private import SAFE, safe


def raw(tag: int, vr: str | None, value: bytes) -> RawDataElement:
    return RawDataElement(BaseTag(tag), vr, len(value), value, 0, vr is None, True)


GE = raw(0x0019_0010, "LO", b"GEMS_ACQU_01")
SIEMENS = raw(0x0019_0011, "LO", b"SIEMENS MR HEADER ")


def test_the_block_is_the_one_that_the_creator_reserved() -> None:
    elements = [
        GE,
        SIEMENS,
        raw(0x0019_1023, "DS", b"1.5 "),
        raw(0x0019_110C, "IS", b"1000"),
        raw(0x0019_1123, "DS", b"1 "),
    ]
    assert safe(elements) == {0x0019_0010, 0x0019_1023, 0x0019_0011, 0x0019_110C}


def test_a_creator_of_nothing_that_stays_goes() -> None:
    assert not safe([GE, SIEMENS, raw(0x0019_10FF, "LO", b"Mueller ")])


@pytest.mark.parametrize("vr", ["DS", "UN", None])
def test_a_vr_that_nobody_knew_is_no_reason_to_go(vr: str | None) -> None:
    assert safe([GE, raw(0x0019_1023, vr, b"1.5\\2e-3")])


@pytest.mark.parametrize(
    "element",
    [
        raw(0x0019_1023, "LT", b"1.5 "),
        raw(0x0019_1023, "UN", b"Mueller "),
        raw(0x0019_109E, "LO", b"Mueller " * 20),
        raw(0x0019_0023, "DS", b"1.5 "),
        raw(0x0021_1023, "DS", b"1.5 "),
        raw(0x0019_1223, "DS", b"1.5 "),
    ],
    ids=["another VR", "no number", "too long for a code", "no block", "another group", "a block of nobody"],
)
def test_what_is_not_as_listed_goes(element: RawDataElement) -> None:
    assert not safe([GE, element])


def test_the_list_holds_numbers_and_codes_alone() -> None:
    assert set(SAFE.values()) == {"CS", "DS", "FD", "FL", "IS", "LO", "SH", "SL", "SS", "US"}
    assert ("Philips PET Private Group", 0x7053, 0x09) in SAFE
    assert len(SAFE) == 78
