"""What a first crawl asks of a PACS: queries by level and way of asking, and how fast they go at a given latency.

Usage: python -m benchmarks.first_crawl [--studies N] [--latency SECONDS]    (10,000 and 0.05 unless said)

The simulated PACS waits so long before each answer. Its studies lie as close as those of a department: 300 a day.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from benchmarks.measure import run, simulated_pacs
from crawler.lake.query import open_lake

A_DAY = 300
LAST = date(2024, 12, 31)
WAYS = {
    "one by one": "relational = false\n",
    "lists of UIDs": "relational = false\nuid_lists = true\n",
    "relational": "relational = true\n",
}


@dataclass(frozen=True, slots=True)
class Crawled:
    """What one crawl took."""

    way: str
    level: str
    associations: int
    queries: int
    series: int
    instances: int
    seconds: float


def crawl(port: int, way: str, level: str, associations: int, first: date) -> Crawled:
    """Crawl the simulated PACS into a new lake."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pacslake.toml").write_text(
            f'[lake]\npath = "lake"\n[pacs.sim]\nhost = "127.0.0.1"\nport = {port}\nae_title = "SIM"\n'
            f"max_associations = {associations}\n{WAYS[way]}"
        )
        words = ["--level", level, "--from", str(first), "--to", str(LAST)]
        cost = run(["pacslake", "sweep", *words], cwd=folder)
        assert cost.code == 0, f"pacslake sweep ended with {cost.code}"
        with open_lake(folder / "lake") as lake:
            [told] = lake.sql(
                """SELECT queries, (SELECT count(*) FROM series), (SELECT count(*) FROM instances),
                epoch(finished_at - started_at) FROM sweeps"""
            ).fetchall()
        return Crawled(way, level, associations, *told)


def measure(studies: int, latency: float) -> Iterator[Crawled]:
    """Crawl at each level in each way, with one association and with two."""
    first = LAST - timedelta(days=studies // A_DAY)
    archive = ["--studies", str(studies), "--from", str(first), "--to", str(LAST), "--images", "20"]
    with simulated_pacs(*archive, "--quirk", f"latency={latency}", "--quirk", "relational=true") as port:
        for associations in (1, 2):
            yield crawl(port, "one by one", "study", associations, first)
            for way in WAYS:
                yield crawl(port, way, "series", associations, first)
            yield crawl(port, "relational", "image", associations, first)
        yield crawl(port, "one by one", "image", 2, first)


def main() -> None:
    parser = argparse.ArgumentParser(description="What a first crawl asks of a PACS.")
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--latency", type=float, default=0.05)
    given = parser.parse_args()
    for one in measure(given.studies, given.latency):
        what = (
            f"{one.level}, {one.way}, {one.associations} at once: {one.queries:,} queries for {given.studies:,} studies"
        )
        rate = f"{one.seconds:.1f} s, {one.queries / one.seconds * 60:,.0f} a minute"
        print(f"{what}, {one.series:,} series, {one.instances:,} instances; {rate}", flush=True)


if __name__ == "__main__":
    main()
