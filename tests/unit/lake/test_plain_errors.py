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


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('IO Error: Could not truncate file "/x/Doe^Jane": No space left on device', "No space left on device"),
        ('IO Error: Async write failed: {"exception_message":"\'/x\': Input/output error"}', "Input/output error"),
        ('IO Error: Cannot open "Doe^Jane"', None),
    ],
)
def test_the_reason_of_the_system_is_told_and_no_value(said: str, told: str | None) -> None:
    with pytest.raises(LakeError) as caught, plain_errors():
        raise duckdb.IOException(said)
    assert str(caught.value).endswith(f"…: {told}" if told else "…")
    assert "Doe" not in str(caught.value)
