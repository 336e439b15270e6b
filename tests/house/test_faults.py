"""Each fault of the table has its test."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from tests.faults.table import FAULTS

FOLDER = Path(__file__).resolve().parents[1] / "faults"


def test_no_test_without_a_row_of_the_table() -> None:
    tests = Counter(
        node.name.removeprefix("test_")
        for path in FOLDER.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )
    assert not tests - Counter(fault.name for fault in FAULTS)
