"""Rows as an Excel workbook. No text becomes a formula, a link or a number, whatever a PACS put into it.

Excel's own limits decide what a cell can hold: what does not fit (days before 1900, integers beyond 2^53, NaN) is
written as text. A sheet has 1,048,576 rows; more go to further sheets. Touches: disk.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import chain, islice
from pathlib import Path
from typing import Any

from crawler.errors import UserError

CHUNK = 1000
"""Rows that are taken from DuckDB at once."""
SHEET_ROWS = 1_048_576
MOST_COLUMNS = 16_384
LONGEST_TEXT = 32_767
EXACT_INTEGERS = 2**53
"""Excel keeps every number as a double."""
FIRST_YEAR = 1900

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """What went into a workbook; `cut` counts texts that were too long for a cell."""

    rows: int
    sheets: int
    cut: int


def write_workbook(path: Path, columns: list[str], rows: Iterable[Row], sheet_rows: int = SHEET_ROWS) -> Written:
    """Write rows as they come; memory holds one of them."""
    if len(columns) > MOST_COLUMNS:
        raise UserError(f"Excel has {MOST_COLUMNS:,} columns at most; choose fewer by --sql, or another format")
    import xlsxwriter  # 50 ms, and few exports want it

    options = {"constant_memory": True, "tmpdir": str(path.parent), "default_date_format": "yyyy-mm-dd"}
    with xlsxwriter.Workbook(str(path), options) as workbook:
        book = _Book(workbook)
        rest = iter(rows)
        book.add_sheet(columns, islice(rest, sheet_rows - 1))
        for first in rest:
            book.add_sheet(columns, chain([first], islice(rest, sheet_rows - 2)))
    return Written(book.rows, book.sheets, book.cut)


class _Book:
    """A workbook that is being written, and its formats."""

    def __init__(self, workbook: Any) -> None:
        self._workbook = workbook
        self._bold = workbook.add_format({"bold": True})
        self._moment = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._time = workbook.add_format({"num_format": "hh:mm:ss"})
        self.rows = self.sheets = self.cut = 0

    def add_sheet(self, columns: list[str], rows: Iterator[Row]) -> None:
        sheet = self._workbook.add_worksheet()
        sheet.freeze_panes(1, 0)
        self.sheets += 1
        for place, name in enumerate(columns):
            sheet.write_string(0, place, name, self._bold)
        for number, row in enumerate(rows, start=1):
            for place, value in enumerate(row):
                if value is not None:
                    self._write(sheet, (number, place), value)
            self.rows += 1

    def _write(self, sheet: Any, at: tuple[int, int], value: Any) -> None:
        """Write one value as what it is; `write_string` never looks for a formula, as `write` would."""
        if isinstance(value, bool):
            sheet.write_boolean(*at, value)
        elif isinstance(value, int | float) and abs(value) <= EXACT_INTEGERS and not math.isnan(value):
            sheet.write_number(*at, value)
        elif isinstance(value, datetime) and value.year >= FIRST_YEAR:
            sheet.write_datetime(*at, value, self._moment)
        elif isinstance(value, date) and not isinstance(value, datetime) and value.year >= FIRST_YEAR:
            sheet.write_datetime(*at, value)
        elif isinstance(value, time):
            sheet.write_datetime(*at, value, self._time)
        else:
            text = str(value)
            self.cut += len(text) > LONGEST_TEXT
            sheet.write_string(*at, text[:LONGEST_TEXT])
