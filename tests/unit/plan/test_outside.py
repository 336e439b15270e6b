"""Parents that an answer omits are filled in, rows of other parents are counted."""

from __future__ import annotations

import pyarrow as pa

from crawler.plan.outside import belonging_to


def test_an_omitted_parent_is_filled_in_and_a_wrong_one_is_counted() -> None:
    rows = pa.table({"StudyInstanceUID": pa.array([None, "", "1.2", "9.9"])})
    filled, contradicting = belonging_to(rows, "StudyInstanceUID", pa.array(["1.2"] * 4))
    assert filled["StudyInstanceUID"].to_pylist() == ["1.2", "1.2", "1.2", "9.9"]
    assert contradicting == 1


def test_rows_that_agree_are_left_as_they_are() -> None:
    rows = pa.table({"StudyInstanceUID": pa.array(["1.2"])})
    assert belonging_to(rows, "StudyInstanceUID", pa.array(["1.2"]))[0] is rows
