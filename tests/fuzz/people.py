"""What people write: settings, recipes, lists, questions, SQL. Bytes in; nothing but UserError may come out."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from functools import cache

import duckdb

from crawler.asking.dicom_json import as_json, from_json, json_text
from crawler.asking.dump import as_lines, from_text
from crawler.asking.files import read_query
from crawler.asking.question import ask
from crawler.asking.tree import encode_tree, read_tree
from crawler.cohort.lists import Choice, read_list
from crawler.columns import schema
from crawler.deid.recipe import described, read_recipe
from crawler.errors import UserError
from crawler.live import question
from crawler.live.requests import study_requests
from crawler.model import Level, Model
from crawler.serve.sql.statement import Known, checked, known_to
from crawler.settings import load
from tests.fuzz.places import written

MODELS, SAID = tuple(Model), (None, *Level)
COLUMNS = {
    table: schema(level).names
    for table, level in (
        ("patients", Level.PATIENT),
        ("studies", Level.STUDY),
        ("series", Level.SERIES),
        ("instances", Level.IMAGE),
    )
}
_SAID_OF_SQL = (duckdb.Error, UnicodeError)
"""What DuckDB says of a text that is no SQL; the process that asks it makes a sentence of that."""


def settings(data: bytes) -> None:
    """Any file is settings, or one sentence says what is wrong."""
    path = written("pacslake.toml", data)
    said = f"{path}:"
    try:
        load(path)
    except UserError as error:
        said = str(error)
    assert said.startswith(f"{path}:")
    assert "\n" not in said


def recipes(data: bytes) -> None:
    """Any file is a recipe, or one sentence says what is wrong."""
    with suppress(UserError):
        described(read_recipe(str(written("recipe.toml", data))))


def lists(data: bytes) -> None:
    """Any file is a list of values, or no list."""
    choice = Choice("AccessionNumber") if data[0] & 1 else Choice()
    with suppress(UserError):
        assert read_list(written("list", data[1:]), choice).rows


def keys(data: bytes) -> None:
    """Any words are a question that can be sent, or one sentence says why not."""
    model, level = MODELS[data[0] % len(MODELS)], SAID[data[1] % len(SAID)]
    words = data[2:].decode("utf-8", "surrogateescape").split("\n")  # as Python gives what the shell passes on
    with suppress(UserError):
        asked = ask(model, level, words)
        assert read_tree(asked.encode(), explicit_vr=False) is not None
        assert read_tree(asked.encode(explicit_vr=True), explicit_vr=True) is not None


def queries(data: bytes) -> None:
    """Any file is a question, which can be shown in each form and read again, or is none."""
    with suppress(UserError):
        tree = read_query(written("query", data))
        encode_tree(tree)  # who asks it does so first, and is told of values that are none
        lines = list(as_lines(tree))
        assert json_text(tree)
        from_json(as_json(tree))
        from_text("\n".join(lines))


def sql(data: bytes) -> None:
    """Any text is refused, or is one statement that reads."""
    connection, known = _asked()
    with suppress(UserError, *_SAID_OF_SQL):
        statement = checked(connection, data.decode("utf-8", "replace"), known)
        [only] = connection.extract_statements(statement)
        assert only.type in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


@cache
def _asked() -> tuple[duckdb.DuckDBPyConnection, Known]:
    connection = duckdb.connect(config={"enable_external_access": "false", "threads": "1"})
    for table, names in COLUMNS.items():
        connection.execute(f"CREATE TABLE {table} ({', '.join(f'{name} VARCHAR' for name in names)})")
    return connection, known_to(connection)


def live(data: bytes) -> None:
    """Any text is understood as far as it can be, or is no SELECT."""
    with suppress(UserError):
        asked = question.read(data.decode("utf-8", "replace"), COLUMNS, date(2024, 3, 1))
        for request in study_requests(asked, frozenset(), by_lists=bool(len(data) & 1)):
            assert all(isinstance(value, str) for value in request.keys.values())
