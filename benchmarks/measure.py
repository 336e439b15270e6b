"""Run a command as a user would and measure it: seconds by the wall clock, peak memory of the process."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a command took; `processor` is the seconds that it kept processors busy."""

    seconds: float
    peak_mb: float
    code: int
    processor: float


def run(command: Sequence[str], cwd: str | os.PathLike[str] | None = None) -> Cost:
    """Run a command to its end, its output thrown away."""
    began = time.perf_counter()
    with open(os.devnull, "w") as nowhere:
        process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, cwd=cwd)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    took, busy = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
    return Cost(took, usage.ru_maxrss / 1024, process.returncode, busy)


def best(times: int, command: Sequence[str], cwd: str | os.PathLike[str] | None = None) -> Cost:
    """Run a command several times; give the fastest run."""
    return min((run(command, cwd) for _ in range(times)), key=lambda cost: cost.seconds)


@contextmanager
def simulated_pacs(*options: str) -> Iterator[int]:
    """Run `pacslake simulate` with these options; give its port."""
    command = ["pacslake", "simulate", "--port", "0", "--ae-title", "SIM", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().split()[2].rsplit(":", 1)[1])
        finally:
            process.terminate()
