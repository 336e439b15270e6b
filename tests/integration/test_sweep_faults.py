"""Sweeps of PACS that are down, turn us away, or break off: exact, or on record as not complete, and never silently.

Sweeps that wait between their tries are started together, before the first test: each test then waits for its own.
"""

from __future__ import annotations

import asyncio
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from crawler.model import Level
from crawler.pacs.acceptor import AcceptedAssociation, Service, serve
from crawler.pacs.messages import Message
from crawler.testing.archive import Archive
from crawler.testing.quirks import Failure, Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import ENVIRONMENT
from tests.acceptance.sweeping import ask, configure, differences, said, states, sweep
from tests.integration.real_pacs import dcmqrscp, free_port

DAYS = (date(2024, 2, 1), date(2024, 2, 28))
RANGE = ("--from", str(DAYS[0]), "--to", str(DAYS[1]))
LAST_DAYS = (date(2024, 2, 24), DAYS[1])
"""A day that comes whole, and a window of four that breaks off: one round of waiting."""
ARCHIVE = Archive(120, *DAYS, seed=5, series_per_study=2)
LEVELS = (Level.STUDY, Level.SERIES)
FAILURES = list(Failure)
VERIFICATION, STUDY_ROOT = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT = ("1.2.840.10008.1.2",)


@dataclass(frozen=True)
class Started:
    """A sweep under way."""

    folder: Path
    process: subprocess.Popen[bytes]

    def outcome(self) -> tuple[int, str]:
        """Wait for its end; give the exit code and what it said."""
        words = self.process.communicate(timeout=120)[1].decode()
        return self.process.returncode, words


def start(folder: Path, first: date = DAYS[0]) -> Started:
    command = ["pacslake", "sweep", "--from", str(first), "--to", str(DAYS[1])]
    process = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return Started(folder, process)


@pytest.fixture(scope="module")
def good() -> Iterator[Simulator]:
    with running(Simulator(ARCHIVE)) as simulator:
        yield simulator


@pytest.fixture(scope="module", autouse=True)
def started(good: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Started]]:
    """Start the sweeps that take long; stop what is left of them."""
    sweeps: dict[str, Started] = {}
    with ExitStack() as stack:
        for failure in FAILURES:
            quirks = Quirks(fails_after=7, failure=failure)
            simulator = stack.enter_context(running(Simulator(ARCHIVE, quirks=quirks)))
            folder = tmp_path_factory.mktemp(failure)
            configure(folder, {"main": simulator.port}, idle_timeout=0.5)
            sweeps[failure] = start(folder, LAST_DAYS[0])
        folder = tmp_path_factory.mktemp("down")
        configure(folder, {"main": free_port(), "good": good.port})
        sweeps["down"] = start(folder)
        yield sweeps
        for one in sweeps.values():
            one.process.kill()
            one.process.communicate()


def assert_whole(folder: Path, pacs: str, days: tuple[date, date] = DAYS) -> None:
    assert states(folder, pacs).keys() == {"complete"}
    for level in LEVELS:
        assert differences(folder, pacs, level, ARCHIVE, days) == []


@contextmanager
def turning_away(service: Service) -> Iterator[int]:
    """Accept associations as `service` says and answer every query with 0x0122, not supported; give the port."""
    loop, ready, ports = asyncio.new_event_loop(), threading.Event(), list[int]()
    stop = asyncio.Event()

    async def answer(association: AcceptedAssociation, request: Message) -> None:
        association.respond(request, 0x0122)

    async def run() -> None:
        acceptor = await serve(service, answer)
        ports.append(acceptor.port)
        ready.set()
        await stop.wait()
        await acceptor.close()

    def serve_until_stopped() -> None:
        loop.run_until_complete(run())
        loop.close()

    thread = threading.Thread(target=serve_until_stopped, daemon=True)
    thread.start()
    ready.wait()
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


@pytest.mark.parametrize(
    ("service", "advice"),
    [
        (
            Service({STUDY_ROOT: IMPLICIT}, admits=lambda ae_title, _: ae_title == "FRIEND"),
            "does not know our AE title PACSLAKE: have it registered there for this machine, or set local.ae_title",
        ),
        (Service({STUDY_ROOT: IMPLICIT}, ae_title="ELSE"), "is not called SIMPACS: set pacs.bad.ae_title to"),
        (
            Service({VERIFICATION: IMPLICIT}),
            "does not offer Study Root C-FIND to PACSLAKE: have it permitted there, or",
        ),
        (Service({}), "none of the services that were asked for: have them permitted there for PACSLAKE"),
        (Service({STUDY_ROOT: IMPLICIT}), "refuses the query"),
    ],
    ids=["calling title", "called title", "model", "nothing offered", "status"],
)
def test_a_pacs_that_turns_us_away_is_named_with_what_to_change(
    good: Simulator, tmp_path: Path, service: Service, advice: str
) -> None:
    with turning_away(service) as port:
        configure(tmp_path, {"bad": port, "good": good.port})
        done = sweep(tmp_path, *RANGE)
    assert (done.returncode, done.stdout) == (3, b"")
    bad, other = sorted(said(done).splitlines())
    assert bad.startswith("bad: NOT crawled: ")
    assert advice in bad
    assert other.startswith("good: ")
    assert other.endswith("; complete.")
    assert_whole(tmp_path, "good")
    assert "complete" not in states(tmp_path, "bad")


def test_dcmqrscp_under_another_title_says_which_key_to_set(
    good: Simulator, tmp_path: Path, dcmtk_tool: Callable[[str], Path]
) -> None:
    with dcmqrscp(dcmtk_tool("dcmqrscp"), dcmtk_tool("dcmqridx"), tmp_path, []) as port:
        configure(tmp_path, {"bad": port, "good": good.port})
        done = sweep(tmp_path, *RANGE)
    assert done.returncode == 3
    assert "is not called SIMPACS: set pacs.bad.ae_title" in said(done)
    assert_whole(tmp_path, "good")


@pytest.mark.parametrize("quirks", [Quirks(max_associations=1), Quirks(one_query=True)])
def test_a_stingy_pacs_is_crawled_whole(tmp_path: Path, quirks: Quirks) -> None:
    with running(Simulator(ARCHIVE, quirks=quirks)) as simulator:
        configure(tmp_path, {"main": simulator.port}, max_associations=2)
        done = sweep(tmp_path, *RANGE)
        assert done.returncode == 0, said(done)
        assert simulator.peak_associations <= 2
    assert_whole(tmp_path, "main")


@pytest.mark.parametrize("failure", FAILURES)
def test_a_pacs_that_recovers_is_crawled_whole(tmp_path: Path, failure: Failure) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(fails_after=1, failure=failure))) as simulator:
        configure(tmp_path, {"main": simulator.port}, idle_timeout=0.5)
        under_way = start(tmp_path)
        while simulator.counts.queries[Level.STUDY] < 2:
            time.sleep(0.01)
        simulator.quirks = Quirks()
        code, words = under_way.outcome()
    assert code == 0, words
    assert_whole(tmp_path, "main")


@pytest.mark.parametrize("failure", FAILURES)
def test_answers_that_always_break_off_are_never_called_complete(started: dict[str, Started], failure: Failure) -> None:
    code, words = started[failure].outcome()
    folder = started[failure].folder
    if code == 0:  # asked for in parts small enough to come through
        assert_whole(folder, "main", LAST_DAYS)
        return
    assert code == 3, words
    assert "NOT complete" in words
    proven = ask(folder, "select date_from, date_to from windows where level = 'study' and state = 'complete'")
    held = {uid for (uid,) in ask(folder, "select StudyInstanceUID from studies")}
    truth = ARCHIVE.table(Level.STUDY, *LAST_DAYS)
    assert truth.num_rows > 7
    for uid, day in zip(truth["StudyInstanceUID"].to_pylist(), truth["StudyDate"].to_pylist(), strict=True):
        assert uid in held or not any(first <= day <= last for first, last in proven)
    assert set(states(folder, "main")) > {"complete"}


def test_a_pacs_that_is_down_is_given_up_and_the_other_one_crawled(started: dict[str, Started]) -> None:
    code, words = started["down"].outcome()
    assert code == 3, words
    assert "main: NOT crawled: nothing listens at PACS main" in words
    assert "check that it runs, and pacs.main.host and port." in words
    assert_whole(started["down"].folder, "good")
