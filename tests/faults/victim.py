"""Runs commands of pacslake under strace, each in a fork, so that none waits for Python and its packages to start.

    python -m tests.faults.victim

Each line of standard input is a JSON object: `folder` to run in, `arguments` of the command, `strace`'s options, and
the file `said` for what the command prints. The answer is a line with the exit code, negative for a signal, -97 for one
that did not begin or did not end. Under strace drafts have the same names in each run, so that their calls can be told
from others.
"""

from __future__ import annotations

import importlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from jobs.cli import main

MODULES = (
    *(f"jobs.commands.{name}" for name in ("cohort", "export", "lake", "maintain", "repair", "sql", "sweep", "verify")),
    *(f"jobs.{name}" for name in ("cohort", "export", "maintain", "query", "redecode", "repair", "sweep", "verify")),
)
"""What the commands import, so that each fork has it."""
NOT_BEGUN = 99
LONGEST = 120
"""Seconds that a command may take."""
PATIENCE = 60
"""Seconds until strace has to be there."""


def _be_victim(order: dict[str, Any]) -> None:
    os.chdir(order["folder"])
    said = os.open(order["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor, other in ((0, os.open(os.devnull, os.O_RDONLY)), (1, said), (2, said)):
        os.dup2(other, descriptor)
    until = time.monotonic() + PATIENCE
    while order["strace"] and "TracerPid:\t0\n" in Path("/proc/self/status").read_text():
        if time.monotonic() > until:
            os._exit(NOT_BEGUN)
        time.sleep(0.002)
    if order["strace"]:
        secrets.token_bytes = bytes  # type: ignore[assignment]  # zeros, whichever draft is begun first
    code = main(order["arguments"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _run(order: dict[str, Any]) -> int:
    child = os.fork()
    if not child:
        try:
            _be_victim(order)
        finally:
            os._exit(NOT_BEGUN)
    with subprocess.Popen(["strace", *order["strace"], "-p", str(child)]) if order["strace"] else nullcontext():
        return _end_of(child)


def _end_of(child: int) -> int:
    """Wait for a process; -97 for one that did not begin or did not end."""
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(status)
            return -97 if code == NOT_BEGUN else code
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -97


if __name__ == "__main__":
    for module in MODULES:
        importlib.import_module(module)
    for line in sys.stdin:
        print(_run(json.loads(line)), flush=True)
