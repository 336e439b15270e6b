"""The tests of this folder: none may name a patient anywhere; and after them the table, with what came of each."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Generator, Iterator

import pytest
import structlog

from crawler import log
from tests.conftest import find_peer
from tests.faults.injected import Victims, victims
from tests.faults.overhearing import Overheard, overhearing
from tests.faults.planted import named_in
from tests.faults.table import FAULTS
from tests.faults.works import Bench, bench

LONG = bool(os.environ.get("PACSLAKE_FAULTS"))
"""Whether each fault is tried in its long form, as `make faults` does."""


@pytest.fixture(scope="session")
def long() -> bool:
    """Tell whether a test shall try all there is, or a sample of it."""
    return LONG


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victims]:
    """Have a process that runs commands, so that they begin at once."""
    find_peer("strace", "strace")
    with victims(tmp_path_factory.mktemp("runs")) as running:
        yield running


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory, runner: Victims) -> Iterator[Bench]:
    """Have a folder for commands that are disturbed, and a PACS."""
    with bench(tmp_path_factory.mktemp("works"), runner) as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
def overheard() -> Iterator[Overheard]:
    """Hear what processes of a module say; before its other fixtures, so that theirs are heard too.

    A test need do nothing for it, but where it reads a pipe by hand: `overheard.hear(what_it_read)`.
    """
    with overhearing() as heard:
        yield heard


@pytest.fixture(autouse=True)
def _no_patient_is_named(overheard: Overheard, request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail where a log, an error, a metric, a title of a process or a file's name tells of a patient.

    Searched for are the patients of the simulated PACS, and those of tests/faults/planted.py, which is for answers and
    objects that a test makes by itself. All is said at level debug, in this process too.
    """
    if "tmp_path" in request.fixturenames:
        overheard.heard_in(request.getfixturevalue("tmp_path"))
    handlers, level = logging.root.handlers[:], logging.root.level
    log.configure("debug", human=False)
    yield
    structlog.reset_defaults()
    logging.root.handlers, logging.root.level = handlers, level
    found = overheard.naming()
    for text in request.node.stash.get(_SAID, []):
        found += named_in(text)
    assert not found, found


_SAID = pytest.StashKey[list[str]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what this process said, for the search."""
    report = yield
    item.stash[_SAID] = [text for name, text in report.sections if "stderr" in name or "log" in name]
    return report


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
