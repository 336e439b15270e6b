"""Rows that do not answer the question are counted, parents that the answer omits are filled in."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from crawler.model import Window
from crawler.plan.outside import belonging_to, outside_window

DAYS = pa.table({"StudyDate": pa.array([date(2024, 1, 1), date(2024, 1, 9), None], pa.date32())})


def test_rows_before_and_after_the_window_are_outside() -> None:
    assert outside_window(DAYS, Window(date(2024, 1, 2), date(2024, 1, 8))) == 2
    assert outside_window(DAYS, Window(date(2024, 1, 1), date(2024, 1, 8))) == 1
    assert outside_window(DAYS, Window(None, None)) == 0


def test_an_omitted_parent_is_filled_in_and_a_wrong_one_is_counted() -> None:
    rows = pa.table({"StudyInstanceUID": pa.array([None, "", "1.2", "9.9"])})
    filled, contradicting = belonging_to(rows, "StudyInstanceUID", pa.array(["1.2"] * 4))
    assert filled["StudyInstanceUID"].to_pylist() == ["1.2", "1.2", "1.2", "9.9"]
    assert contradicting == 1


def test_rows_that_agree_are_left_as_they_are() -> None:
    rows = pa.table({"StudyInstanceUID": pa.array(["1.2"])})
    assert belonging_to(rows, "StudyInstanceUID", pa.array(["1.2"]))[0] is rows
