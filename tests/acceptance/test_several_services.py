"""Services that share the jobs of one lake by a queue in PostgreSQL: each slot is done once, whoever dies."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.queues import Cluster, cluster
from tests.acceptance.serving import Serving, configure_jobs, done_before, serving, wait_until
from tests.acceptance.sweeping import ask, differences, said

TODAY = date.today()
ARCHIVE = Archive(60, TODAY - timedelta(days=6), TODAY, seed=11, series_per_study=2)
SWEEP = '[jobs.{}]\nkind = "sweep"\nreconcile_days = 0\ncron = "0 0 29 2 *"\n'
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


def runs(folder: Path) -> list[tuple[str, str]]:
    """Give the jobs that were done, and how they ended, without those that were noted before."""
    statement = "select job, state from job_runs where state <> 'waiting' and started_at <> finished_at order by run"
    return [(job, state) for job, state in ask(folder, statement)]


def stop(*services: Serving) -> None:
    for service in services:
        service.process.send_signal(signal.SIGTERM)
    for service in services:
        assert service.process.wait(timeout=30) == 0


def test_each_slot_is_done_once_by_whoever_is_free(tmp_path: Path, url: str) -> None:
    with ExitStack() as stack:
        pacs = {name: stack.enter_context(running(Simulator(ARCHIVE))) for name in ("main", "other")}
        ports = {name: one.port for name, one in pacs.items()}
        configure_jobs(tmp_path, ports, SWEEP.format("nightly") + SWEEP.format("new"), **TIMED)
        file = tmp_path / "pacslake.toml"
        file.write_text(file.read_text().replace("[serve]\n", f'[serve]\nqueue = "{url}"\n'))
        done_before(tmp_path, "nightly:main", "nightly:other", ago=LONG)
        services = [stack.enter_context(serving(tmp_path)) for _ in range(2)]
        for service in services:
            service.wait_for("serving")
        alone = pacslake(tmp_path, "serve", "--queue", url.replace("pacslake@", "pacslake:hush@"))
        assert alone.returncode == 2
        assert "--queue must not hold a password" in said(alone)
        assert "hush" not in said(alone)
        wait_until(lambda: sum(len(service.events("job ended")) for service in services) >= 2)
        wait_until(lambda: ask(tmp_path, "select count(*) from job_runs where job like 'new:%'") == [(2,)])
        shown = pacslake(tmp_path, "queue")
        assert "2 services live" in shown.stdout.decode()
        stop(*services)
        assert sorted(runs(tmp_path)) == [("nightly:main", "complete"), ("nightly:other", "complete")]
        for name, one in pacs.items():
            assert differences(tmp_path, name, Level.SERIES, ARCHIVE) == []
            assert one.peak_associations <= ASSOCIATIONS
        assert "0 services live" in pacslake(tmp_path, "queue").stdout.decode()
        assert not [one for service in services for one in service.said if one["level"] == "error"]
