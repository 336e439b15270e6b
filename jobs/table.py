"""An answer as aligned text for a person. Pure.

On a terminal too narrow for a row, columns are cut with an ellipsis; where that would leave too little of them, each
row becomes a block of its own. Elsewhere nothing is cut. Text from a PACS may hold control characters, which a terminal
would obey: they are shown escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, time
from typing import Any

from rich.cells import cell_len, set_cell_size

NULL = "NULL"
GAP = "  "
NARROWEST = 8
"""A cut column keeps at least this many cells."""

Row = Sequence[Any]


def render(columns: Sequence[str], rows: Sequence[Row], width: int | None) -> Iterator[str]:
    """Give the lines of a table no wider than `width` cells (None: as wide as it needs)."""
    cells = [[cell(value) for value in row] for row in rows]
    names = [visible(name) for name in columns]
    natural = [max(map(cell_len, column)) for column in zip(names, *cells, strict=True)]
    widths = fitting(natural, width)
    if widths is None:
        yield from _blocks(names, cells)
        return
    right = [all(_is_number(row[place]) for row in rows) and bool(rows) for place in range(len(columns))]
    yield _line(names, widths, right)
    yield GAP.join("-" * size for size in widths)
    for row in cells:
        yield _line(row, widths, right)


def fitting(natural: Sequence[int], width: int | None) -> list[int] | None:
    """Cut the widest columns until a row fits; None when they would become too narrow to read."""
    widths = list(natural)
    if width is None:
        return widths
    room = width - len(GAP) * (len(widths) - 1)
    while sum(widths) > room:
        widest = max(widths)
        if widest <= NARROWEST:
            return None
        next_widest = max((size for size in widths if size < widest), default=NARROWEST)
        share = -(-(sum(widths) - room) // widths.count(widest))
        least = max(next_widest, NARROWEST, widest - share)
        widths = [least if size == widest else size for size in widths]
    return widths


def cell(value: Any) -> str:
    """Show one value: NULL is visible, lists are in brackets, nothing can move the cursor."""
    if value is None:
        return NULL
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(cell, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{visible(str(key))}: {cell(item)}' for key, item in value.items())}}}"
    if isinstance(value, bytes | bytearray):
        return visible(value.decode("ascii", "backslashreplace"))
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float | date | time) else visible(str(value))


def visible(text: str) -> str:
    """Escape what is not printable."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _line(texts: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    fitted = map(_fit, texts, widths, right)
    return GAP.join(fitted).rstrip()


def _fit(text: str, width: int, right: bool) -> str:
    length = cell_len(text)
    if length > width:
        return f"{set_cell_size(text, width - 1)}…"
    padding = " " * (width - length)
    return padding + text if right else text + padding


def _blocks(names: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator[str]:
    label = max(map(cell_len, names))
    for number, row in enumerate(cells, start=1):
        yield f"-- row {number}"
        for name, text in zip(names, row, strict=True):
            yield f"{name}{' ' * (label - cell_len(name))}{GAP}{text}"
