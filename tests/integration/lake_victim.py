"""Writes a lake and is killed while it does: run as a script by test_lake_crash.py, which then looks at what is left.

    python lake_victim.py FOLDER POINT ...

For each POINT a fork writes the lake FOLDER/POINT. `e7` kills it (SIGKILL) at the start of its 7th operation on files,
`t40` after 40 ms, `all` never; with `all` the number of operations is printed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from crawler.errors import NoLakeError
from crawler.lake.resume import complete_windows
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from jobs.wiring import begin
from tests.property.lake.answers import answers, covered, studies, sweep

DAYS = [date(2024, 1, 1) + timedelta(days=number) for number in range(4)]
STUDIES_A_DAY = 3


def uids(day: date) -> list[str]:
    """The studies of a day."""
    return [f"1.2.{day:%Y%m%d}.{number}" for number in range(STUDIES_A_DAY)]


def write(lake: Path) -> None:
    """Sweep every day that is not covered, two days a commit; a first look at their studies goes before."""
    try:
        done = {item.window.date_from for item in complete_windows(lake, "main", "s1")}
    except NoLakeError:
        done = set()
    with LakeWriter.open(lake) as writer:
        for first in range(0, len(DAYS), 2):
            days = [day for day in DAYS[first : first + 2] if day not in done]
            for day in days:
                writer.stage(Level.STUDY, "main", "s1", studies((uid, "first look") for uid in uids(day)))
            writer.commit(sweeps=[sweep()])
            for day in days:
                writer.stage(Level.STUDY, "main", "s1", studies((uid, "final") for uid in uids(day)))
                series = [{"StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.1"} for uid in uids(day)]
                writer.stage(Level.SERIES, "main", "s1", answers(Level.SERIES, series))
            writer.commit([covered(STUDIES_A_DAY, day=day) for day in days])


class Executioner:
    """Counts operations on files, and kills its process at one of them."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.seen = 0

    def __call__(self, event: str, _: tuple[object, ...]) -> None:
        if event in ("open", "mmap.__new__") or event.startswith("os."):
            self.seen += 1
            if self.seen == self.at:
                os.kill(os.getpid(), signal.SIGKILL)


def _be_victim(lake: Path, point: str, work: Callable[[Path], None]) -> None:
    executioner = Executioner(int(point[1:]) if point.startswith("e") else None)
    sys.addaudithook(executioner)
    if point.startswith("t"):
        threading.Thread(target=_kill_after, args=(int(point[1:]) / 1000,), daemon=True).start()
    work(lake)
    print(executioner.seen, flush=True)


def _kill_after(seconds: float) -> None:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


def main(folder: Path, points: list[str], work: Callable[[Path], None] = write) -> None:
    """Fork a victim for each point, one after another, that does its work on a lake of its own."""
    for point in points:
        child = os.fork()
        if not child:
            try:
                _be_victim(folder / point, point, work)
            finally:
                os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    begin()
    main(Path(sys.argv[1]), sys.argv[2:])
