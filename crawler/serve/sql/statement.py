"""Which SQL may be asked: one statement that reads known tables, as DuckDB's own parser understands it.

Whatever is not known to be harmless is refused: parts of a statement and functions that a later DuckDB brings are
refused until somebody has looked at them and put them here, or into functions.txt. Touches: disk, for that list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import duckdb

from crawler.errors import UserError
from crawler.lake.parsed import nodes, parse_tree, path_of

LONGEST = 100_000
"""Characters of a statement."""

ONLY_SELECT = "Only SELECT can be asked here (also WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW TABLES and EXPLAIN)"

_EXPRESSIONS = {
    *(
        "BETWEEN",
        "CASE",
        "CAST",
        "COLLATE",
        "COLUMN_REF",
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "FUNCTION",
        "LAMBDA",
    ),
    *("OPERATOR", "PARAMETER", "POSITIONAL_REFERENCE", "STAR", "SUBQUERY", "TYPE", "WINDOW"),
}
_PARTS = {
    *("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE"),
    *("BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "PIVOT", "SHOW_REF"),
    *("DISTINCT_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER"),
    *("ORDER_MODIFIER", "ORDER_DEFAULT", "ASCENDING", "DESCENDING"),
}
_TABLE_FUNCTIONS = frozenset(("generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "unnest"))

_PLAIN_NAME = re.compile(r"\w+")
_EXPLAIN = re.compile(r"\s*explain\s+(?P<rest>.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Known:
    """What a statement may name, in small letters."""

    tables: frozenset[str]
    functions: frozenset[str]
    others: frozenset[str]
    """Tables and views of the catalogue that it may not name."""


def known_to(connection: duckdb.DuckDBPyConnection, schema: str = "main") -> Known:
    """Find out which tables lie in a schema, and what else has a name."""
    tables, others = set[str](), set[str]()
    listed = "SELECT {0}_name, schema_name = $schema AND NOT internal FROM duckdb_{0}s()"
    for kind in ("view", "table"):
        for name, ours in connection.execute(listed.format(kind), {"schema": schema}).fetchall():
            (tables if ours else others).add(name.lower())
    return Known(frozenset(tables), _functions(), frozenset(others - tables))


def checked(connection: duckdb.DuckDBPyConnection, text: str, known: Known) -> str:
    """Give the one statement of a text. UserError, with what to do, where it is refused."""
    if len(text) > LONGEST or "\0" in text or text != text.encode(errors="ignore").decode():
        raise UserError(f"A statement has at most {LONGEST} characters, and no zero or half character among them.")
    statements = connection.extract_statements(text)
    if len(statements) != 1:
        raise UserError(f"{ONLY_SELECT}, one statement at a time; this has {len(statements)}.")
    statement, kind = statements[0].query, _kind(statements[0])
    explained = _EXPLAIN.fullmatch(statement) if kind == duckdb.StatementType.EXPLAIN else None
    tree = None
    if explained or kind == duckdb.StatementType.SELECT:
        tree = parse_tree(connection, explained["rest"] if explained else statement)
    if tree is None:
        raise UserError(f"{ONLY_SELECT}; this is something else.")
    _refuse_unknown(tree, known)
    return str(statement)


def _kind(statement: duckdb.Statement) -> duckdb.StatementType | None:
    try:
        return statement.type
    except ValueError:  # DuckDB has kinds that its Python does not know
        return None


def _refuse_unknown(tree: Any, known: Known) -> None:
    parts = list(nodes(tree))
    as_table = {id(node["function"]) for node in parts if node.get("type") == "TABLE_FUNCTION"}
    named = {entry["key"].lower() for node in parts if "cte_map" in node for entry in node["cte_map"].get("map", ())}
    tables = known.tables | _safe_names(named, known)
    for node in parts:
        kind = node.get("type")
        if "class" in node:
            if node["class"] not in _EXPRESSIONS:
                raise UserError(f"{ONLY_SELECT}; this has an expression of another kind ({node['class']}).")
            if node["class"] in ("FUNCTION", "WINDOW"):
                _refuse_function(node, _TABLE_FUNCTIONS if id(node) in as_table else known.functions)
        elif isinstance(kind, str):
            if kind not in _PARTS:
                raise UserError(f"{ONLY_SELECT}; this has a part of another kind ({kind}).")
            if kind == "BASE_TABLE":
                _refuse_table(node, tables)
            elif kind == "SHOW_REF":
                _refuse_show(node, tables)


def _safe_names(named: set[str], known: Known) -> set[str]:
    """Give what WITH names. Beyond its scope such a name must mean nothing: no file, and nothing in the catalogue."""
    for name in named:
        if not _PLAIN_NAME.fullmatch(name) or name in known.others:
            raise UserError("A name in WITH is made of letters, digits and _, and is none of DuckDB's own tables.")
    return named


def _refuse_function(node: dict[str, Any], allowed: frozenset[str]) -> None:
    name = path_of(node)[-1]  # what stands before it is a schema, or the column in column.function()
    if name not in allowed:
        raise UserError(f"The function {_shown(name)} cannot be used here: it may reach more than the lake's tables.")


def _refuse_table(node: dict[str, Any], tables: set[str] | frozenset[str]) -> None:
    *where, name = path_of(node)
    if where not in ([], ["main"], ["memory", "main"]) or name not in tables:
        raise UserError(f"There is no table {_shown(name)} to be asked here; SHOW TABLES lists those that are.")


def _refuse_show(node: dict[str, Any], tables: set[str] | frozenset[str]) -> None:
    if "query" in node:  # DESCRIBE and SUMMARIZE: what they describe is checked like any other
        return
    if node.get("show_type") == "SHOW":
        _refuse_table(node, tables)
    elif path_of(node) != ['"tables"']:
        raise UserError("Only SHOW TABLES is answered here, and DESCRIBE says what a table's columns are.")


def _shown(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else "of this name"


@cache
def _functions() -> frozenset[str]:
    """Give DuckDB's functions that make a value of their arguments and reach nothing else, in small letters."""
    return frozenset(files("crawler.serve.sql").joinpath("functions.txt").read_text(encoding="utf-8").split())
