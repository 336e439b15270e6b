"""Lists in Excel workbooks: the cells of the first sheet as text. Touches: disk.

A number in a cell is shown as its format says where that is zeros alone, because such formats stand for leading zeros.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from crawler.errors import UserError

DIGITS = 15
"""Excel keeps so many digits of a number and makes zeros of the others."""


def workbook_cells(path: Path) -> list[list[str]]:
    """Give the cells of each row. UserError where it is no workbook, or holds a number that Excel has rounded."""
    try:
        # The warnings are about styles and other things that are nothing to a list.
        with open(path, "rb") as file, warnings.catch_warnings(action="ignore"):
            sheet = openpyxl.load_workbook(file, read_only=True, data_only=True).worksheets[0]
            rows = enumerate(sheet.iter_rows(), start=1)
            return [[_text_of(path, number, cell) for cell in row] for number, row in rows]
    except (BadZipFile, InvalidFileException, ParseError, EOFError, IndexError, KeyError, OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a workbook ({type(error).__name__}); save it as CSV") from None


def _text_of(path: Path, row: int, cell: Any) -> str:
    value = cell.value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return "" if value is None else str(value)
    if abs(value) >= 10**DIGITS:
        raise UserError(f"{path}, row {row}: a number of more than {DIGITS} digits, which Excel rounds; make it text")
    zeros = cell.number_format
    return str(value).zfill(len(zeros)) if zeros and not zeros.strip("0") else str(value)
