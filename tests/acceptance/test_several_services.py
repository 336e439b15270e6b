"""Services that share the jobs of one lake by a queue in PostgreSQL: each slot is done once, whoever dies."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from glob import glob
from pathlib import Path

import pytest

from crawler.model import Level
from crawler.queue.tasks import SILENCE
from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from jobs.worker import Order
from tests.acceptance.installed import ENVIRONMENT, pacslake
from tests.acceptance.queues import Cluster, cluster
from tests.acceptance.serving import Serving, configure_jobs, done_before, serving, wait_until
from tests.acceptance.sweeping import ask, differences, said

TODAY = date.today()
ARCHIVE = Archive(60, TODAY - timedelta(days=6), TODAY, seed=11, series_per_study=2)
NIGHTLY = '[jobs.nightly]\nkind = "sweep"\nreconcile_days = 0\ncron = "0 0 29 2 *"\n'
SLOW = Quirks(latency=1.0)
"""What has begun will not be over before somebody changes that."""
LONG = timedelta(days=9 * 366)
ASSOCIATIONS = 2
TIMED = {"always_timed": "true", "max_associations": ASSOCIATIONS}


@pytest.fixture(scope="module")
def postgres(postgres_programs: Path) -> Iterator[Cluster]:
    with cluster(postgres_programs) as found:
        yield found


@pytest.fixture
def url(postgres: Cluster, request: pytest.FixtureRequest) -> str:
    return postgres.new_database(request.node.name[:60])


def states(folder: Path) -> dict[tuple[str, str], int]:
    """Count what is written of each job: a slot that was done in the past, and those of the test."""
    rows = ask(folder, "select job, state, count(*) from job_runs group by all")
    return {(job, state): count for job, state, count in rows}


def stop(*services: Serving) -> list[int]:
    for service in services:
        service.process.send_signal(signal.SIGTERM)
    return [service.process.wait(timeout=30) for service in services]


def shares(folder: Path, url: str) -> None:
    """Have the settings name the queue, and no pages."""
    file = folder / "pacslake.toml"
    file.write_text(file.read_text().replace('listen = "127.0.0.1:0"', f'listen = ""\nqueue = "{url}"'))


def at_work(services: Sequence[Serving]) -> Iterator[Serving]:
    """Give those that have begun a job which has not ended."""
    return (one for one in services if len(one.events("job begins")) > len(one.events("job ended")))


def job_of(service: Serving) -> int:
    """Give the process that does the job of a service."""
    wanted = f"/proc/{service.process.pid}/task/*/children"
    children = [int(child) for file in glob(wanted) for child in Path(file).read_text().split()]
    [found] = [child for child in children if b"jobs.work" in Path(f"/proc/{child}/cmdline").read_bytes()]
    return found


def test_each_slot_is_done_once_and_within_a_minute_of_a_kill_another_goes_on(tmp_path: Path, url: str) -> None:
    with ExitStack() as stack:
        pacs = {name: stack.enter_context(running(Simulator(ARCHIVE, quirks=SLOW))) for name in ("main", "other")}
        configure_jobs(tmp_path, {name: one.port for name, one in pacs.items()}, NIGHTLY, **TIMED)
        shares(tmp_path, url)
        done_before(tmp_path, "nightly:main", ago=LONG)
        services = [stack.enter_context(serving(tmp_path)) for _ in range(2)]
        wait_until(lambda: pacs["main"].counts.queries[Level.SERIES] > 3)
        [working] = at_work(services)
        [other] = {*services} - {working}
        other.wait_for("serving")
        shown = pacslake(tmp_path, "queue").stdout.decode()
        assert "2 services live" in shown
        assert re.search(rf"nightly:main +is done .* {job_of(working)} ", shown)
        assert "nightly:other" not in shown  # whose next slot is years ahead
        working.process.kill()
        killed = time.monotonic()
        other.wait_for("job begins")
        assert time.monotonic() - killed < 60
        pacs["main"].quirks = Quirks()
        other.wait_for("job ended", exit_code=0)
        assert stop(other) == [0]
        assert states(tmp_path) == {("nightly:main", "complete"): 2, ("nightly:other", "waiting"): 1}
        assert differences(tmp_path, "main", Level.SERIES, ARCHIVE) == []
        assert pacs["main"].peak_associations <= ASSOCIATIONS
        assert not pacs["other"].counts.queries


def test_nothing_goes_on_without_postgresql_and_who_was_frozen_past_its_lease_does_nothing_more(
    tmp_path: Path, postgres: Cluster, url: str
) -> None:
    with running(Simulator(ARCHIVE, quirks=SLOW)) as pacs, ExitStack() as stack:
        configure_jobs(tmp_path, {"main": pacs.port}, NIGHTLY, **TIMED)
        shares(tmp_path, url)
        done_before(tmp_path, "nightly:main", ago=LONG)
        services = [stack.enter_context(serving(tmp_path)) for _ in range(2)]
        wait_until(lambda: pacs.counts.queries[Level.SERIES] > 3 and all(one.events("serving") for one in services))
        [working] = at_work(services)
        postgres.stop()
        stopped = time.monotonic()
        working.wait_for("job ended")
        assert time.monotonic() - stopped < SILENCE  # nobody can have taken it before
        postgres.start()
        wait_until(lambda: sum(len(one.events("job begins")) for one in services) == 2)
        assert pacs.peak_associations <= ASSOCIATIONS
        assert [len(one.events("the queue cannot be reached; nothing new is begun")) for one in services] == [1, 1]

        asked = pacs.counts.queries[Level.SERIES]
        wait_until(lambda: pacs.counts.queries[Level.SERIES] > asked)
        [frozen] = at_work(services)
        [other] = {*services} - {frozen}
        machine, begun = (job_of(frozen), frozen.process.pid), len(other.events("job begins"))
        for process in machine:
            os.kill(process, signal.SIGSTOP)
        other.wait_for("job begins", begun + 1)
        pacs.quirks = Quirks()
        other.wait_for("job ended", exit_code=0)
        queries = pacs.counts.queries.total()
        for process in machine:
            os.kill(process, signal.SIGCONT)
        frozen.wait_for("job ended", len(frozen.events("job begins")))
        assert stop(*services) == [0, 0]
        assert pacs.counts.queries.total() == queries
        assert states(tmp_path) == {("nightly:main", "complete"): 2}
        assert differences(tmp_path, "main", Level.SERIES, ARCHIVE) == []
        assert pacslake(tmp_path, "verify").returncode == 0


def test_a_job_that_hears_nothing_of_its_service_ends(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE, quirks=SLOW)) as pacs:
        configure_jobs(tmp_path, {"main": pacs.port}, NIGHTLY, **TIMED)
        order = Order(load(tmp_path / "pacslake.toml"), datetime.now(UTC), "nightly", pulse=2.0)
        command = [sys.executable, "-P", "-m", "jobs.work"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT) as job:
            assert job.stdin is not None
            job.stdin.write(pickle.dumps(order))
            while not pacs.counts.queries[Level.SERIES]:
                job.stdin.write(b".")
                job.stdin.flush()
                time.sleep(0.1)
            assert job.wait(timeout=60) != 0
        wait_until(lambda: not pacs.associations)


def test_a_password_in_the_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    configure_jobs(tmp_path, {"main": 1}, NIGHTLY)
    done = pacslake(tmp_path, "serve", "--queue", "postgresql://pacslake:hush@db.example.org/pacslake")
    assert done.returncode == 2
    assert "--queue must not hold a password" in said(done)
    assert "hush" not in said(done)
