"""DuckDB's own parse tree of a statement. Pure, but for asking DuckDB."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb

from crawler.errors import UserError

Node = dict[str, Any]


def parse_tree(connection: duckdb.DuckDBPyConnection, statement: str) -> list[Node] | None:
    """Give the tree of each SELECT in a text, None where it is anything else. UserError where it is too deep."""
    ask = "SELECT json_serialize_sql($sql, skip_null := true, skip_empty := true, skip_default := true)"
    [(answer,)] = connection.execute(ask, {"sql": statement}).fetchall()
    try:
        tree = json.loads(answer)
    except RecursionError:
        raise UserError("The statement is nested too deeply; take it apart with WITH.") from None
    return None if tree["error"] else list(tree["statements"])


def written_out(connection: duckdb.DuckDBPyConnection, tree: Node) -> str:
    """Give the SQL of one statement's tree."""
    text = json.dumps({"error": False, "statements": [tree]})
    [(statement,)] = connection.execute("SELECT json_deserialize_sql($tree::JSON)", {"tree": text}).fetchall()
    return str(statement)


def nodes(tree: Any) -> Iterator[Node]:
    """Give every node of a tree."""
    left = [tree]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield one
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)


def path_of(node: Node) -> list[str]:
    """Give the name of a table or function in small letters, what stands before it included."""
    path = [str(name).lower() for name in node.get("qualified_name", {}).get("path", ())]
    return path or [""]
