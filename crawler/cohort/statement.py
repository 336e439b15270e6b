"""The SQL of a cohort: that it answers alike whenever it is asked of one version, and what each condition leaves.

Pure, but for asking DuckDB's parser.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from crawler.errors import UserError
from crawler.lake.parsed import Node, nodes, parse_tree, path_of, written_out
from crawler.lake.query import Lake

CHANGING = frozenset(
    (
        *("ago", "current_date", "current_localtime", "current_localtimestamp", "current_role", "current_time"),
        *("current_timestamp", "current_user", "gen_random_uuid", "get_current_time", "get_current_timestamp"),
        *("localtime", "localtimestamp", "now", "random", "reservoir_quantile", "session_user", "today"),
        *("transaction_timestamp", "user", "uuid", "uuidv4", "uuidv7"),
    )
)
"""Functions, some of them written without brackets, that do not always give the same."""

_BEYOND_WHERE = ("having", "qualify", "group_expressions", "sample")


class Step(NamedTuple):
    """The statement with its first conditions alone."""

    condition: str
    """The last of them, '' for what FROM gives."""
    statement: str
    parameters: dict[str, str]
    """Those that it uses."""


def check_statement(lake: Lake, statement: str, parameters: Mapping[str, str]) -> None:
    """Refuse SQL that could answer otherwise tomorrow, and parameters that do not fit. UserError."""
    tree = parse_tree(lake.connection, statement)
    for node in nodes(tree):
        if "sample" in node:
            raise UserError("A sample is another one each time; take hash(StudyInstanceUID) % 10 = 0 for a tenth.")
        if name := _changing(node):
            raise UserError(
                f"{name} gives something else each time, and a cohort must not; give the day or the number by --param."
            )
    wanted = _parameters(tree)
    if missing := sorted(wanted - parameters.keys()):
        raise UserError(f"the SQL uses ${missing[0]}; give it a value: --param {missing[0]}=VALUE")
    if excess := sorted(parameters.keys() - wanted):
        raise UserError(f"the SQL does not use --param {excess[0]}; write ${excess[0]} where its value belongs")


def _changing(node: Node) -> str:
    """Name the function by which a node would change, '' where it would not."""
    if node.get("class") in ("FUNCTION", "WINDOW"):
        name = path_of(node)[-1]
        from_today = name == "age" and len(node.get("arguments", ())) < 2
        return name if name in CHANGING or from_today else ""
    if node.get("class") == "COLUMN_REF":
        name = str(node["column_names"][-1]).lower()
        return name if name in CHANGING and len(node["column_names"]) == 1 else ""
    return ""


def _parameters(tree: Any) -> set[str]:
    return {str(node["identifier"]) for node in nodes(tree) if node.get("class") == "PARAMETER"}


def steps_of(lake: Lake, statement: str, parameters: Mapping[str, str]) -> list[Step]:
    """Give the statement with no condition of its WHERE, with the first, with the first two, and so on.

    None at all where it is not one SELECT whose WHERE alone narrows it, or joins without a condition.
    """
    tree = parse_tree(lake.connection, statement)
    if tree is None or len(tree) != 1 or not _is_plain(tree[0]["node"]):
        return []
    where = tree[0]["node"].pop("where_clause", None)
    conditions = _joined_by_and(where) if where else []
    steps = [_step(lake, tree[0], "", parameters)]
    for number, condition in enumerate(conditions, start=1):
        narrowed = copy.deepcopy(tree[0])
        narrowed["node"]["where_clause"] = {
            "class": "CONJUNCTION",
            "type": "CONJUNCTION_AND",
            "children": conditions[:number],
        }
        steps.append(_step(lake, narrowed, _as_text(lake, condition), parameters))
    return steps


def _step(lake: Lake, tree: Node, condition: str, parameters: Mapping[str, str]) -> Step:
    used = _parameters(tree)
    given = {name: value for name, value in parameters.items() if name in used}
    return Step(condition, written_out(lake.connection, tree), given)


def _is_plain(node: Node) -> bool:
    """Whether WHERE alone narrows it. Tables joined by WHERE would without it give each row with each."""
    if node["type"] != "SELECT_NODE" or any(name in node for name in _BEYOND_WHERE):
        return False
    if any(one["type"] not in ("ORDER_MODIFIER", "DISTINCT_MODIFIER") for one in node.get("modifiers", ())):
        return False
    return all(one.get("ref_type", "REGULAR") == "REGULAR" for one in nodes(node.get("from_table")) if _is_join(one))


def _is_join(node: Node) -> bool:
    return node.get("type") == "JOIN"


def _joined_by_and(where: Node) -> list[Node]:
    if where.get("type") != "CONJUNCTION_AND":
        return [where]
    children: Iterable[Node] = where["children"]
    return [condition for child in children for condition in _joined_by_and(child)]


def _as_text(lake: Lake, condition: Node) -> str:
    bare = {
        "type": "SELECT_NODE",
        "cte_map": {},
        "select_list": [condition],
        "from_table": {"type": "EMPTY"},
        "aggregate_handling": "STANDARD_HANDLING",
    }
    text = written_out(lake.connection, {"node": bare}).removeprefix("SELECT ")
    inner = re.fullmatch(r"\(([^()]*)\)", text)
    return inner[1] if inner else text
