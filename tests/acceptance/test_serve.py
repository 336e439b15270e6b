"""`pacslake serve` as whoever runs it sees it: what it does and when, how it stops, and who else may use the lake."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from crawler.lake.format import FORMAT, FORMAT_KEY
from crawler.lake.job_runs import slots_done
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from jobs.work import work
from jobs.worker import NEW_JOBS, Leash, Order, have_done
from tests.acceptance.installed import ENVIRONMENT, pacslake
from tests.acceptance.serving import configure_jobs, done_before, serving, wait_until
from tests.acceptance.sweeping import ask, differences, said

TODAY = date.today()
ARCHIVE = Archive(120, TODAY - timedelta(days=6), TODAY, seed=11, series_per_study=2)
SWEEP = '[jobs.{}]\nkind = "sweep"\nreconcile_days = 0\n{}\n'
LEAP = 'cron = "0 0 29 2 *"'
LONG = timedelta(days=9 * 366)
"""A leap day lies in between, even about 2100."""
TIMED = {"always_timed": "true"}
"""What is left after a stop may be too little to show that no study of a day that was cut lacks its time."""
FINISHED = "select coalesce(sum(queries), 0) from windows where level = 'series' and state = 'complete'"
"""Series of so many studies were asked for in windows that are finished."""


@pytest.fixture
def pacs() -> Iterator[Simulator]:
    with running(Simulator(ARCHIVE)) as simulator:
        yield simulator


def runs(folder: Path) -> list[tuple[str, str]]:
    """Give the jobs that were done, and how they ended, in the order of doing."""
    return [(job, state) for job, state in ask(folder, "select job, state from job_runs order by run")]


def stop(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=30)


def test_after_a_week_asleep_each_job_is_done_once_the_longest_due_first(tmp_path: Path, pacs: Simulator) -> None:
    yesterday = f"0 {(datetime.now(UTC).hour + 2) % 24} * * *"
    an_hour_ago = f"0 {(datetime.now(UTC).hour - 1) % 24} * * *"
    jobs = f"""[jobs.upkeep]\nkind = "maintain"\ncron = "{an_hour_ago}"
[jobs.nightly]\nkind = "sweep"\ncron = "{yesterday}"
[jobs.look]\nkind = "check"\n{LEAP}
[jobs.round]\nkind = "reconcile"\n{LEAP}\n"""
    configure_jobs(tmp_path, {"main": pacs.port}, jobs)
    done_before(tmp_path, "upkeep", "nightly", ago=timedelta(days=7))
    with serving(tmp_path) as service:
        service.wait_for("job ended", 2)
        assert stop(service.process) == 0
        assert [one["job"] for one in service.events("job ended")] == ["nightly", "upkeep"]
    assert runs(tmp_path)[2:] == [
        ("look", "waiting"),
        ("round", "waiting"),
        ("nightly", "complete"),
        ("upkeep", "complete"),
    ]
    assert {level: differences(tmp_path, "main", level, ARCHIVE) for level in (Level.STUDY, Level.SERIES)} == {
        Level.STUDY: [],
        Level.SERIES: [],
    }


def test_sigterm_loses_no_finished_window_and_the_next_start_does_the_rest(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(latency=0.02))) as pacs:
        configure_jobs(tmp_path, {"main": pacs.port}, SWEEP.format("nightly", LEAP), **TIMED)
        done_before(tmp_path, "nightly", ago=LONG)
        with serving(tmp_path) as service:
            wait_until(lambda: pacs.counts.queries[Level.SERIES] > 80)
            pacs.quirks = Quirks(latency=60)  # what is asked from now on will not be answered in time
            time.sleep(1)
            assert stop(service.process) == 0
        [(finished,)] = ask(tmp_path, FINISHED)
        assert finished
        assert runs(tmp_path) == [("nightly", "complete")]
        pacs.quirks = Quirks()
        pacs.counts.queries.clear()
        with serving(tmp_path) as service:
            service.wait_for("job ended", exit_code=0)
            assert stop(service.process) == 0
        assert pacs.counts.queries[Level.SERIES] <= ARCHIVE.total - finished
    assert runs(tmp_path) == [("nightly", "complete")] * 2
    assert differences(tmp_path, "main", Level.SERIES, ARCHIVE) == []


def test_a_second_service_and_a_sweep_beside_a_job_end_with_the_name_of_the_owner(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(latency=0.3))) as pacs:
        configure_jobs(tmp_path, {"main": pacs.port}, SWEEP.format("nightly", LEAP))
        done_before(tmp_path, "nightly", ago=LONG)
        with serving(tmp_path) as service:
            wait_until(lambda: sum(pacs.counts.queries.values()))
            second = pacslake(tmp_path, "serve")
            assert second.returncode == 11
            assert f"is served by process {service.process.pid} on {socket.gethostname()}" in said(second)
            beside = pacslake(tmp_path, "sweep")
            assert beside.returncode == 11
            assert "is in use by process " in said(beside)


def test_between_jobs_the_lake_is_free(tmp_path: Path, pacs: Simulator) -> None:
    configure_jobs(tmp_path, {"main": pacs.port}, SWEEP.format("rarely", LEAP))
    with serving(tmp_path):
        wait_until(lambda: (tmp_path / "lake/lake.duckdb").exists() and "rarely" in slots_done(tmp_path / "lake"))
        wait_until(lambda: pacslake(tmp_path, "sweep").returncode == 0)
    assert differences(tmp_path, "main", Level.STUDY, ARCHIVE) == []


def test_after_a_kill_the_next_service_takes_over(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(latency=0.05))) as pacs:
        configure_jobs(tmp_path, {"main": pacs.port}, SWEEP.format("nightly", LEAP), **TIMED)
        done_before(tmp_path, "nightly", ago=LONG)
        with serving(tmp_path) as service:
            wait_until(lambda: pacs.counts.queries[Level.SERIES] > 5)
            service.process.send_signal(signal.SIGKILL)
            service.process.wait()
            # What it had under way sees that it is alone, and stops.
            with serving(tmp_path) as next_service:
                pacs.quirks = Quirks()
                next_service.wait_for("job ended", exit_code=0)
    assert runs(tmp_path) == [("nightly", "complete")] * 2
    assert differences(tmp_path, "main", Level.SERIES, ARCHIVE) == []


def test_sighup_takes_new_settings_and_keeps_the_old_where_they_are_wrong(tmp_path: Path, pacs: Simulator) -> None:
    configure_jobs(tmp_path, {"main": pacs.port}, SWEEP.format("rarely", LEAP))
    done_before(tmp_path, "rarely", ago=timedelta())
    file, right = tmp_path / "pacslake.toml", (tmp_path / "pacslake.toml").read_text()
    with serving(tmp_path) as service:
        service.wait_for("serving")
        for number, (text, sentence) in enumerate(
            (
                (right.replace('"sweep"', '"swep"'), "jobs.rarely.kind must be 'sweep', "),
                (
                    right.replace("0 0 29 2 *", "0 0 30 2 *"),
                    "jobs.rarely.cron names a day that never comes: '0 0 30 2 *'",
                ),
                (right.replace('"lake"', '"elsewhere"'), "lake.path cannot change while the service runs"),
                (right.replace("127.0.0.1:0", "127.0.0.1:1"), "serve.listen cannot change while the service runs"),
            ),
            start=1,
        ):
            file.write_text(text)
            service.process.send_signal(signal.SIGHUP)
            assert sentence in service.wait_for("settings not reloaded", number)["reason"]
        file.write_text(right + SWEEP.format("other", LEAP))
        service.process.send_signal(signal.SIGHUP)
        assert service.wait_for("settings reloaded")["jobs"] == ["rarely", "other"]
        wait_until(lambda: ("other", "waiting") in runs(tmp_path))
        assert stop(service.process) == 0
    assert not (tmp_path / "elsewhere").exists()


def test_systemd_hears_how_the_service_is(tmp_path: Path, pacs: Simulator) -> None:
    configure_jobs(tmp_path, {"main": pacs.port}, SWEEP.format("rarely", LEAP))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)

        def heard(wanted: str) -> str:
            while not (said := systemd.recv(4096).decode()).startswith(wanted):
                assert said.split("=")[0] in ("STATUS", "WATCHDOG"), said
            return said

        with serving(tmp_path, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000") as service:
            heard("READY=1")
            heard("WATCHDOG=1")
            heard("WATCHDOG=1")
            service.process.send_signal(signal.SIGHUP)
            assert heard("RELOADING=1").splitlines()[1].startswith("MONOTONIC_USEC=")
            heard("READY=1")
            service.process.send_signal(signal.SIGTERM)
            heard("STOPPING=1")
            assert service.process.wait(timeout=30) == 0


def test_a_wrong_schedule_is_said_at_the_start(tmp_path: Path) -> None:
    configure_jobs(tmp_path, {"main": 1}, SWEEP.format("n", 'cron = "0 25 * * *"'))
    done = pacslake(tmp_path, "serve")
    assert done.returncode == 2
    assert "jobs.n.cron is no cron line: " in said(done)
    assert not (tmp_path / "lake").exists()


def test_a_lake_of_a_later_release_is_left_alone(tmp_path: Path) -> None:
    configure_jobs(tmp_path, {"main": 1}, SWEEP.format("rarely", LEAP))
    with LakeWriter.open(tmp_path / "lake") as writer:
        writer.log.commit([], properties={FORMAT_KEY: str(FORMAT + 1)})
    done = pacslake(tmp_path, "serve")
    assert done.returncode == 14
    assert said(done).splitlines()[-1].startswith("pacslake: A later release wrote the lake at ")


def test_a_job_that_the_lake_knows_is_not_noted_as_new_again(tmp_path: Path) -> None:
    configure_jobs(tmp_path, {"main": 1}, SWEEP.format("nightly", LEAP) + SWEEP.format("other", LEAP))
    done_before(tmp_path, "nightly", ago=timedelta(days=1))
    # What a service orders that could not read the ledger: its next slot would count as done.
    order = Order(load(tmp_path / "pacslake.toml"), datetime.now(UTC), NEW_JOBS, new=("nightly", "other"))
    assert work(order) == 0
    assert runs(tmp_path) == [("nightly", "complete"), ("other", "waiting")]


def test_a_job_that_has_ended_when_it_is_to_be_stopped_harms_no_service(tmp_path: Path) -> None:
    async def ends(pid: int) -> bool:
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.5)
        return False

    async def done() -> int:
        return await have_done(order, Leash(asyncio.Event(), begins=ends))

    configure_jobs(tmp_path, {"main": 1}, "")
    order = Order(load(tmp_path / "pacslake.toml"), datetime.now(UTC), "nightly")
    assert asyncio.run(done()) == -signal.SIGKILL


def test_upkeep_is_no_sweep(tmp_path: Path) -> None:
    configure_jobs(tmp_path, {"main": 1}, f'[jobs.upkeep]\nkind = "maintain"\n{LEAP}\n')
    done = pacslake(tmp_path, "sweep", "--job", "upkeep")
    assert done.returncode == 2
    assert "jobs.upkeep is no sweep; `pacslake serve` does it" in said(done)


def test_help_shows_examples() -> None:
    done = subprocess.run(["pacslake", "serve", "--help"], env=ENVIRONMENT, capture_output=True, check=True)
    assert "pacslake serve --config /etc/pacslake/pacslake.toml" in done.stdout.decode()
