"""Jobs taken from a queue of which one system call fails, or is the last before SIGKILL. Touches: processes, disk.

The job alone is under strace, and not the service that has it done.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.faults import traced
from tests.faults.injected import OBEYS_PERMISSIONS, Ended, calls_in, writing_to
from tests.faults.queued import Queued
from tests.faults.works import WORKS

_JOBS = {work.arguments: {**work.job} for work in WORKS if work.job}


class JobVictims:
    """Has done as jobs what commands do."""

    def __init__(self, queued: Queued, logs: Path) -> None:
        self._queued = queued
        self._logs = logs
        self._runs = 0

    def ready(self, folder: Path, arguments: Sequence[str]) -> None:
        """Have the job due."""
        self._queued.prepared(folder, **_JOBS[tuple(arguments)])

    def run(self, folder: Path, arguments: Sequence[str], strace: Sequence[str] = ()) -> Ended:
        """Have a service do the job, which has not got through yet or is new."""
        self._runs += 1
        log = self._logs / str(self._runs)
        log.mkdir()
        names = self._queued.prepared(folder, **_JOBS[tuple(arguments)])
        program = [*OBEYS_PERMISSIONS, sys.executable, "-P", str(traced.__file__), str(_python(log, strace))]
        with self._queued.doing(folder, names, program) as (service, codes):
            pass
        [code] = codes.values()
        return Ended(code, service.words, calls_in(log, folder, drafts_drawn=True))


def _python(log: Path, strace: Sequence[str]) -> Path:
    """Write a program that is Python, the first time under strace: what a service does next is no job, but counting."""
    file, python = log / "python", shlex.quote(sys.executable)
    # As its grandchild strace leaves the process to the service that started it.
    traced = f"mkdir {shlex.quote(str(log / 'begun'))} && exec {shlex.join(['strace', '-D', *writing_to(log, strace)])}"
    file.write_text(f'#!/bin/sh\n{traced if strace else "false"} {python} "$@"\nexec {python} "$@"\n')
    file.chmod(0o755)
    return file
