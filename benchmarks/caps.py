"""What it costs to find everything on a day that a PACS does not answer for at once, in queries and in seconds.

Usage: python -m benchmarks.caps [studies]    (26,000 unless said; prints queries, the oracle's, and seconds)

The oracle knows the cap and the second of every study, and needs the fewest queries that any plan by time can need.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.measure import run
from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import OverCap, Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.sweeping import configure, differences

DAY = date(2024, 3, 5)
STUDIES = 26_000
ROUNDS = 2
LIMITS = {
    "a silent cap of 500": Quirks(cap=500),
    "0xA700 above 200": Quirks(cap=200, over_cap=OverCap.REFUSE_A700),
}


@dataclass(frozen=True, slots=True)
class Taken:
    """Queries and seconds of a sweep of the day, the oracle's queries, and the seconds of the day without a limit."""

    limit: str
    queries: int
    oracle: int
    seconds: float
    unlimited: float
    aim: str = "3 times or less"


def measure(studies: int) -> Iterator[Taken]:
    """Sweep the day under each limit into new lakes. Fails unless every column of every study is in them."""
    archive = Archive(studies=0, first=DAY, last=DAY, busy_day=DAY, busy=studies)
    _, unlimited = sweep(archive, Quirks())
    for limit, quirks in LIMITS.items():
        queries, seconds = sweep(archive, quirks)
        yield Taken(limit, queries, fewest_queries(archive, quirks.cap), seconds, unlimited)


def sweep(archive: Archive, quirks: Quirks) -> tuple[int, float]:
    """Sweep the day by the command, each time into a new lake; give STUDY queries and seconds of the fastest run."""
    best = (0, float("inf"))
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as name, running(Simulator(archive, quirks=quirks)) as pacs:
            configure(Path(name), {"main": pacs.port})
            cost = run(["pacslake", "sweep", "--level", "study", "--from", str(DAY), "--to", str(DAY)], cwd=name)
            assert cost.code in (0, 4), f"pacslake sweep ended with {cost.code}"
            assert differences(Path(name), "main", Level.STUDY, archive) == []
            best = min(best, (pacs.counts.queries[Level.STUDY], cost.seconds), key=lambda one: one[1])
    return best


def fewest_queries(archive: Archive, cap: int) -> int:
    """Fill windows of whole seconds from midnight on, each as far as the cap allows."""
    times = archive.table(Level.STUDY)["StudyTime"].drop_null().cast(pa.int64())
    _, in_a_second = np.unique(pc.divide(times, 1_000_000).to_numpy(), return_counts=True)
    queries, room = 0, 0
    for studies in in_a_second.tolist():
        assert studies <= cap, "no window of times can bring them all"
        if studies > room:
            queries, room = queries + 1, cap
        room -= studies
    return queries


if __name__ == "__main__":
    for taken in measure(int(sys.argv[1]) if len(sys.argv) > 1 else STUDIES):
        times = f"{taken.seconds:.2f} s against {taken.unlimited:.2f} s without"
        print(f"{taken.limit}: {taken.queries} queries, {taken.oracle} at the least; {times}")
