"""Tables for people: aligned, nothing hidden, nothing that moves the cursor."""

from __future__ import annotations

from datetime import date, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from jobs.table import NARROWEST, cell, fitting, render, visible

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
TABLES = st.integers(1, 5).flatmap(
    lambda columns: st.tuples(
        st.lists(st.text(), min_size=columns, max_size=columns),
        st.lists(st.lists(VALUES, min_size=columns, max_size=columns), max_size=5),
    )
)


def test_columns_are_aligned_and_numbers_stand_right() -> None:
    rows = [("CT", 12, None), ("MR", 3, [1, 2])]
    assert list(render(["modality", "n", "list"], rows, None)) == [
        "modality   n  list",
        "--------  --  ------",
        "CT        12  NULL",
        "MR         3  [1, 2]",
    ]


def test_wide_letters_count_two_cells() -> None:
    assert list(render(["name", "n"], [("山田", 1), ("Doe", 2)], None)) == ["name  n", "----  -", "山田  1", "Doe   2"]


def test_the_widest_column_is_cut_first() -> None:
    lines = list(render(["a", "b"], [("short", "x" * 40)], 20))
    assert lines[2] == "short  " + "x" * 12 + "…"


def test_a_row_that_cannot_be_cut_becomes_a_block() -> None:
    lines = list(render(["first", "b"], [("x" * 20, "y" * 20)], 12))
    assert lines == ["-- row 1", "first  " + "x" * 20, "b      " + "y" * 20]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "NULL"),
        ("", ""),
        ("a\x1b[31m\n", "a\\x1b[31m\\n"),
        (["CT", None], "[CT, NULL]"),
        ({"tag": "00080020", "reason": "DA"}, "{tag: 00080020, reason: DA}"),
        (b"a\xff\x1b", "a\\xff\\x1b"),
        (True, "true"),
        (date(2024, 1, 31), "2024-01-31"),
        (time(10, 11, 12, 500), "10:11:12.000500"),
    ],
)
def test_a_value_is_shown_as(value: object, shown: str) -> None:
    assert cell(value) == shown


@given(st.text())
def test_shown_text_has_no_control_characters(text: str) -> None:
    assert visible(text).isprintable()


@given(TABLES, st.none() | st.integers(1, 200))
def test_any_table_is_lines_that_fit(table: tuple[list[str], list[list[Any]]], width: int | None) -> None:
    columns, rows = table
    lines = list(render(columns, rows, width))
    assert all(line.isprintable() for line in lines)
    if width is not None and lines and not lines[0].startswith("-- row"):
        fits = fitting([max(cell_len(cell(row[at])) for row in [columns, *rows]) for at in range(len(columns))], width)
        assert fits is None or all(cell_len(line) <= width for line in lines)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=20), st.integers(1, 400))
def test_cut_widths_use_the_room_and_leave_enough_to_read(natural: list[int], width: int) -> None:
    widths = fitting(natural, width)
    room = width - 2 * (len(natural) - 1)
    if widths is None:
        assert sum(min(size, NARROWEST) for size in natural) > room
        return
    assert sum(widths) <= room
    assert all(got == size or NARROWEST <= got < size for got, size in zip(widths, natural, strict=True))
