"""Sweeps that are stopped or killed at any moment, and run again: the lake is whole, and what was proven is not asked.

PACSLAKE_KILLS says how many random moments are tried, 20 without it.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crawler.errors import NoLakeError
from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import ENVIRONMENT, pacslake
from tests.acceptance.sweeping import ask, configure, differences, said

ROOT = Path(__file__).parents[2]
DAYS = (date(2023, 7, 1), date(2024, 6, 30))
SWEEP = ("sweep", "--from", str(DAYS[0]), "--to", str(DAYS[1]))
ARCHIVE = Archive(1200, *DAYS, seed=6, series_per_study=2)
SLOW = Quirks(latency=0.002)
LEVELS = (Level.STUDY, Level.SERIES)
KILLS = int(os.environ.get("PACSLAKE_KILLS", "20"))
KILLS_PER_LAKE = 5
EVERYTHING = [
    "select {} from {} order by all".format(", ".join(ARCHIVE.table(level).column_names), table)
    for level, table in ((Level.STUDY, "studies"), (Level.SERIES, "series"))
]
TWICE = "select count(*) - count(distinct StudyInstanceUID) from studies"
PROVEN = """select count(*) from studies where exists (from windows
    where level = 'series' and state = 'complete' and StudyDate between date_from and date_to)"""
ASKED_TWICE = """select count(*) from (select level, date_from, date_to, key from windows
    where state = 'complete' group by all having count(*) > 1)"""


@pytest.fixture
def pacs() -> Iterator[Simulator]:
    with running(Simulator(ARCHIVE, quirks=SLOW)) as simulator:
        yield simulator


def start(folder: Path, module: str = "jobs.cli") -> subprocess.Popen[bytes]:
    """Start a sweep of the year."""
    command = [sys.executable, "-m", module, *SWEEP, "--config", str(folder / "pacslake.toml")]
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_for_queries(pacs: Simulator, count: int) -> None:
    until = time.monotonic() + 30
    while sum(pacs.counts.queries.values()) < count:
        assert time.monotonic() < until
        time.sleep(0.005)


def assert_whole(folder: Path) -> None:
    for level in LEVELS:
        assert differences(folder, "main", level, ARCHIVE, DAYS) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_sweep_cleanly_and_the_next_one_goes_on(
    tmp_path: Path, pacs: Simulator, number: signal.Signals
) -> None:
    configure(tmp_path, {"main": pacs.port})
    with start(tmp_path) as process:
        wait_for_queries(pacs, 700)
        process.send_signal(number)
        sent = time.monotonic()
        words = process.communicate(timeout=30)[1].decode()
    assert time.monotonic() - sent < 5
    assert process.returncode == 130
    assert words.splitlines()[0] == "pacslake: stopping after the queries under way; once more to stop now"
    assert words.splitlines()[-1].endswith("; stopped. Run the same command again to go on.")
    assert ask(tmp_path, "select state from sweeps") == [("interrupted",)]
    [(proven,)] = ask(tmp_path, PROVEN)
    assert proven > 100
    pacs.counts.queries.clear()
    done = pacslake(tmp_path, *SWEEP)
    assert done.returncode == 0, said(done)
    assert_whole(tmp_path)
    assert pacs.counts.queries[Level.SERIES] <= ARCHIVE.total - proven
    assert ask(tmp_path, ASKED_TWICE) == [(0,)]
    assert ask(tmp_path, "select state, count(*) from sweeps group by all") == [("complete", 1)]


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(latency=20))) as pacs:
        configure(tmp_path, {"main": pacs.port})
        with start(tmp_path) as process:
            wait_for_queries(pacs, 1)
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            words = process.communicate(timeout=10)[1].decode()
        assert process.returncode == 130
        assert words.splitlines()[-1] == "pacslake: stopped at once. Run the same command again to go on."
        pacs.quirks = Quirks()
        assert pacslake(tmp_path, *SWEEP).returncode == 0
    assert_whole(tmp_path)


def test_a_second_sweep_on_one_lake_names_the_first(tmp_path: Path, pacs: Simulator) -> None:
    configure(tmp_path, {"main": pacs.port})
    with start(tmp_path) as process:
        wait_for_queries(pacs, 1)
        done = pacslake(tmp_path, *SWEEP)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert done.returncode == 11
    assert f"is in use by process {process.pid} on " in said(done)


def test_restart_asks_for_everything_again(tmp_path: Path, pacs: Simulator) -> None:
    configure(tmp_path, {"main": pacs.port})
    with start(tmp_path) as process:
        wait_for_queries(pacs, 300)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    pacs.counts.queries.clear()
    done = pacslake(tmp_path, *SWEEP, "--restart")
    assert done.returncode == 0, said(done)
    assert pacs.counts.queries[Level.SERIES] == ARCHIVE.total
    assert_whole(tmp_path)


def readable(folder: Path) -> None:
    """See that a lake answers, if there is one yet, and that it holds no study twice."""
    try:
        assert ask(folder, TWICE) == [(0,)]
    except NoLakeError:
        assert not (folder / "lake" / "lake.duckdb").exists()


def answers(folder: Path) -> list[bytes]:
    """Give everything in the lake as the command prints it."""
    return [pacslake(folder, "sql", statement, "--format", "csv").stdout for statement in EVERYTHING]


def test_a_sweep_killed_at_any_moment_is_mended_by_the_next(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # shown when the test fails
    moments = random.Random(seed)
    with running(Simulator(ARCHIVE)) as pacs:
        untouched = tmp_path / "untouched"
        untouched.mkdir()
        configure(untouched, {"main": pacs.port})
        began = time.monotonic()
        with start(untouched, "tests.integration.sweep_victim") as process:
            assert process.wait(60) == 0
        whole = time.monotonic() - began
        assert_whole(untouched)
        assert ask(untouched, "select version > 10 from lake_version") == [(True,)]
        truth = answers(untouched)
        for lake in range(-(-KILLS // KILLS_PER_LAKE)):
            folder = tmp_path / str(lake)
            folder.mkdir()
            configure(folder, {"main": pacs.port})
            for _ in range(KILLS_PER_LAKE):
                with start(folder, "tests.integration.sweep_victim") as process:
                    time.sleep(moments.uniform(0.25, 1) * whole)
                    process.kill()
                readable(folder)
            done = pacslake(folder, *SWEEP)
            assert done.returncode == 0, said(done)
            assert answers(folder) == truth
