"""Errors of DuckDB as ours: about the statement in its own words, about values without them."""

from __future__ import annotations

import duckdb
import pytest

from crawler.errors import LakeError, UserError
from crawler.lake.answer import plain_errors


@pytest.mark.parametrize(
    "name", ["Doe^Jane", "O'Brien^Mary", "'", "A'B'C'Doe", "Doe\nJane", 'Doe "Jane" O\'Brien', 'Doe"']
)
@pytest.mark.parametrize(
    "statement", ["SELECT CAST($1 AS INTEGER)", "SELECT CAST($1 AS DATE)", "SELECT strptime($1, '%Y')"]
)
def test_no_value_is_in_an_error_however_it_is_quoted(name: str, statement: str) -> None:
    with pytest.raises(LakeError) as raised, plain_errors(), duckdb.connect() as connection:
        connection.execute(statement, [name])
    assert str(raised.value).startswith(("Conversion Error: ", "Invalid Input Error: "))
    assert not [word for word in ("Doe", "Jane", "Brien", "Mary", "A'B", "'B'") if word in str(raised.value)]


def test_what_is_wrong_with_a_statement_is_said_in_full() -> None:
    with (
        pytest.raises(UserError, match='Referenced column "nosuch" not found'),
        plain_errors(),
        duckdb.connect() as one,
    ):
        one.execute("SELECT nosuch FROM range(3)")
