"""Three services share the jobs of ten PACS while whatever can happen to them does; for an hour by `make soak`.

No slot is done twice, no PACS sees more than it may, and in the end the lake is right. pytest finds this file by its
name alone: it takes PACSLAKE_SOAK_SECONDS and more.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.queues import Cluster, cluster
from tests.acceptance.serving import Serving, configure_jobs, serving, wait_until
from tests.acceptance.sweeping import ask, differences
from tests.acceptance.test_several_services import at_work, job_of

SECONDS = float(os.environ.get("PACSLAKE_SOAK_SECONDS", "180"))
SEED = int(os.environ.get("PACSLAKE_CHAOS_SEED", random.randrange(10**6)))
PACS = [f"pacs{number}" for number in range(10)]
ASSOCIATIONS = 2
LAST = date.today() - timedelta(days=1)
ARCHIVES = {name: Archive(60, LAST - timedelta(days=29), LAST, seed=7 + place) for place, name in enumerate(PACS)}
JOBS = """
[jobs.sweeping]
kind = "sweep"
interval = "20s"
lookback_days = 40
reconcile_days = 0
[jobs.upkeep]
kind = "maintain"
interval = "3m"
"""


@pytest.fixture
def postgres(postgres_programs: Path) -> Iterator[Cluster]:
    with cluster(postgres_programs) as found:
        yield found


class Chaos:
    """Does to services and their queue what power, people and networks do."""

    def __init__(self, folder: Path, stack: ExitStack, postgres: Cluster) -> None:
        self._folder = folder
        self._stack = stack
        self._postgres = postgres
        self._url = postgres.new_database("chaos")
        self.draw = random.Random(SEED)
        self.services = [self._new() for _ in range(3)]
        self.ended: list[Serving] = []
        self.done = Counter[str]()
        self.frozen_at: set[str] = set()
        """PACS that were asked by a machine when it was frozen: it keeps its associations meanwhile."""

    def _new(self) -> Serving:
        return self._stack.enter_context(serving(self._folder, "--queue", self._url))

    def happen(self) -> None:
        """Let one thing happen, to whoever does a job where there is one."""
        kind = self.draw.choice((self._kill, self._kill, self._stop, self._pause, self._freeze, self._cut_off))
        busy = [*at_work(self.services)]
        place = self.services.index(busy[0]) if busy and self.draw.random() < 0.8 else self.draw.randrange(3)
        kind(place)
        self.done[kind.__name__.strip("_")] += 1

    def _replace(self, place: int) -> None:
        self.services[place].process.wait(timeout=60)
        self.ended.append(self.services[place])
        self.services[place] = self._new()
        self.services[place].wait_for("serving")  # one that is stopped before ends as any command does

    def _kill(self, place: int) -> None:
        self.services[place].process.kill()
        self._replace(place)

    def _stop(self, place: int) -> None:
        self.services[place].process.terminate()
        self._replace(place)
        assert self.ended[-1].process.returncode == 0

    def _pause(self, place: int) -> None:
        """Freeze a service, but not what it has under way."""
        self._frozen_for([self.services[place].process.pid])

    def _freeze(self, place: int) -> None:
        service, processes = self.services[place], [self.services[place].process.pid]
        try:
            processes.insert(0, job_of(service))
            begun = service.events("job begins")[len(service.events("job ended")) :]
            self.frozen_at |= {one["job"].partition(":")[2] for one in begun}
        except ValueError:  # it does nothing just now
            pass
        self._frozen_for(processes)

    def _frozen_for(self, processes: list[int]) -> None:
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for process in processes:
                os.kill(process, number)
            if number == signal.SIGSTOP:
                time.sleep(self.draw.choice((3, 30, 40)))

    def _cut_off(self, _place: int) -> None:
        self._postgres.stop()
        time.sleep(self.draw.choice((2, 20)))
        self._postgres.start()


def test_no_slot_is_done_twice_and_nothing_is_lost(tmp_path: Path, postgres: Cluster) -> None:
    with ExitStack() as stack:
        quirks = Quirks(latency=0.05, jitter=0.02)
        pacs = {name: stack.enter_context(running(Simulator(ARCHIVES[name], quirks=quirks))) for name in PACS}
        configure_jobs(tmp_path, {name: one.port for name, one in pacs.items()}, JOBS, max_associations=ASSOCIATIONS)
        file = tmp_path / "pacslake.toml"
        file.write_text(file.read_text().replace('"127.0.0.1:0"', '""'))
        chaos = Chaos(tmp_path, stack, postgres)
        until = time.monotonic() + SECONDS
        wait_until(lambda: any(at_work(chaos.services)))
        [working] = at_work(chaos.services)
        working.wait_for("job begins", len(PACS))  # one of them does what is due, at all PACS at once
        while time.monotonic() < until:
            time.sleep(chaos.draw.uniform(2, 12))
            chaos.happen()
        begun = sum(len(service.events("job begins")) for service in (*chaos.services, *chaos.ended))
        wait_until(
            lambda: sum(len(one.events("job begins")) for one in (*chaos.services, *chaos.ended)) > begun + len(PACS)
        )  # all is well again
        for service in chaos.services:
            service.process.terminate()
        assert [service.process.wait(30) for service in chaos.services] == [0, 0, 0]
        print(f"seed {SEED}", dict(chaos.done), ask(tmp_path, "select state, count(*) from job_runs group by all"))
        for name, one in pacs.items():
            assert one.peak_associations <= ASSOCIATIONS * (1 + (name in chaos.frozen_at)), name
        everything = [said for service in (*chaos.services, *chaos.ended) for said in service.said]
        assert not [said for said in everything if "unexpected" in said["event"]]
        _judge(tmp_path, pacs)


def _judge(folder: Path, pacs: dict[str, Simulator]) -> None:
    twice = """select job, due_at, count(*) from job_runs where state in ('complete', 'capped')
        group by all having count(*) > 1"""
    assert ask(folder, twice) == []
    for one in pacs.values():
        one.quirks = Quirks()
    assert pacslake(folder, "sweep").returncode == 0
    for name, archive in ARCHIVES.items():
        for level in (Level.STUDY, Level.SERIES):
            assert differences(folder, name, level, archive) == []
    assert ask(folder, "select count(*) from studies where removed_at is not null") == [(0,)]
    assert pacslake(folder, "verify").returncode == 0
