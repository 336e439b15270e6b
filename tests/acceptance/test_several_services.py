"""Services that share the jobs of one lake by a queue in PostgreSQL: each slot is done once, whoever dies."""

from __future__ import annotations

import asyncio
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, date, datetime, timedelta
from glob import glob
from pathlib import Path

import pytest

from crawler.errors import NoLakeError
from crawler.model import Level
from crawler.serve.notify import Notifier
from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from jobs.doing import Doer
from jobs.pacs import pause
from jobs.units import shared
from jobs.work import work
from jobs.worker import Leash, Order
from tests.acceptance import hasty
from tests.acceptance.hasty import SILENCE
from tests.acceptance.installed import ENVIRONMENT, pacslake
from tests.acceptance.queues import Cluster
from tests.acceptance.serving import Serving, configure_jobs, done_before, serving, wait_until
from tests.acceptance.sweeping import ask, differences, said

TODAY = date.today()
ARCHIVE = Archive(150, TODAY - timedelta(days=6), TODAY, seed=11, series_per_study=2)
BOTH = ("main", "other")
NIGHTLY = '[jobs.nightly]\nkind = "sweep"\nreconcile_days = 0\ncron = "0 0 29 2 *"\n'
SLOW = Quirks(latency=0.7)
"""What has begun will not be over before somebody changes that."""
HASTY = (sys.executable, "-P", str(hasty.__file__))
LONG = timedelta(days=9 * 366)
ASSOCIATIONS = 2
TIMED = {"always_timed": "true", "max_associations": ASSOCIATIONS}


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


def lose_postgresql(postgres: Cluster, services: Sequence[Serving]) -> None:
    """Stop the queue until what is under way has stopped too."""
    [working] = at_work(services)
    postgres.stop()
    stopped = time.monotonic()
    working.wait_for("job ended", len(BOTH))
    assert time.monotonic() - stopped < SILENCE  # nobody can have taken it before
    postgres.start()
    wait_until(lambda: sum(len(one.events("job begins")) for one in services) == 2 * len(BOTH))
    assert [len(one.events("the queue cannot be reached; nothing new is begun")) for one in services] == [1, 1]


def freeze(service: Serving) -> tuple[int, ...]:
    """Have everything of a service stand still, as on a machine that is frozen; gives its processes."""
    machine = job_of(service), service.process.pid
    for process in machine:
        os.kill(process, signal.SIGSTOP)
    return machine


def kill(service: Serving, other: Serving) -> list[str]:
    """Kill a service, and wait until another has begun what it did; say what that is."""
    begun = len(other.events("job begins"))
    service.process.kill()
    killed = time.monotonic()
    other.wait_for("job begins", begun + 1)
    assert time.monotonic() - killed < 60
    return [one["job"] for one in other.events("job begins")[begun:]]


def test_without_the_queue_frozen_or_killed_each_slot_is_done_once_and_nothing_is_lost(
    tmp_path: Path, postgres: Cluster, url: str
) -> None:
    with ExitStack() as stack:
        pacs = {name: stack.enter_context(running(Simulator(ARCHIVE, quirks=SLOW))) for name in BOTH}
        asked = {name: one.counts.queries for name, one in pacs.items()}
        configure_jobs(tmp_path, {name: one.port for name, one in pacs.items()}, NIGHTLY, **TIMED)
        shares(tmp_path, url)
        done_before(tmp_path, "nightly:main", "nightly:other", ago=LONG)
        services = [stack.enter_context(serving(tmp_path, program=HASTY)) for _ in range(2)]
        wait_until(lambda: all(asked[name][Level.SERIES] > 3 for name in BOTH))
        wait_until(lambda: all(one.events("serving") for one in services))
        [working] = at_work(services)
        shown = pacslake(tmp_path, "queue").stdout.decode()
        assert "2 services live" in shown
        assert re.search(rf"(nightly:\w+ +is done .* {job_of(working)} .*\n){{2}}", shown)

        lose_postgresql(postgres, services)
        before = asked["main"][Level.SERIES]
        wait_until(lambda: asked["main"][Level.SERIES] > before)
        assert max(one.peak_associations for one in pacs.values()) <= ASSOCIATIONS

        [frozen] = at_work(services)
        [other] = {*services} - {frozen}
        machine = freeze(frozen)
        wait_until(lambda: len(other.events("job begins")) >= len(BOTH))
        pacs["main"].quirks = Quirks()
        done_twice = ("nightly:main", "complete"), 2
        wait_until(lambda: done_twice in states(tmp_path).items(), every=0.5)  # while the other PACS is asked
        queries = asked["main"].total()
        for process in machine:
            os.kill(process, signal.SIGCONT)
        frozen.wait_for("job ended", len(frozen.events("job begins")))

        assert kill(other, frozen) == ["nightly:other"]
        pacs["other"].quirks = Quirks()
        frozen.wait_for("job ended", job="nightly:other", exit_code=0)
        assert stop(frozen) == [0]
        assert asked["main"].total() == queries  # neither who woke nor who took over asked anything more
        assert states(tmp_path) == {(f"nightly:{name}", "complete"): 2 for name in pacs}
        assert [differences(tmp_path, name, Level.SERIES, ARCHIVE) for name in pacs] == [[], []]
        assert pacslake(tmp_path, "verify").returncode == 0


def ordered(folder: Path, *names: str) -> Order:
    """Give the order to do the nightly sweep at PACS of these names at once."""
    first, *others = (f"nightly:{name}" for name in names)
    slot = datetime.now(UTC)
    return Order(shared(load(folder / "pacslake.toml")), slot, first, beside=dict.fromkeys(others, slot))


def test_of_what_is_stopped_what_got_through_is_done(tmp_path: Path) -> None:
    async def stopped(order: Order) -> dict[str, tuple[int, float]]:
        leash = Leash(asyncio.Event())
        doing = asyncio.create_task(Doer(Notifier(None), asyncio.Event()).do(order, leash))
        await asyncio.to_thread(wait_until, lambda: done(order.name), 1.0)
        leash.stop.set()
        return await doing

    def done(name: str) -> bool:
        with suppress(NoLakeError):
            return (name, "complete") in states(tmp_path)
        return False

    with ExitStack() as stack:
        quirks = {"main": Quirks(), "other": Quirks(latency=60)}
        pacs = {name: stack.enter_context(running(Simulator(ARCHIVE, quirks=quirks[name]))) for name in BOTH}
        configure_jobs(tmp_path, {name: one.port for name, one in pacs.items()}, NIGHTLY, levels='["study"]')
        ended = asyncio.run(stopped(ordered(tmp_path, *BOTH)))
    assert ended == {"nightly:main": (0, 0.0), "nightly:other": (130, 0.0)}
    assert states(tmp_path) == {("nightly:main", "complete"): 1}


def test_of_pacs_that_are_crawled_at_once_each_is_written_down(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE)) as pacs, running(Simulator(ARCHIVE, ae_title="ANOTHER")) as refusing:
        ports = {"paused": pacs.port, "refusing": refusing.port, "main": pacs.port}
        configure_jobs(tmp_path, ports, NIGHTLY.replace("reconcile_days = 0", ""), levels='["study"]')
        pause(load(tmp_path / "pacslake.toml"), "paused", None, "")
        assert work(ordered(tmp_path, *ports)) == 130  # as what is not written down
    assert states(tmp_path) == {("nightly:refusing", "partial"): 1, ("nightly:main", "complete"): 1}


def test_a_job_that_hears_nothing_of_its_service_ends(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE, quirks=SLOW)) as pacs:
        configure_jobs(tmp_path, {"main": pacs.port}, NIGHTLY, **TIMED)
        order = Order(load(tmp_path / "pacslake.toml"), datetime.now(UTC), "nightly", pulse=1.0)
        command = [sys.executable, "-P", "-m", "jobs.work"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT) as job:
            assert job.stdin is not None
            job.stdin.write(pickle.dumps(order))
            while not pacs.counts.queries.total():
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
