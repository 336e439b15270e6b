"""Retrievals that are killed: run as a script by test_retrieve_killed.py, which looks at what is left.

    python -m tests.acceptance.retrieve_victim

Each line that it reads is a point and the path of a pacslake.toml; a fork then retrieves, and is killed (SIGKILL) at
that point: `e7` at the start of its 7th operation on files, `t0.4` after so many seconds, `all` never. It prints a line
for each: `killed`, how many operations there were, or `failed`, the reason of which is on standard error.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

import jobs.retrieve
from crawler.settings import load
from tests.acceptance.retrieving import retrieve
from tests.integration.lake_victim import Executioner

jobs.retrieve.COMMIT_EVERY = 0.1
"""So that kills meet commits, and what was committed before."""


def main() -> None:
    """Do line after line."""
    for line in sys.stdin:
        point, config = line.rstrip("\n").split(" ", 1)
        reading, writing = os.pipe()
        if not (child := os.fork()):
            try:
                _be_victim(point, Path(config), writing)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        os.close(writing)
        with open(reading, "rb") as told:
            _, status = os.waitpid(child, 0)
            seen = told.read().decode()
        print("killed" if os.WIFSIGNALED(status) else seen or "failed", flush=True)


def _be_victim(point: str, config: Path, writing: int) -> None:
    executioner = Executioner(int(point[1:]) if point.startswith("e") else None)
    if point.startswith("t"):
        threading.Thread(target=_kill_after, args=(float(point[1:]),), daemon=True).start()
    settings = load(config)
    sys.addaudithook(executioner)
    retrieve(settings)
    os.write(writing, str(executioner.seen).encode())


def _kill_after(seconds: float) -> None:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
