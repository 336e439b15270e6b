"""Runs commands of pacslake, each in a fork, so that none waits for Python and its packages to start.

    python -m tests.acceptance.forking

Each line of standard input is a JSON object: `folder` to run in, `arguments` of the command, and the files `stdin`,
`stdout` and `stderr`. The answer is a line with the exit code, negative for a signal.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from typing import Any

from jobs.cli import COMMANDS, main
from jobs.wiring import begin

NEEDED = ("backfill", "cohort", "dataset", "export", "maintain", "nightly", "query", "retrieve", "sweep", "verify")
"""What most of the commands import, so that each fork has it."""
LONGEST = 60
"""Seconds that a command may take."""


def _be(order: dict[str, Any]) -> int:
    signal.alarm(LONGEST)  # which ends a process that does not know it
    os.chdir(order["folder"])
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(os.open(order[name], os.O_RDWR), descriptor)
    return main(order["arguments"])


def _run(order: dict[str, Any]) -> int:
    child = os.fork()
    if not child:
        code = 1
        try:
            code = _be(order)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    begin()
    importlib.import_module("numpy.ma")  # which DuckDB looks for
    for module in (*(f"commands.{name.replace('-', '_')}" for name in COMMANDS), *NEEDED):
        importlib.import_module(f"jobs.{module}")
    for line in sys.stdin:
        print(_run(json.loads(line)), flush=True)
