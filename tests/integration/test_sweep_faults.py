"""Sweeps of PACS that turn us away, grant little, or recover: exact, or on record as not complete, never silently.

What else they do on the network is in tests/faults/test_network.py.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import Failure, Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import ENVIRONMENT
from tests.acceptance.sweeping import configure, differences, said, states, sweep
from tests.faults.misbehaving import BREAKING_OFF
from tests.faults.peers import answering, scripted
from tests.faults.swept import sweep_here
from tests.integration.real_pacs import dcmqrscp

DAYS = (date(2024, 2, 1), date(2024, 2, 28))
RANGE = ("--from", str(DAYS[0]), "--to", str(DAYS[1]))
ARCHIVE = Archive(120, *DAYS, seed=5, series_per_study=2)
LEVELS = (Level.STUDY, Level.SERIES)


@dataclass(frozen=True)
class Started:
    """A sweep under way."""

    folder: Path
    process: subprocess.Popen[bytes]

    def outcome(self) -> tuple[int, str]:
        """Wait for its end; give the exit code and what it said."""
        words = self.process.communicate(timeout=120)[1].decode()
        return self.process.returncode, words


def start(folder: Path) -> Started:
    command = ["pacslake", "sweep", *RANGE]
    process = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return Started(folder, process)


@pytest.fixture(scope="module")
def good() -> Iterator[Simulator]:
    with running(Simulator(ARCHIVE)) as simulator:
        yield simulator


def assert_whole(folder: Path, pacs: str, days: tuple[date, date] = DAYS) -> None:
    assert states(folder, pacs).keys() == {"complete"}
    for level in LEVELS:
        assert differences(folder, pacs, level, ARCHIVE, days) == []


def test_a_pacs_that_refuses_every_query_is_named(good: Simulator, tmp_path: Path) -> None:
    with scripted(answering(status=0x0122)) as pacs:
        configure(tmp_path, {"bad": pacs.port, "good": good.port})
        done = sweep(tmp_path, *RANGE)
    assert (done.returncode, done.stdout) == (3, b"")
    bad, other = sorted(said(done).splitlines())
    assert bad.startswith("bad: NOT crawled: the PACS refuses the query")
    assert other.startswith("good: ")
    assert other.endswith("; complete.")
    assert_whole(tmp_path, "good")
    assert "complete" not in states(tmp_path, "bad")


def test_a_pacs_that_breaks_off_everything_is_given_up_with_what_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with scripted(BREAKING_OFF["aborts"]) as pacs:
        configure(tmp_path, {"bad": pacs.port}, levels='["study"]', max_associations=1)
        assert sweep_here(tmp_path) == 3
    why = "the association is lost again and again: the PACS aborted the association before its final response"
    assert f"bad: NOT crawled: {why}" in capsys.readouterr().err


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


@pytest.mark.parametrize("failure", list(Failure))
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
