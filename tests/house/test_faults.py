"""Each fault of the table has its test."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.faults.planted import ACCESSION, BIRTH_DATE, NAME, PATIENT_ID, named_in
from tests.faults.table import FAULTS

FOLDER = Path(__file__).resolve().parents[1] / "faults"
Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_each_row_of_the_table_has_one_test() -> None:
    tests = Counter(
        node.name.removeprefix("test_")
        for path in FOLDER.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, Function) and node.name.startswith("test_")
    )
    assert tests == Counter(fault.name for fault in FAULTS)


def test_what_a_back_end_meets_happens_with_both() -> None:
    """The test of each row takes the fixture `queued`, by itself or by another, unless the row says why not."""
    for path in FOLDER.glob("test_*.py"):
        functions = {**_functions(FOLDER / "conftest.py"), **_functions(path)}
        for fault in FAULTS:
            if test := functions.get(f"test_{fault.name}"):
                assert ("queued" in _wanted(test, functions)) is not bool(fault.aside), fault.name


def _functions(path: Path) -> dict[str, Function]:
    return {node.name: node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, Function)}


def _wanted(test: Function, functions: Mapping[str, Function]) -> set[str]:
    """Name the fixtures that a test takes, and those that they take."""
    found, due = set[str](), [test]
    while due:
        args = due.pop().args
        names = {one.arg for one in (*args.args, *args.kwonlyargs)} - found
        found |= names
        due += [functions[name] for name in names if name in functions]
    return found


@pytest.mark.parametrize(
    "text",
    [
        *(NAME, PATIENT_ID, BIRTH_DATE, ACCESSION),
        *("of Lefèvre.", "ROE^RICHARD", "[66614847]", "1953-01-04", "'A230102000000'"),
    ],
)
def test_what_names_a_patient_is_found(text: str) -> None:
    assert named_in(f"asked about {text}, in vain")


def test_what_names_none_is_not() -> None:
    line = '{"event": "asked", "days": "20240131-20240229", "at": "x.py:12", "rows": 1000000, "id": "2.25.661123"}'
    assert not named_in(f"{line} process 12345, 2024-01-31T12:30:59.123456Z, 1970-01-01")
