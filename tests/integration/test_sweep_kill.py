"""Sweeps that are stopped or killed at any moment, and run again: the lake is whole, and what was proven is not asked.

PACSLAKE_KILLS says how many random moments are tried on each archive, 3 without it.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from itertools import count
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
ARCHIVE = Archive(600, *DAYS, seed=6, series_per_study=2)
SMALL = Archive(300, *DAYS, seed=7, series_per_study=2)
CROWDED = Archive(250, *DAYS, seed=8, series_per_study=1, busy_day=date(2024, 2, 6), busy=150)
CAPPED = Quirks(cap=30)
"""The crowded day must be cut into hours and less; nothing but the answers tells of the cap."""
SLOW = Quirks(latency=0.002)
LEVELS = (Level.STUDY, Level.SERIES)
KILLS = int(os.environ.get("PACSLAKE_KILLS", "3"))
KILLS_PER_LAKE = 3
EVERYTHING = "; ".join(
    "select {} from {} order by all".format(", ".join(SMALL.table(level).column_names), table)
    for level, table in ((Level.STUDY, "studies"), (Level.SERIES, "series"))
)
TWICE = "select count(*) - count(distinct StudyInstanceUID) from studies"
PROVEN = """select count(*) from studies where exists (from windows
    where level = 'series' and state = 'complete' and StudyDate between date_from and date_to)"""
UNPROVEN = """select date_from, date_to from windows as one
    where state <> 'complete' and key is distinct from 'StudyTime=' and not exists (
        from windows as later where later.asked_at >= one.asked_at and later.state = 'complete'
        and later.level = one.level and one.date_from between later.date_from and later.date_to)"""
ASKED_TWICE = """select count(*) from (select level, date_from, date_to, time_from, time_to, key from windows
    where state = 'complete' group by all having count(*) > 1)
    anti join (from windows where state = 'interrupted') using (date_from, date_to)"""
"""Not those whose series were broken off: their studies are asked for again, to get at the rest of the series."""


@pytest.fixture
def pacs() -> Iterator[Simulator]:
    with running(Simulator(ARCHIVE, quirks=SLOW)) as simulator:
        yield simulator


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start a sweep of the year."""
    command = [sys.executable, "-m", "jobs.cli", *SWEEP, "--config", str(folder / "pacslake.toml")]
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_for_queries(pacs: Simulator, count: int) -> None:
    until = time.monotonic() + 100
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
        wait_for_queries(pacs, 400)
        process.send_signal(number)
        sent = time.monotonic()
        words = process.communicate(timeout=30)[1].decode()
    assert time.monotonic() - sent < 5
    assert process.returncode == 130
    assert words.splitlines()[0] == "pacslake: stopping after the queries under way; once more to stop now"
    assert words.splitlines()[-1].endswith("; stopped. Run the same command again to go on.")
    assert ask(tmp_path, "select state from sweeps") == [("interrupted",)]
    [(proven,)] = ask(tmp_path, PROVEN)
    assert proven > 50
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
        wait_for_queries(pacs, 150)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    pacs.counts.queries.clear()
    done = pacslake(tmp_path, *SWEEP, "--restart")
    assert done.returncode == 0, said(done)
    assert pacs.counts.queries[Level.SERIES] == ARCHIVE.total
    assert_whole(tmp_path)


def be_killed(folder: Path, moments: Sequence[str]) -> int:
    """Sweep once for each moment, killed at it; give how many were running still."""
    command = ["-m", "tests.integration.sweep_victim", ",".join(moments), *SWEEP]
    config = ["--config", str(folder / "pacslake.toml")]
    done = subprocess.run(
        [sys.executable, *command, *config], cwd=ROOT, env=ENVIRONMENT, capture_output=True, check=True
    )
    return int(done.stderr.split()[-1])


def answers(folder: Path) -> bytes:
    """Give everything in the lake as the command prints it."""
    return pacslake(folder, "sql", EVERYTHING, "--format", "csv").stdout


def lake_for(folder: Path, pacs: Simulator) -> Path:
    folder.mkdir()
    configure(folder, {"main": pacs.port})
    return folder


@pytest.mark.parametrize(
    ("archive", "quirks", "codes"),
    [
        pytest.param(SMALL, Quirks(), {0}, id="no cap"),
        # What is left after a kill may be too little to show that no study lacks its time: then that is on record.
        pytest.param(CROWDED, CAPPED, {0, 4}, id="a cap"),
    ],
)
def test_a_sweep_killed_at_any_moment_is_mended_by_the_next(
    tmp_path: Path, archive: Archive, quirks: Quirks, codes: set[int]
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # shown when the test fails
    chance, killed = random.Random(seed), 0
    with running(Simulator(archive, quirks=quirks)) as pacs:
        untouched = lake_for(tmp_path / "untouched", pacs)
        be_killed(untouched, ["-"])
        [(took,)] = ask(untouched, "select epoch(finished_at - started_at) from sweeps")
        truth = answers(untouched)
        assert truth.count(b"\n") == sum(1 + archive.table(level).num_rows for level in LEVELS)
        assert ask(untouched, "select version > 10 from lake_version") == [(True,)]
        for lake in count():
            if killed and lake * KILLS_PER_LAKE >= KILLS:
                break
            folder = lake_for(tmp_path / str(lake), pacs)
            met = be_killed(folder, [f"{chance.uniform(0, 1.1 * took):.3f}" for _ in range(KILLS_PER_LAKE)])
            killed, took = killed + met, took if met else took / 2  # the first may have been slow
            with suppress(NoLakeError):  # what a kill left can be read before it is mended
                assert ask(folder, TWICE) == [(0,)]
            done = pacslake(folder, *SWEEP)
            assert done.returncode in codes, said(done)
            assert answers(folder) == truth
            assert ask(folder, UNPROVEN) == []


def peak_memory(folder: Path, studies: int) -> int:
    """Sweep so many studies and their series; give the largest resident set of the process, in bytes."""
    folder.mkdir()
    with running(Simulator(Archive(studies, *DAYS, series_per_study=1))) as pacs:
        configure(folder, {"main": pacs.port})
        command = [sys.executable, "-m", "jobs.cli", *SWEEP, "--config", str(folder / "pacslake.toml")]
        child = os.posix_spawn(sys.executable, command, ENVIRONMENT)
        _, status, usage = os.wait4(child, 0)
    assert status == 0
    assert ask(folder, "select count(*) from studies") == [(studies,)]
    return usage.ru_maxrss * 1024


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    assert peak_memory(tmp_path / "large", 6_000) < 1.3 * peak_memory(tmp_path / "small", 1_500)
