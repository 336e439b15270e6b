"""What the processes that answer SQL refuse: what is no SELECT, or reaches beyond the lake's tables."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import duckdb
import pytest

from crawler.errors import UserError
from crawler.serve.sql.statement import Known, checked, known_to
from crawler.serve.sql.views import Tables
from tests.integration.sandboxes import Asker, statements

FILE = "/etc/passwd"
NOWHERE = 1 << 63
TABLES_BEYOND = (
    "'x.csv'",
    "whole.studies",
    "read_text('x')",
    "query('SELECT 1')",
    "(FROM pg_views)",
    "duckdb_settings()",
)
VALUES_BEYOND = (
    *("current_setting('threads')", "(SELECT content FROM read_text('x'))", "getvariable('x')"),
    *("(WITH x AS (DELETE FROM studies RETURNING 1) FROM x)", "[a FOR a IN [current_setting('threads')]]"),
)
HERE = Path(__file__).resolve().parents[2]

HOSTILE = statements("hostile.sql")


@pytest.fixture(scope="module")
def bare() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE studies (pacs VARCHAR); CREATE TABLE series (pacs VARCHAR)")
        yield connection


def test_there_are_hundreds_of_hostile_statements() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) > 250


@pytest.mark.parametrize("statement", HOSTILE)
def test_a_hostile_statement_is_refused(asker: Asker, statement: str) -> None:
    for phi in (True, False):
        with pytest.raises(UserError):
            asker.ask(statement, phi=phi)


@pytest.mark.parametrize("statement", HOSTILE[::10])
def test_a_hostile_statement_is_not_exported_either(asker: Asker, statement: str) -> None:
    with pytest.raises(UserError):
        asker.export(statement, "csv")


@pytest.mark.parametrize("statement", [*HOSTILE, *(f"SELECT * FROM ({line})" for line in HOSTILE)])
def test_it_is_the_check_that_refuses_it_or_the_parser(bare: duckdb.DuckDBPyConnection, statement: str) -> None:
    """Not only DuckDB, because nothing of that name is there: names and settings come and go with releases."""
    with pytest.raises((UserError, duckdb.ParserException)):
        checked(bare, statement, _known(bare))


def test_a_harmless_statement_is_refused_with_anything_hostile_in_any_place(bare: duckdb.DuckDBPyConnection) -> None:
    changed = [
        statement[:place] + hostile + statement[place + length :]
        for statement in statements("harmless.sql")
        for place, length, any_of in _places(bare, statement)
        for hostile in any_of
    ]
    assert not [statement for statement in changed if _allows(bare, statement)]
    assert len(changed) > 500


def _places(bare: duckdb.DuckDBPyConnection, statement: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Give where a statement names a table or has an expression, and what shall stand there."""
    before = len(statement) - len(re.sub(r"^\s*explain\s", "", statement, flags=re.IGNORECASE))
    [(tree,)] = bare.execute("SELECT json_serialize_sql($1)", [statement[before:]]).fetchall()
    left = [json.loads(tree)]
    while left:
        one = left.pop()
        left.extend(one.values() if isinstance(one, dict) else one if isinstance(one, list) else [])
        if not isinstance(one, dict) or one.get("query_location", NOWHERE) >= NOWHERE:
            continue
        place, length = before + one["query_location"], one["query_location_length"]
        if one.get("type") == "BASE_TABLE":
            yield place, length, TABLES_BEYOND
        elif one.get("class") in ("CONSTANT", "COLUMN_REF", "FUNCTION", "COMPARISON", "OPERATOR", "CASE"):
            yield place, length, VALUES_BEYOND


def test_no_function_of_duckdb_is_allowed_but_those_that_were_looked_at(bare: duckdb.DuckDBPyConnection) -> None:
    rows = bare.execute("SELECT function_name, function_type, stability FROM duckdb_functions()").fetchall()
    known = _known(bare)
    tables = {name for name, kind, _ in rows if kind in ("table", "table_macro", "pragma")}
    assert {name for name in tables if _allows(bare, f'FROM "{name}"(1)')} == {
        *("generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "unnest")
    }
    assert known.functions <= {name.lower() for name, _, _ in rows}
    changing = {name for name, _, stability in rows if stability not in (None, "CONSISTENT")} & known.functions
    assert changing == {
        *("current_date", "error", "gen_random_uuid", "get_current_time", "get_current_timestamp", "now", "random"),
        *("today", "transaction_timestamp", "uuid", "uuidv4", "uuidv7"),
    }


def test_macros_that_are_allowed_are_made_of_what_is_allowed(bare: duckdb.DuckDBPyConnection) -> None:
    macros = bare.execute(
        "SELECT function_name, macro_definition FROM duckdb_functions() WHERE function_type = 'macro'"
    )
    known = _known(bare)
    for name, definition in macros.fetchall():
        if name in known.functions:
            assert _allows(bare, f"SELECT {definition}"), name


@cache
def _known(connection: duckdb.DuckDBPyConnection) -> Known:
    return known_to(connection)


def _allows(connection: duckdb.DuckDBPyConnection, statement: str) -> bool:
    try:
        checked(connection, statement, _known(connection))
    except (UserError, duckdb.ParserException):
        return False
    return True


BEYOND = f"""
FROM read_text('{FILE}')
FROM read_csv('/proc/self/environ')
FROM glob('/etc/*')
FROM '{{lake}}/lake.duckdb'
COPY (SELECT 1) TO '/tmp/pacslake-escaped.csv'
COPY (SELECT 1) TO '{{lake}}/escaped.csv'
ATTACH '/tmp/pacslake-escaped.db'
ATTACH '{{lake}}/lake.duckdb' AS other
INSTALL httpfs
LOAD '/tmp/x.duckdb_extension'
SET enable_external_access = true
SET threads = 64
SET allowed_paths = ['/']
SET lock_configuration = false
FROM studies_of_python
"""


@pytest.mark.parametrize("statement", BEYOND.strip().splitlines())
def test_duckdb_itself_refuses_what_reaches_beyond_the_log(planted: Path, tmp_path: Path, statement: str) -> None:
    """As it would be if a statement slipped through."""
    studies_of_python = duckdb.connect().sql("SELECT 1")
    with Tables(planted, True, 1 << 28, tmp_path).connect() as connection, pytest.raises(duckdb.Error):
        connection.execute(statement.format(lake=planted))
    assert studies_of_python


CONFINED = """
import ctypes, os, resource, socket, subprocess, sys
from pathlib import Path
from crawler.confine import Confines, confine, limit
lake, spill = Path(sys.argv[1]), Path(sys.argv[2])
limit(2 << 30, 1 << 20)
confine(Confines((lake / "log",), (spill,)))
def tried(work):
    try:
        work()
    except (OSError, MemoryError) as error:
        return type(error).__name__
    return "done"
file = next((lake / "log").rglob("*.parquet"))
print(
    tried(lambda: file.read_bytes()),
    tried(lambda: (spill / "own").write_text("x")),
    tried(lambda: file.write_bytes(b"")),
    tried(lambda: file.unlink()),
    tried(lambda: os.truncate(file, 0)),
    tried(lambda: (lake / "log" / "new").write_text("x")),
    tried(lambda: (lake / "lake.duckdb").read_bytes()),
    tried(lambda: Path("/etc/passwd").read_text()),
    tried(lambda: os.listdir("/home")),
    tried(lambda: subprocess.run(["/bin/true"], check=True)),
    tried(lambda: (spill / "large").write_bytes(bytes(2 << 20))),
    tried(lambda: bytes(3 << 30)),
    resource.getrlimit(resource.RLIMIT_CORE)[0],
    oct((spill / "own").stat().st_mode & 0o777),
)
"""


def test_the_kernel_refuses_what_is_not_granted(planted: Path, tmp_path: Path) -> None:
    """As it would if DuckDB let something through: reading elsewhere, writing in the lake, starting programs."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)])}
    done = subprocess.run(
        [sys.executable, "-c", CONFINED, str(planted), str(tmp_path)], capture_output=True, text=True, env=environment
    )
    no = "PermissionError"
    assert done.stdout.split() == [
        *("done", "done", no, no, no, no, no, no, no, no, "OSError", "MemoryError", "0", "0o600")
    ], done.stderr
