"""Sweeps that are killed, one after the other: run as a script by test_sweep_kill.py, which looks at what is left.

    python -m tests.integration.sweep_victim 0.7,1.2,- sweep --config FILE

Each is a fork that runs the command; SIGKILL ends it after so many seconds, `-` lets it end by itself. Windows are
small and a commit comes every 40 rows, so that a kill meets many of them. Prints how many ended by SIGKILL.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence

import jobs.publish
import jobs.sweep
from jobs.cli import main

jobs.publish.COMMIT_AFTER_ROWS = 40
jobs.sweep.TARGET_ROWS = dict.fromkeys(jobs.sweep.TARGET_ROWS, 15)


def run(seconds: float | None, arguments: Sequence[str]) -> bool:
    """Run the command in a fork and kill it after some seconds, None for never; tell whether it was running still."""
    child = os.fork()
    if not child:
        os._exit(main(arguments))
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


if __name__ == "__main__":
    moments = [None if moment == "-" else float(moment) for moment in sys.argv[1].split(",")]
    print(sum(run(moment, sys.argv[2:]) for moment in moments), file=sys.__stderr__)
