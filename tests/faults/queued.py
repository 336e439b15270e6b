"""A back end for what these tests do: a service that takes each job from a queue in a real PostgreSQL.

Whatever becomes of a job, the queue and the lake's ledger must tell it as the exit code does.
Touches: network, disk, clock, processes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import TypeVar

import click

from crawler.errors import LakeError, UserError
from crawler.lake.job_runs import slots_done, states_since
from crawler.lake.remote import attach
from crawler.model import JobState
from crawler.queue.postgres import Queue
from crawler.queue.tasks import Shown
from crawler.settings import Settings, load
from jobs.doing import DONE
from jobs.exits import STATES, Exit, worst
from jobs.holds import NOT_NOW
from jobs.units import base_of, shared
from tests.acceptance.queues import Cluster
from tests.acceptance.serving import Serving, done_before, serving
from tests.faults.losing import AGES, NEVER
from tests.faults.swept import since

T = TypeVar("T")
OFTEN, LONGEST = 0.2, 400.0
"""Seconds: how often it is looked whether a job has ended, and how long that may take."""

HURRY = 0.02
"""By what all waiting for a PACS is multiplied that is on the same machine."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a job, at each PACS where it is done at several."""

    codes: Mapping[str, int]
    """With which it ended, by its name in the queue."""
    said: Sequence[str]
    """What the service logged, without what goes with it."""

    @property
    def code(self) -> int:
        """The exit code of all."""
        codes = set(self.codes.values())
        return worst(codes) if codes <= {*STATES, Exit.INTERRUPTED} else next(iter(codes - {*STATES}))


@dataclass
class Queued:
    """Has jobs done in any folder with settings: each folder has a queue of its own."""

    postgres: Cluster
    _numbers: Iterator[int] = field(default_factory=count)

    def sweep(
        self, folder: Path, first: date | None = None, last: date | None = None, *, patiently: bool = True
    ) -> int:
        """Sweep from a day on, since no job ends on another; give the exit code. It always waits between tries."""
        return self.do(folder, "sweep", **since(first)).code

    def do(self, folder: Path, kind: str, **settings: object) -> Done:
        """Have a job of this kind done: one that has not got through yet, or else a new one."""
        names = self.prepared(folder, kind, **settings)
        with self.doing(folder, names) as (service, codes):
            pass
        return Done(codes, [one["event"] for one in service.said])

    def bring(self, settings: Settings) -> int:
        """Bring the cohort `all`; give the exit code. What is told of it is on standard error."""
        folder = settings.lake.path.parent
        file = folder / "pacslake.toml"
        if not load(file).cohorts:
            words = file.read_text().replace("retrieve_patience = 1.0", f"retrieve_patience = {HURRY}")
            file.write_text(f'{words}[cohorts.all]\nsql = "select SeriesInstanceUID from series"\n')
        done = self.do(folder, "retrieve", cohorts=["all"])
        click.echo("\n".join(done.said), err=True)
        return done.code

    def prepared(self, folder: Path, kind: object, **settings: object) -> list[str]:
        """Have a job of this kind due, one that has not got through yet or else a new one; give its names."""
        file = folder / "pacslake.toml"
        if queue_of(folder) is None:
            url = self.postgres.new_database(f"queue{next(self._numbers)}")
            file.write_text(f'{file.read_text()}[serve]\nlisten = ""\nqueue = "{url}"\n')
        names = [name for name, job in shared(load(file)).jobs.items() if job.kind == kind]
        again = {one.name for one in waiting(folder)}.intersection(names)
        if again:
            _asked(folder, Queue.hurry)
        due = [*again] or [name for name in names if not _is_done(folder, name)]
        return due or make_due(folder, f"task{next(self._numbers)}", kind, **settings)

    @contextmanager
    def doing(
        self, folder: Path, names: Sequence[str], program: Sequence[str] = ("pacslake",), **environment: str
    ) -> Iterator[tuple[Serving, dict[str, int]]]:
        """Run a service until jobs have ended; after the block there is the exit code of each."""
        began, codes = datetime.now(UTC), dict[str, int]()
        before = {one.name for one in waiting(folder)}

        def is_over(name: str) -> bool:
            if '"job ended"' in service.words and service.events("job ended", job=name):
                return True
            return name in before and name not in {one.name for one in waiting(folder)}

        with serving(folder, program=program, **environment) as service:
            yield service, codes
            until = time.monotonic() + LONGEST
            while (open_ones := [name for name in names if not is_over(name)]) and service.process.poll() is None:
                assert time.monotonic() < until, (open_ones, service.words)
                time.sleep(OFTEN)
            service.process.terminate()
            code = service.process.wait(30)
        for name in names:
            # Where nothing ended, the service itself did; or who was killed had written down that the job is done.
            ended = '"job ended"' in service.words and service.events("job ended", job=name)
            codes[name] = ended[-1]["exit_code"] if ended else code
        assert code in (Exit.OK, *codes.values()), service.words
        if code == Exit.OK:
            check(folder, codes, began)


def check(folder: Path, codes: Mapping[str, int], began: datetime) -> None:
    """The queue, and what was written into the lake since it began, say of each job what its exit code says."""
    there = {one.name: one for one in waiting(folder)}
    states: Mapping[str, JobState] = {}
    with suppress(LakeError):
        states = states_since(_lake(folder), began)
    for name, code in codes.items():
        if code in DONE:
            assert name not in there, there[name]
        else:
            assert bool(there[name].failures) is (code not in NOT_NOW), (code, there[name])
        if code in STATES and states:
            assert states[name] is STATES[Exit(code)]
        elif code == Exit.ERROR:
            assert states.get(name, JobState.FAILED) is JobState.FAILED


def _is_done(folder: Path, name: str) -> bool:
    """Whether a job was done since it was made due; no lake can say so where it cannot be read."""
    with suppress(LakeError, OSError):
        return len(slots_done(_lake(folder)).get(name, ())) > 1
    return False


def make_due(folder: Path, new: str, kind: object, **settings: object) -> list[str]:
    """Have a new job in the settings of a folder, and due; give its names in the queue."""
    file = folder / "pacslake.toml"
    lines = {"kind": f'"{kind}"', "cron": f'"{NEVER}"', **settings}
    section = f"[jobs.{new}]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())
    file.write_text(file.read_text() + section)
    read = shared(load(file))
    names = [name for name, job in read.jobs.items() if new in (name, base_of(name, job))]
    attach(read.lake.path, read.lake.place)
    done_before(folder, *names, ago=AGES, lake=read.lake.path.name)
    return names


def _lake(folder: Path) -> Path:
    return load(folder / "pacslake.toml").lake.path


def queue_of(folder: Path) -> str | None:
    """Give the queue that the settings of a folder name."""
    return load(folder / "pacslake.toml").serve.queue


def waiting(folder: Path) -> list[Shown]:
    """Give what is in the queue of a folder and not done."""
    with suppress(UserError):  # nobody has made it yet
        return _asked(folder, Queue.shown)[1]
    return []


def _asked(folder: Path, question: Callable[[Queue], Awaitable[T]]) -> T:
    async def asked() -> T:
        queue = Queue(str(queue_of(folder)))
        try:
            return await question(queue)
        finally:
            await queue.close()

    return asyncio.run(asked())
