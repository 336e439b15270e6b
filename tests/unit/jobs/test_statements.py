"""Semicolons end statements, but not inside quotes and comments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.statements import is_blank, split


@pytest.mark.parametrize(
    ("text", "statements", "rest"),
    [
        ("", [], ""),
        ("select 1", [], "select 1"),
        ("select 1;", ["select 1"], ""),
        ("select 1; select\n2; sel", ["select 1", "select\n2"], " sel"),
        ("select ';'; x", ["select ';'"], " x"),
        ("select 'it''s;'; x", ["select 'it''s;'"], " x"),
        (r"select e'it\'s;'; x", [r"select e'it\'s;'"], " x"),
        ('select 1 as "a;b"; x', ['select 1 as "a;b"'], " x"),
        ("select $$a;'b$$; x", ["select $$a;'b$$"], " x"),
        ("select $q$a;$$b$q$; x", ["select $q$a;$$b$q$"], " x"),
        ("select 1 -- ; no\n; x", ["select 1 -- ; no"], " x"),
        ("select /* ; ' */ 1; x", ["select /* ; ' */ 1"], " x"),
        ("select 'open; x", [], "select 'open; x"),
        ("select /* open; x", [], "select /* open; x"),
        (";; -- nothing\n; select 1;", ["select 1"], ""),
    ],
)
def test_statements_are_cut_at(text: str, statements: list[str], rest: str) -> None:
    assert split(text) == (statements, rest)


PIECES = st.sampled_from(["select 1", "'a;b'", '"c;d"', "$$e;'f$$", "/* ; */", "-- ;\n", " ", "\n", "x"])


@given(st.lists(st.lists(PIECES, min_size=1).map("".join), min_size=1))
def test_joined_statements_come_apart_again(parts: list[str]) -> None:
    wanted = [part.strip() for part in parts if not is_blank(part)]
    assert split(";".join([*parts, ""])) == (wanted, "")


@given(st.text(alphabet="a;'\"$-/*\n e\\"))
def test_nothing_is_lost_and_cutting_again_changes_nothing(text: str) -> None:
    statements, rest = split(text)
    assert split("".join(f"{statement}\n;" for statement in statements) + rest) == (statements, rest)


def test_comments_are_blank_and_quoted_ones_are_not() -> None:
    assert is_blank(" -- a\n/* b */ ")
    assert not is_blank("'-- a'")
