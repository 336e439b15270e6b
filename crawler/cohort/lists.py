"""Lists as people have them: CSV with any separator, from whatever program, and Excel workbooks. Touches: disk.

Values are text and stay as they are, leading zeros above all. No message holds a value.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from crawler.cohort.definition import KEYS, Listed
from crawler.errors import UserError

_ALIASES = {
    "accession": "AccessionNumber",
    "accessionno": "AccessionNumber",
    "studyuid": "StudyInstanceUID",
    "seriesuid": "SeriesInstanceUID",
    **{key.lower(): key for key in KEYS},
}
"""Headings that are understood, in small letters and without what stands between words."""

_WORKBOOK, _OLD_WORKBOOK = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
"""How such files begin, whatever their name."""
_SEPARATORS = ";\t,|"
_SAYS_SEPARATOR = re.compile(r"sep=(.)\r?\n")
"""A first line by which Excel is told."""
_TEXT_IN_EXCEL = re.compile(r'="(.*)"')
"""How spreadsheets are made to keep leading zeros in CSV."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the values are, where the headings do not say it."""

    by: str | None = None
    """One of `KEYS`."""
    heading: str | None = None
    """Of the column to take, as it stands in the file."""


def read_list(path: Path, choice: Choice) -> Listed:
    """Read a list. UserError where it cannot be understood."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None
    rows = _rows_of_workbook(path) if data.startswith(_WORKBOOK) else _rows_of_text(path, data)
    lines = [line for line in ([_value(cell) for cell in row] for row in rows) if any(line)]
    if not lines:
        raise UserError(f"{path} is empty")
    places, has_heading = _places(path, lines[0], choice)
    taken = ([line[place] if place < len(line) else "" for place in places.values()] for line in lines[has_heading:])
    listed = Listed.of(places, (row for row in taken if any(row)))
    if not listed.rows:
        raise UserError(f"{path} has no values under {', '.join(places)}")
    return listed


def _places(path: Path, first: Sequence[str], choice: Choice) -> tuple[dict[str, int], bool]:
    """Say in which column each key stands, and whether the first line is a heading."""
    known = {_ALIASES[plain]: place for place, name in enumerate(first) if (plain := _plain(name)) in _ALIASES}
    if choice.heading is not None:
        if choice.heading not in first:
            raise UserError(f"{path} has no column {choice.heading!r}; its first line names those it has")
        if choice.by is None:
            raise UserError(f"say what the column {choice.heading!r} holds: --by AccessionNumber, say")
        return {choice.by: first.index(choice.heading)}, True
    if choice.by is not None:
        chosen = {key: place for key, place in known.items() if key in (choice.by, "pacs")}
        return (chosen, True) if choice.by in chosen else ({choice.by: 0}, False)
    if not known.keys() - {"pacs"}:
        raise UserError(
            f"the first line of {path} has none of the headings {', '.join(KEYS[1:])}; "
            "say what the first column holds: --by AccessionNumber, say, and --column HEADING for another one"
        )
    return known, True


def _rows_of_workbook(path: Path) -> Iterable[list[str]]:
    from crawler.cohort.workbook import workbook_cells  # 200 ms, and few callers want it

    return workbook_cells(path)


def _rows_of_text(path: Path, data: bytes) -> Iterator[list[str]]:
    """Give the cells of each line of a text."""
    text = _text_of(path, data)
    said = _SAYS_SEPARATOR.match(text)
    separator = said[1] if said else _separator(text.lstrip().partition("\n")[0])
    reader = csv.reader(io.StringIO(text[said.end() if said else 0 :], newline=""), delimiter=separator, strict=True)
    try:
        for line in reader:
            if any("\n" in cell or "\r" in cell for cell in line):
                raise UserError(
                    f"{path}, line {reader.line_num}: a value ends that began on another line; see the quotes"
                )
            yield line
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: {error}") from None


def _text_of(path: Path, data: bytes) -> str:
    """Read text in the encoding that its first bytes show: UTF-8 or UTF-16, else what Windows writes."""
    if data.startswith(_OLD_WORKBOOK):
        raise UserError(f"{path} is a workbook of an old format; save it as .xlsx or as CSV")
    encodings = ("utf-16",) if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "cp1252")
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UserError(f"{path} is no text in UTF-8, UTF-16 or Windows-1252")


def _separator(line: str) -> str:
    """Give the separator that a line has most of, a comma where it has none."""
    return max(_SEPARATORS, key=lambda one: (line.count(one), one == ","))


def _value(cell: str) -> str:
    text = cell.strip(" \t\r\n\0\u00a0")
    wrapped = _TEXT_IN_EXCEL.fullmatch(text)
    return wrapped[1] if wrapped else text


def _plain(heading: str) -> str:
    return "".join(one for one in heading.lower() if one.isalnum())
