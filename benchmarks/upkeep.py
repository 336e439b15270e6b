"""What a commit costs in a large lake, and what is left to wish for after upkeep.

Usage: python -m benchmarks.upkeep [series [commits]]    (10,000,000 and 5,000 unless said)
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks import queries
from crawler.lake.query import Lake, open_lake
from crawler.lake.upkeep import Wanted, maintain
from crawler.lake.writer import LakeWriter
from crawler.model import Level

CHANGED = 2_500
ROUNDS = 7
SMALL = 20
"""Studies of a small commit; five series each."""
AGAIN = 10
"""One small commit in so many changes rows that are there instead of adding some."""


@dataclass(frozen=True, slots=True)
class Question:
    """Seconds of a query on a lake of small commits after upkeep, and on a freshly written one."""

    name: str
    maintained: float
    fresh: float


def commit_seconds(folder: Path, series: int) -> float:
    """Build a lake, then change 2,500 series all over it several times; gives the median time of stage and commit."""
    queries.build(folder, series)
    batches = max(series // queries.PER_STUDY // queries.BATCH, 1)
    drawn = np.linspace(0, batches - 1, min(batches, 10), dtype=int)
    each = CHANGED // len(drawn)
    found = [queries.answers(int(at) * queries.BATCH, series // queries.PER_STUDY)[1] for at in drawn]
    times = []
    with LakeWriter.open(folder) as writer:
        for number in range(ROUNDS):
            place = pa.array(np.arange(each) * 37 + number)
            rows = pa.concat_tables([table.take(place) for table in found])
            told = pa.repeat(f"changed {number}", rows.num_rows)
            rows = rows.set_column(rows.schema.get_field_index("SeriesDescription"), "SeriesDescription", told)
            began = time.perf_counter()
            assert writer.stage(Level.SERIES, "main", "s3", rows).updated == rows.num_rows
            writer.commit()
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def after_upkeep(folder: Path, commits: int) -> list[Question]:
    """Write the same rows in small commits, with upkeep at the end, and in large ones; ask both."""
    began = time.perf_counter()
    rows = _write(folder / "small", commits, SMALL)
    written = time.perf_counter()
    with LakeWriter.open(folder / "small") as writer:
        maintain(writer, Wanted())
    done = time.perf_counter()
    print(f"{commits:,} commits: {written - began:.0f} s, then maintain: {done - written:.1f} s", flush=True)
    with open_lake(folder / "small") as small:
        _copy(small, folder / "fresh")
        assert rows == small.sql("SELECT count(*) FROM studies").fetchall()[0][0]
        with open_lake(folder / "fresh") as fresh:
            [(patient,)] = small.sql("SELECT min(PatientID)[2:] FROM studies").fetchall()
            found = []
            for question in queries.QUESTIONS:
                sql = question.sql.format(patient=patient)
                assert len(small.sql(sql).fetchall()) == len(fresh.sql(sql).fetchall()) > 0
                runs = [
                    (queries.seconds(small.connection, sql), queries.seconds(fresh.connection, sql))
                    for _ in range(ROUNDS)
                ]
                found.append(Question(question.name, min(run[0] for run in runs), min(run[1] for run in runs)))
    return found


def _write(lake: Path, commits: int, studies: int) -> int:
    """Commit a few studies at a time; now and then some that are there already, changed."""
    total = commits * studies
    batch: tuple[pa.Table, pa.Table] | None = None
    with LakeWriter.open(lake) as writer:
        for number in range(commits):
            first = number * studies
            if batch is None or first % queries.BATCH == 0:
                batch = queries.answers(first // queries.BATCH * queries.BATCH, max(total, queries.BATCH))
            at = first % queries.BATCH
            new = batch[0].slice(at, studies)
            below = batch[1].slice(at * queries.PER_STUDY, studies * queries.PER_STUDY)
            writer.stage(Level.STUDY, "main", "s1", new)
            writer.stage(Level.SERIES, "main", "s1", below)
            if number % AGAIN == 0:
                told = pa.repeat("changed", below.num_rows)
                place = below.schema.get_field_index("StationName")
                writer.stage(Level.SERIES, "main", "s2", below.set_column(place, "StationName", told))
            writer.commit()
    return total


def _copy(small: Lake, fresh: Path) -> None:
    """Write the current rows of a lake into a new one, as a sweep would bring them."""
    from crawler import columns

    with LakeWriter.open(fresh) as writer:
        for level, table, order in ((Level.STUDY, "studies", "StudyDate"), (Level.SERIES, "series", "SeriesDate")):
            schema = columns.schema(level)
            names = ", ".join(f'"{name}"' for name in schema.names)
            query = f"SELECT {names} FROM {table} ORDER BY {order} DESC"
            for batch in small.connection.sql(query).to_arrow_reader(100_000):
                writer.stage(level, "main", "s1", pa.Table.from_batches([batch]).cast(schema))
        writer.commit()


def main(series: int, commits: int) -> None:
    times = {}
    for size in (series // 10, series):
        with tempfile.TemporaryDirectory() as name:
            times[size] = commit_seconds(Path(name), size)
        print(f"commit of {CHANGED:,} changed series into {size:,}: {times[size]:.3f} s", flush=True)
    small, large = times.values()
    print(f"ratio {large / small:.2f} (aim: 1.5 or less, and 1 s)", flush=True)
    with tempfile.TemporaryDirectory() as name:
        for one in after_upkeep(Path(name), commits):
            ratio = one.maintained / one.fresh
            print(f"{one.name}: {one.maintained:.3f} s against {one.fresh:.3f} s: {ratio:.2f} times (aim: 1.2 or less)")


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    main(*given, *(10_000_000, 5_000)[len(given) :])
