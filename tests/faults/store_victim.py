"""Writes a lake in a bucket, to be killed at a request of its. By `python -m`.

Each line of standard input is a word, `write` or `read`, and the folder of a working copy. The answer is a line with
the process that works there, and one with how it ended: 0, or negative for a signal.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

from crawler.lake.query import open_lake
from crawler.lake.upkeep import Wanted, maintain
from crawler.lake.writer import LakeWriter
from jobs.wiring import begin
from tests.integration import lake_victim


def work(copy: Path) -> None:
    """Sweep what is not covered, then write all tables anew and delete what that replaced."""
    lake_victim.write(copy)
    with LakeWriter.open(copy) as writer:
        maintain(writer, Wanted(keep_files=timedelta(0), whole=True))


def _be_victim(word: str, copy: Path) -> None:
    code = 99
    try:
        if word == "write":
            work(copy)
        else:
            open_lake(copy).close()
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    begin()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            word, _, copy = line.strip().partition(" ")
            _be_victim(word, Path(copy))
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
