"""The limits of a PACS, counted where it counts: at the PACS, over several processes and restarts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import ENVIRONMENT, pacslake
from tests.acceptance.sweeping import ask, configure, differences, said
from tests.integration.real_pacs import free_port

ROOT = Path(__file__).parents[2]
DAYS = (date(2024, 2, 1), date(2024, 2, 28))
SWEEP = ("sweep", "--from", str(DAYS[0]), "--to", str(DAYS[1]))
ARCHIVE = Archive(120, *DAYS, seed=5, series_per_study=2)
LEVELS = (Level.STUDY, Level.SERIES)


@pytest.fixture
def pacs() -> Iterator[Simulator]:
    with running(Simulator(ARCHIVE)) as simulator:
        yield simulator


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "jobs.cli", *(arguments or SWEEP), "--config", str(folder / "pacslake.toml")]
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def wait_for(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def pause(seconds: float) -> None:
    """Let others work."""
    time.sleep(seconds)


def queries(pacs: Simulator) -> int:
    return sum(pacs.counts.queries.values())


def has_more(pacs: Simulator, than: int) -> bool:
    return queries(pacs) > than


def kept(folder: Path) -> dict[str, float]:
    """Give what is kept of the PACS; nothing when nothing is."""
    file = folder / "lake" / "pacs" / "main.json"
    return dict(json.loads(file.read_text())) if file.exists() else {}


def assert_whole(folder: Path) -> None:
    for level in LEVELS:
        assert differences(folder, "main", level, ARCHIVE, DAYS) == []


def test_processes_that_are_killed_and_others_beside_them_keep_one_limit_together(
    tmp_path: Path, pacs: Simulator
) -> None:
    """Each process alone would ask at once."""
    configure(tmp_path, {"main": pacs.port}, max_queries_per_minute=3)
    with start(tmp_path) as first:
        wait_for(lambda: queries(pacs) > 0)
        first.kill()
    with start(tmp_path) as second, start(tmp_path, "check", "main") as check, start(tmp_path, "backfill") as third:
        pause(3)
        for process in (second, check, third):
            process.kill()
    came = sorted(first for first, _ in pacs.counts.under_way)
    for first_of_two, next_one in pairwise(came):
        assert next_one - first_of_two > 15


def test_a_limit_spreads_a_sweep_and_loses_nothing(tmp_path: Path) -> None:
    few = Archive(12, *DAYS, seed=5, series_per_study=2)
    with running(Simulator(few)) as pacs:
        configure(tmp_path, {"main": pacs.port}, max_queries_per_minute=300)
        done = pacslake(tmp_path, *SWEEP)
        came = sorted(first for first, _ in pacs.counts.under_way)
    assert done.returncode == 0, said(done)
    assert differences(tmp_path, "main", Level.SERIES, few, DAYS) == []
    assert came[-1] - came[0] > (len(came) // 5 - 1) * 0.9


def test_queries_are_under_way_in_the_allowed_share_of_time_alone(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(latency=0.05))) as pacs:
        configure(tmp_path, {"main": pacs.port}, duty_cycle=0.2)
        began = time.monotonic()
        for seconds in (6.0, 1.0):
            asked = queries(pacs)
            with start(tmp_path) as sweep:
                wait_for(partial(has_more, pacs, asked))
                pause(seconds)
                sweep.terminate()
                assert sweep.wait(timeout=30) == 130
        elapsed = time.monotonic() - began
        busy, until = 0.0, 0.0
        for first, last in sorted(pacs.counts.under_way):
            busy += max(0.0, last - max(first, until))
            until = max(until, last)
    assert 0.1 < busy < 0.2 * elapsed + 1.5


def test_a_pause_ends_a_sweep_which_goes_on_after_it(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(latency=0.02))) as pacs:
        configure(tmp_path, {"main": pacs.port})
        with start(tmp_path) as sweep:
            wait_for(lambda: queries(pacs) > 20)
            done = pacslake(tmp_path, "pacs", "pause", "main", "--until", "2999-01-01", "--reason", "new disks")
            assert done.returncode == 0, said(done)
            words = sweep.communicate(timeout=30)[1].decode()
        assert sweep.returncode == 3, words
        why = "it is paused (new disks), until 2999-01-01 00:00 (UTC)"
        assert words.splitlines()[-1].endswith(f"; stopped, because {why}. Run the same command again to go on.")
        assert ask(tmp_path, "select state from sweeps") == [("interrupted",)]
        asked = queries(pacs)
        for command in (SWEEP, ("check", "main")):
            done = pacslake(tmp_path, *command)
            assert (done.returncode, done.stdout) == (1, b"")
            assert said(done) == f"pacslake: main may not be asked now: {why}\n"
        assert queries(pacs) == asked
        assert pacslake(tmp_path, "pacs", "resume", "main").returncode == 0
        pacs.quirks = Quirks()
        assert pacslake(tmp_path, *SWEEP).returncode == 0
    assert_whole(tmp_path)


def test_the_kill_switch_cuts_off_even_an_answer_that_never_comes(tmp_path: Path) -> None:
    switch = tmp_path / "STOP"
    with running(Simulator(ARCHIVE, quirks=Quirks(latency=3600))) as pacs:
        configure(tmp_path, {"main": pacs.port})
        settings = tmp_path / "pacslake.toml"
        settings.write_text(settings.read_text() + '[local]\nkill_switch = "STOP"\n')
        with start(tmp_path) as sweep:
            wait_for(lambda: queries(pacs) > 0)
            switch.touch()
            words = sweep.communicate(timeout=60)[1].decode()
        assert sweep.returncode == 130, words
        assert f"stopped, because the kill switch {switch} is there; delete it to go on." in words
        done = pacslake(tmp_path, *SWEEP)
        assert done.returncode == 1
        assert said(done) == (
            f"pacslake: main may not be asked now: the kill switch {switch} is there; delete it to go on\n"
        )
        switch.unlink()
        pacs.quirks = Quirks()
        assert pacslake(tmp_path, *SWEEP).returncode == 0
    assert_whole(tmp_path)


def test_a_pacs_that_gives_no_answer_is_left_alone_over_restarts_too_until_somebody_says_otherwise(
    tmp_path: Path,
) -> None:
    """Under Patient Root each sweep of a PACS that is down makes three tries, one right after the other."""
    port = free_port()
    configure(tmp_path, {"main": port}, model='"patient"')
    assert pacslake(tmp_path, *SWEEP).returncode == 3
    assert kept(tmp_path)["failures"] == 3
    with start(tmp_path) as second:
        wait_for(lambda: kept(tmp_path).get("failures", 0) >= 5)
        second.kill()
    (tmp_path / "lake" / "pacs" / "main.json").write_text(
        json.dumps({**kept(tmp_path), "retry_from": time.time() + 900})  # the back-off that was drawn may be short
    )
    shown = json.loads(pacslake(tmp_path, "pacs", "list", "--format", "json").stdout)["pacs"][0]
    assert not shown["may_be_asked"]
    assert re.match(r"main gave no answer \d times in a row; it is tried again at ", shown["now"])
    with running(Simulator(ARCHIVE, port=port)) as pacs, start(tmp_path) as third:
        pause(3)
        assert third.poll() is None
        assert queries(pacs) == 0
        assert pacslake(tmp_path, "pacs", "resume", "main").returncode == 0
        words = third.communicate(timeout=60)[1].decode()
    assert third.returncode == 0, words
    assert kept(tmp_path)["failures"] == 0
    assert_whole(tmp_path)


def test_a_pacs_that_answers_much_slower_than_usual_is_asked_less(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(latency=0.01))) as pacs:
        configure(tmp_path, {"main": pacs.port})
        with start(tmp_path) as sweep:
            wait_for(lambda: queries(pacs) > 80)
            pacs.quirks = Quirks(latency=1.5)
            wait_for(lambda: kept(tmp_path).get("pace", 1.0) < 1.0)
            sweep.terminate()
            assert sweep.wait(timeout=30) == 130
        listed = pacslake(tmp_path, "pacs", "list").stdout.decode()
        assert "% of the pace" in listed
        pacs.quirks = Quirks()
        assert pacslake(tmp_path, *SWEEP).returncode == 0
    assert_whole(tmp_path)
