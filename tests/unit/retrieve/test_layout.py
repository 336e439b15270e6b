"""Names in the store."""

from __future__ import annotations

import re

import pytest

from crawler.retrieve.layout import by_series, is_uid, place_beside, place_of


@pytest.mark.parametrize("text", ["1", "1.2.840.10008.1.2", "0.0", "1.02.3", "1." * 31 + "12"])
def test_these_are_uids(text: str) -> None:
    assert is_uid(text)


@pytest.mark.parametrize(
    "text", ["", ".", "1.", ".1", "1..2", "1.2a", "1/2", "..", "1.2\n", "1 2", "1.2\0", "١.٢", "1." * 32 + "1"]
)
def test_these_are_none(text: str) -> None:
    assert not is_uid(text)


def test_a_place_tells_nothing_and_is_always_the_same() -> None:
    assert place_of("1.2.3") == "c4/c47f5b18b8a430e698b9fe15e51f6119.dcm"
    assert re.fullmatch(r"[0-9a-f]{2}/[0-9a-f]{32}\.dcm", place_of("1.2.4"))
    assert place_beside("ab/abcd.dcm", "0123456789abcdef0123") == "ab/abcd-0123456789abcdef.dcm"


def test_people_find_an_instance_by_its_uids() -> None:
    assert by_series("1.2", "1.2.3", "1.2.3.4") == "1.2/1.2.3/1.2.3.4.dcm"


@pytest.mark.parametrize("study", ["", "..", "/etc", "1/../..", "1.2\0"])
def test_no_peer_names_a_path(study: str) -> None:
    assert by_series(study, "1.2.3", "1.2.3.4") == "other/1.2.3/1.2.3.4.dcm"
