"""Workbooks, read back by openpyxl: every kind of value, and nothing that Excel would run."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from crawler.errors import UserError
from crawler.export.excel import Written, write_workbook

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    '=HYPERLINK("http://x")',
    "{=1}",
    "http://example.org",
    "mailto:a@b.c",
    "007",
]


def read(path: Path) -> list[list[tuple[Any, str]]]:
    """Give value and kind of each cell, sheet after sheet."""
    book = openpyxl.load_workbook(path)
    return [[(cell.value, cell.data_type) for row in sheet.iter_rows() for cell in row] for sheet in book]


def test_values_come_back_as_they_are(tmp_path: Path) -> None:
    row = (True, 42, 0.5, date(2024, 2, 29), datetime(2024, 2, 29, 23, 59, 58), time(9, 30, 15), "Ä^ö 山田", None, "")
    written = write_workbook(tmp_path / "a.xlsx", [f"c{at}" for at in range(len(row))], [row])
    assert written == Written(rows=1, sheets=1, cut=0)
    [cells] = read(tmp_path / "a.xlsx")
    found = [value for value, _ in cells[len(row) :]]
    assert found == [*row[:3], datetime(2024, 2, 29), *row[4:7], None, ""]


def test_no_text_becomes_a_formula_a_link_or_a_number(tmp_path: Path) -> None:
    write_workbook(tmp_path / "a.xlsx", ["=name"], [(text,) for text in FORMULAS])
    [cells] = read(tmp_path / "a.xlsx")
    assert cells == [(text, "s") for text in ["=name", *FORMULAS]]
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    assert not [cell for row in sheet.iter_rows() for cell in row if cell.hyperlink]


def test_what_no_cell_can_hold_is_text(tmp_path: Path) -> None:
    odd = [date(1899, 12, 31), datetime(1, 1, 1), 2**53 + 1, float("nan"), float("inf"), "\x00\x1b[2J", "x" * 40_000]
    written = write_workbook(tmp_path / "a.xlsx", ["odd"], [(value,) for value in odd])
    assert written.cut == 1
    [[_, *cells]] = read(tmp_path / "a.xlsx")
    assert [kind for _, kind in cells] == ["s"] * len(odd)
    assert [value for value, _ in cells[:5]] == ["1899-12-31", "0001-01-01 00:00:00", "9007199254740993", "nan", "inf"]
    assert len(cells[6][0]) == 32_767


@pytest.mark.parametrize(("rows", "sheets"), [(0, 1), (3, 1), (4, 2), (6, 2), (7, 3)])
def test_more_rows_than_a_sheet_takes_go_to_further_ones(tmp_path: Path, rows: int, sheets: int) -> None:
    written = write_workbook(tmp_path / "a.xlsx", ["n"], ((number,) for number in range(rows)), sheet_rows=4)
    assert (written.rows, written.sheets) == (rows, sheets)
    found = [[value for value, _ in cells] for cells in read(tmp_path / "a.xlsx")]
    assert [values[0] for values in found] == ["n"] * sheets
    assert [number for values in found for number in values[1:]] == list(range(rows))


def test_too_many_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="16,384 columns at most"):
        write_workbook(tmp_path / "a.xlsx", ["n"] * 16_385, [])
