"""What tests of the service share: settings with jobs, a running service, and what it says."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from crawler.lake.writer import LakeWriter
from crawler.model import JobRun, JobState
from tests.acceptance.installed import ENVIRONMENT
from tests.acceptance.sweeping import configure

PATIENCE = 120.0
"""Seconds to wait for what must come, on a machine that is slow."""


def configure_jobs(folder: Path, ports: Mapping[str, int], jobs: str, **settings: object) -> None:
    """Write pacslake.toml for PACS by name with these sections of jobs."""
    configure(folder, ports, **settings)
    file = folder / "pacslake.toml"
    file.write_text(f'{file.read_text()}[serve]\nlisten = "127.0.0.1:0"\n{jobs}')


def done_before(folder: Path, *jobs: str, ago: timedelta, lake: str = "lake") -> None:
    """Have the ledger say that jobs were done for a slot so long ago."""
    slot = datetime.now(UTC) - ago
    with LakeWriter.open(folder / lake) as writer:
        writer.commit(jobs=[JobRun(job, "sweep", JobState.COMPLETE, slot, slot, slot) for job in jobs])


class Serving:
    """A service that runs in a folder."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], log: Path) -> None:
        self.folder = folder
        self.process = process
        self._log = log

    @property
    def words(self) -> str:
        """Everything it wrote, whatever it is."""
        return self._log.read_text()

    @property
    def said(self) -> list[dict[str, Any]]:
        """Everything it logged; each line is JSON."""
        return [json.loads(line) for line in self.words.splitlines(keepends=True) if line.endswith("\n")]

    def events(self, event: str, **told: object) -> list[dict[str, Any]]:
        """Give what it logged of one kind."""
        return [one for one in self.said if one["event"] == event and told.items() <= one.items()]

    def wait_for(self, event: str, count: int = 1, **told: object) -> dict[str, Any]:
        """Wait until it has logged this so many times."""
        wait_until(lambda: len(self.events(event, **told)) >= count or self.process.poll() is not None)
        found = self.events(event, **told)
        assert len(found) >= count, self.said
        return found[-1]


def wait_until(holds: Callable[[], object], every: float = 0.05) -> None:
    """Wait until something holds, which is looked at every so many seconds."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until
        time.sleep(every)


@contextmanager
def serving(
    folder: Path, *arguments: str, program: Sequence[str] = ("pacslake",), **environment: str
) -> Iterator[Serving]:
    """Run `pacslake serve` in a folder, killed at the end if it still runs then."""
    log = folder / f"service-{len(list(folder.glob('service-*')))}.log"
    with log.open("wb") as out:
        command = [*program, "serve", *arguments]
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **ENVIRONMENT, **environment}, stderr=out)
    try:
        yield Serving(folder, process, log)
    finally:
        process.kill()
        process.wait()
