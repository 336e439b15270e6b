"""C-FIND matching against a plain reading of PS3.4 C.2.2.2, one row at a time."""

from __future__ import annotations

import fnmatch
import re
from datetime import date, time

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.columns import CATALOGUE, Attribute
from crawler.model import Level
from crawler.testing.matching import BadKeyError, criterion

STUDY = {attribute.keyword: attribute for attribute in CATALOGUE[Level.STUDY]}
days = st.dates(date(1999, 12, 30), date(2000, 3, 2))
times = st.times(max_value=time(3)) | st.times()
words = st.text("AB*?^.[ü", max_size=5)


def hits(attribute: Attribute, value: str, rows: list[object]) -> list[bool]:
    matches = criterion(attribute, value)
    if matches is None:
        return [True] * len(rows)
    found: list[bool] = matches(pa.array(rows, attribute.arrow_type)).to_pylist()
    return found


@given(st.lists(days | st.none()), st.none() | days, st.none() | days)
def test_ranges_of_days(rows: list[object], low: date | None, high: date | None) -> None:
    if low is None and high is None:
        return
    value = f"{low:%Y%m%d}" if low else ""
    value += f"-{high:%Y%m%d}" if high else "-"
    wanted = [row is not None and (low or date.min) <= row <= (high or date.max) for row in rows]  # type: ignore[operator]  # the strategy gives dates
    assert hits(STUDY["StudyDate"], value, rows) == wanted


@given(st.lists(days | st.none()), days)
def test_single_days(rows: list[object], day: date) -> None:
    assert hits(STUDY["StudyDate"], f"{day:%Y%m%d}", rows) == [row == day for row in rows]


@given(st.lists(times), times, times, st.sampled_from([2, 4, 6, 8, 13]), st.sampled_from([2, 4, 6, 8, 13]))
def test_ranges_of_times_cover_what_their_ends_leave_open(
    rows: list[time], low: time, high: time, low_width: int, high_width: int
) -> None:
    low_text, high_text = f"{low:%H%M%S.%f}"[:low_width], f"{high:%H%M%S.%f}"[:high_width]
    wanted = [
        f"{row:%H%M%S.%f}"[:low_width] >= low_text and f"{row:%H%M%S.%f}"[:high_width] <= high_text for row in rows
    ]
    assert hits(STUDY["StudyTime"], f"{low_text}-{high_text}", list(rows)) == wanted


@given(st.lists(times), times, st.sampled_from([2, 4, 6, 13]))
def test_single_times(rows: list[time], wanted: time, width: int) -> None:
    text = f"{wanted:%H%M%S.%f}"[:width]
    assert hits(STUDY["StudyTime"], text, list(rows)) == [f"{row:%H%M%S.%f}".startswith(text) for row in rows]


@given(st.lists(st.text("AB^.[ü", max_size=5)), words)
def test_wildcards(rows: list[object], value: str) -> None:
    pattern = re.compile(fnmatch.translate(value.strip().replace("[", "[[]")))
    wanted = [not value.strip("*") or pattern.fullmatch(str(row)) is not None for row in rows]
    assert hits(STUDY["StudyDescription"], value, rows) == wanted


@given(
    st.lists(st.lists(st.sampled_from(["CT", "MR", "SR"]))), st.sets(st.sampled_from(["CT", "MR", "C?"]), min_size=1)
)
def test_one_of_several_values_is_enough(rows: list[list[str]], wanted: set[str]) -> None:
    found = hits(STUDY["ModalitiesInStudy"], "\\".join(wanted), list(rows))
    assert found == [any(fnmatch.fnmatch(one, w) for one in row for w in wanted) for row in rows]


def test_uids_match_as_a_list_and_names_in_any_case() -> None:
    assert hits(STUDY["StudyInstanceUID"], "1.2\\1.3", ["1.2", "1.3", "1.23", ""]) == [True, True, False, False]
    assert hits(STUDY["PatientName"], "mü*^a?na", ["MÜLLER^ANNA", "Müller^Ana"]) == [True, False]
    assert hits(STUDY["PatientSex"], "m", ["M", "m"]) == [False, True]
    assert hits(STUDY["NumberOfStudyRelatedSeries"], "3", [3, 4, None]) == [True, False, False]


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("StudyDate", "2024-01-01"),
        ("StudyDate", "20240230"),
        ("StudyDate", "-"),
        ("StudyDate", "202401"),
        ("StudyTime", "9:30"),
        ("StudyTime", "2460"),
        ("StudyTime", "1-2"),
        ("NumberOfStudyRelatedSeries", "many"),
    ],
)
def test_malformed_values_are_refused(keyword: str, value: str) -> None:
    with pytest.raises(BadKeyError):
        criterion(STUDY[keyword], value)
