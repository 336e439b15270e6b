"""New values of single attributes."""

from __future__ import annotations

import pytest
from pydicom.config import RAISE
from pydicom.valuerep import STR_VR, validate_value

from crawler.deid import values


@pytest.mark.parametrize(
    ("vr", "text", "new"),
    [
        ("DA", "20240301", "20240229"),
        ("DA", "2024.03.01", "20240229"),
        ("DA", "00010101", ""),
        ("DA", "20241301", ""),
        ("DA", "20240301-20240302", ""),
        ("DA", "Mueller", ""),
        ("DA", "2024030", ""),
        ("DT", "20240301", "20240229"),
        ("DT", "20240301101500.123456+0100", "20240229101500.123456+0100"),
        ("DT", "2024030110-0500", "2024022910-0500"),
        ("DT", "202403", ""),
        ("DT", "20240301T10", ""),
    ],
)
def test_a_date_is_shifted_or_goes(vr: str, text: str, new: str) -> None:
    assert values.shifted(vr, -1)(text) == new


def test_of_several_values_each_is_changed() -> None:
    assert values.each(values.shifted("DA", -1), "20240301\\20240302 ") == "20240229\\20240301"
    assert values.each(values.shifted("DA", -1), "20240301\\Mueller") == "20240229\\"
    assert values.each(values.shifted("DA", -1), "Meier\\Mueller") == ""


@pytest.mark.parametrize("time", ["10", "1015", "101500", "101500.1", "10:15:00.123456"])
def test_a_time_stays(time: str) -> None:
    assert values.kept_time(time) == time


@pytest.mark.parametrize("text", ["Mueller", "1015001", "10:15 Mueller", "20240301101500"])
def test_what_is_no_time_goes(text: str) -> None:
    assert values.kept_time(text) == ""


@pytest.mark.parametrize(
    ("age", "new"),
    [
        ("045Y", "045Y"),
        ("45Y", "045Y"),
        ("089Y", "089Y"),
        ("090Y", "090Y"),
        ("101Y", "090Y"),
        ("003M", "003M"),
        ("45", ""),
    ],
)
def test_an_age_stays_up_to_ninety(age: str, new: str) -> None:
    assert values.capped_age(age) == new


@pytest.mark.parametrize(
    ("birth", "study", "age"),
    [
        ("19500615", "20240614", "073Y"),
        ("19500615", "20240615", "074Y"),
        ("19200101", "20240101", "090Y"),
        ("20220101", "20231231", "023M"),
        ("20231215", "20240101", "017D"),
        ("20240101", "20240101", "000D"),
        ("20240102", "20240101", ""),
        ("", "20240101", ""),
        ("1950", "20240101", ""),
    ],
)
def test_an_age_is_counted_as_people_count_it(birth: str, study: str, age: str) -> None:
    assert values.age_between(birth, study) == age


@pytest.mark.parametrize("vr", sorted(STR_VR - {"UI"}))
def test_a_dummy_is_valid_for_its_vr(vr: str) -> None:
    dummy = values.dummy(vr)
    assert len(dummy) % 2 == 0
    validate_value(vr, dummy.decode().strip(), RAISE)


@pytest.mark.parametrize("vr", ["US", "FD", "OB", "OV", "AT"])
def test_a_dummy_number_is_a_number(vr: str) -> None:
    assert values.dummy(vr) == bytes(8)
