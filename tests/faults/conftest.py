"""After the tests of this folder: the table of faults, and what came of each."""

from __future__ import annotations

import os
from collections import defaultdict

import pytest

from tests.faults.table import FAULTS

LONG = bool(os.environ.get("PACSLAKE_FAULTS"))
"""Whether each fault is tried in its long form, as `make faults` does."""


@pytest.fixture
def long() -> bool:
    """Tell whether a test shall try all there is, or a sample of it."""
    return LONG


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table after the long form."""
    if not LONG:
        return
    came: dict[str, list[str]] = defaultdict(list)
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            came[_name(report)].append(outcome)
    terminalreporter.section("faults")
    for fault in FAULTS:
        terminalreporter.write_line(
            f"{_told(came[fault.name]):<14} {fault.what}: {fault.must[:1].lower()}{fault.must[1:]}."
        )


def _name(report: pytest.TestReport) -> str:
    return report.location[2].partition("[")[0].removeprefix("test_")


def _told(outcomes: list[str]) -> str:
    if not outcomes:
        return "not tried"
    passed = outcomes.count("passed")
    return "survived" if passed == len(outcomes) else f"{len(outcomes) - passed} of {len(outcomes)} FAIL"
