"""Where the files of a dataset lie: names that every system takes, and no two files under one of them."""

from __future__ import annotations

import random
import re
from datetime import date
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import UserError
from crawler.export.facts import FACTS
from crawler.export.template import DEFAULT, check, fill, places, safe

VALUES = {
    "PatientID": "P7K3QX",
    "StudyDate": date(2019, 4, 30),
    "StudyInstanceUID": "2.25.1",
    "SeriesNumber": 3,
    "Modality": "CT",
    "InstanceNumber": 12,
    "SliceThickness": 2.5,
    "ImageType": ["ORIGINAL", "PRIMARY"],
    "SeriesDescription": None,
}


def test_the_template_that_is_used_unless_another_is_named() -> None:
    check(DEFAULT, FACTS.names)
    assert fill(DEFAULT, VALUES) == "P7K3QX/20190430_2.25.1/3_CT/00012.dcm"


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{Modality}/{InstanceNumber}.dcm", "CT/12.dcm"),
        ("{SliceThickness}mm/{ImageType}.dcm", "2.5mm/ORIGINAL-PRIMARY.dcm"),
        ("{SeriesDescription}/{InstanceNumber:3}.dcm", "unknown/_12.dcm"),
        ("a b/{Modality}{{x}}.dcm", "a_b/CT_x_.dcm"),
    ],
)
def test_values_as_they_are_written(template: str, path: str) -> None:
    assert fill(template, VALUES) == path


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{PatientName}.dcm", r"has {PatientName}; there is ImageType, InstanceNumber, Modality"),
        ("{PatientID.__class__}.dcm", "there is"),
        ("{}/x{Modality}", "there is"),
        ("{Modality!r}.dcm", "a number's width"),
        ("{InstanceNumber:>{Modality}}.dcm", "a number's width"),
        ("{InstanceNumber:0999}.dcm", "a number's width"),
        ("/tmp/{Modality}.dcm", "begins with '/'"),
        ("a//{Modality}.dcm", "without a name"),
        ("../{Modality}.dcm", "a folder named '..'"),
        ("a\\{Modality}.dcm", "not every system takes"),
        ("{Modality", "cannot be read: expected '}'"),
        ("{Modality}/image.dcm", "the file's name has no field"),
    ],
)
def test_a_wrong_template_is_told_before_anything_is_written(template: str, said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        check(template, VALUES)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("CON", "_CON"),
        ("nul.dcm", "_nul.dcm"),
        ("COM7.txt", "_COM7.txt"),
        ("ends with a dot. ", "ends_with_a_dot"),
        ("Schädel/ö", "Schadel_o"),
        ("", "unknown"),
        ("T1 <c+> 50%", "T1_c+_50"),
    ],
)
def test_names_that_every_system_takes(text: str, name: str) -> None:
    assert safe(text) == name


def test_texts_in_other_scripts_stay_apart() -> None:
    assert safe("頭部") != safe("胸部")


@given(st.text(max_size=300))
def test_any_text_makes_a_safe_name(text: str) -> None:
    name = safe(text)
    assert re.fullmatch(r"[A-Za-z0-9_+=,-][A-Za-z0-9._+=,-]{0,99}", name)
    assert not name.endswith(".")
    assert name.split(".")[0].upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9"}


def rows(*numbers: int, study: str = "1.2") -> list[dict[str, object]]:
    return [
        {"Modality": "CT", "InstanceNumber": number, "StudyInstanceUID": study, "SOPInstanceUID": f"{study}.{at}"}
        for at, number in enumerate(numbers)
    ]


def test_files_that_would_share_a_name_all_get_one_of_their_own_in_any_order() -> None:
    template = "{Modality}/{InstanceNumber:05}.dcm"
    four = rows(1, 2, 2, 3)
    expected = dict(zip([row["SOPInstanceUID"] for row in four], places(template, four), strict=True))
    assert expected["1.2.0"] == "CT/00001.dcm"
    assert re.fullmatch(r"CT/00002-[0-9a-f]{12}\.dcm", expected["1.2.1"])
    assert len(set(expected.values())) == 4
    for order in permutations(four):
        assert [expected[row["SOPInstanceUID"]] for row in order] == places(template, order)


def test_names_that_differ_in_case_alone_are_one_name_to_windows() -> None:
    found = places(
        "{Modality}.dcm", [{"Modality": "ct", "SOPInstanceUID": "1"}, {"Modality": "CT", "SOPInstanceUID": "2"}]
    )
    assert len({path.casefold() for path in found}) == 2


def test_the_same_instance_twice_has_one_place() -> None:
    assert len(set(places("{Modality}.dcm", rows(1)[:1] * 2))) == 1


def test_ten_thousand_drawn_rows_have_as_many_places() -> None:
    drawn = random.Random(7)
    many = rows(*(drawn.randrange(3000) for _ in range(10_000)))
    assert len({path.casefold() for path in places("{Modality}/{InstanceNumber:05}.dcm", many)}) == 10_000
