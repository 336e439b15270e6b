"""The tests of this folder: none may name a patient anywhere; and after them the table, with what came of each."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from crawler import log
from crawler.settings import Settings
from tests.acceptance.retrieving import retrieve
from tests.conftest import find_peer
from tests.faults.injected import Runner, Victims, victims
from tests.faults.losing import LOSSES, LOST_MEANWHILE
from tests.faults.overhearing import Overheard, overhearing
from tests.faults.planted import named_in
from tests.faults.swept import Sweep, sweep_here
from tests.faults.table import FAULTS
from tests.faults.works import QUICK, WORKS, Bench, bench

if TYPE_CHECKING:
    from tests.faults.queued import Queued

LONG = bool(os.environ.get("PACSLAKE_FAULTS"))
"""Whether each fault is tried in its long form, as `make faults` does."""
ALONE, QUEUE = "alone", "queue"
"""The back ends."""
SAMPLE = ("test_malformed_values",)
"""What the short form tries with both."""


@pytest.fixture(scope="session")
def long() -> bool:
    """Tell whether a test shall try all there is, or a sample of it."""
    return LONG


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let a fault that a back end meets happen to both of them: in the short form to a sample."""
    if "queued" not in metafunc.fixturenames:
        return
    ends = (ALONE, QUEUE) if LONG or metafunc.function.__name__ in SAMPLE else (ALONE,)
    cases: dict[str, dict[str, list[Any]]] = {
        "work": {ALONE: list(WORKS if LONG else QUICK), QUEUE: [work for work in WORKS if work.job]},
        "lose": {ALONE: list(LOSSES), QUEUE: list(LOST_MEANWHILE)},
    }
    for name, tried in cases.items():
        if name in metafunc.fixturenames:
            found = [(end, case) for end in ends for case in tried[end]]
            ids = [f"{end}-{getattr(case, 'name', None) or case.__name__}" for end, case in found]
            metafunc.parametrize(("queued", name), found, ids=ids, indirect=["queued"], scope="module")
            return
    metafunc.parametrize("queued", ends, indirect=True, scope="module")


@pytest.fixture(scope="module")
def queued(request: pytest.FixtureRequest, overheard: Overheard) -> Queued | None:
    """Give what has jobs done by a queue; None where a command does them, or one service by its clock."""
    if request.param == ALONE:
        return None
    from tests.faults.queued import Queued

    return Queued(request.getfixturevalue("postgres"))


@pytest.fixture(scope="module")
def sweep(queued: Queued | None) -> Sweep:
    """Give the function by which a test sweeps."""
    return queued.sweep if queued else sweep_here


@pytest.fixture(scope="module")
def bring(queued: Queued | None) -> Callable[[Settings], int]:
    """Give the function by which a test brings the cohort `all`; what is told of it is on standard error."""
    return queued.bring if queued else retrieve


@pytest.fixture(scope="module")
def typist(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victims]:
    """Have a process that runs commands, so that they begin at once."""
    find_peer("strace", "strace")
    with victims(tmp_path_factory.mktemp("runs")) as running:
        yield running


@pytest.fixture(scope="module")
def runner(queued: Queued | None, tmp_path_factory: pytest.TempPathFactory, typist: Victims) -> Runner:
    """Have what does the works that a test disturbs."""
    if queued is None:
        return typist
    from tests.faults.traced_jobs import JobVictims

    return JobVictims(queued, tmp_path_factory.mktemp("jobs"))


@pytest.fixture
def tries(queued: Queued | None, *, long: bool) -> int | None:
    """Say at how many system calls something goes wrong; None for all of them. A job takes seconds to begin."""
    return (6 if queued else None) if long else 1


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory, runner: Runner) -> Iterator[Bench]:
    """Have a folder for works that are disturbed, and a PACS."""
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
    came: dict[tuple[str, str], list[str]] = defaultdict(list)
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            name, _, variant = report.location[2].partition("[")
            end = QUEUE if QUEUE in variant.rstrip("]").split("-") else ALONE
            came[name.removeprefix("test_"), end].append(outcome)
    terminalreporter.section("faults: met by commands and one service, and by services with a queue")
    for fault in FAULTS:
        alone, queue = (_told(came[fault.name, end]) for end in (ALONE, QUEUE))
        ends = f"{alone:<14} {'-' if fault.aside and queue == NOT_TRIED else queue:<14} "
        terminalreporter.write_line(f"{ends}{fault.what}: {fault.must[:1].lower()}{fault.must[1:]}.")
    for aside in sorted({fault.aside for fault in FAULTS if fault.aside}):
        terminalreporter.write_line(f"- {aside}: {', '.join(one.name for one in FAULTS if one.aside == aside)}.")


NOT_TRIED = "not tried"


def _told(outcomes: list[str]) -> str:
    if not outcomes:
        return NOT_TRIED
    passed = outcomes.count("passed")
    return "survived" if passed == len(outcomes) else f"{len(outcomes) - passed} of {len(outcomes)} FAIL"
