"""What a lake costs as it grows: commits, upkeep, bytes, memory, opening, questions, and a night with nothing new.

Usage: python -m benchmarks.scale FOLDER [--studies N] [--part grow|ask|night|pages]    (10,000,000 and all unless said)

FOLDER keeps the lake, about 2 GB for a million studies while upkeep holds on to what it replaced. Peak memory is that
of whole processes. benchmarks/restart.py kills writers on the same lake.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks import queries
from benchmarks.measure import Cost, best, run, simulated_pacs
from crawler.lake.commits import log_folder, newest_version
from crawler.lake.log import Log, open_table
from crawler.lake.query import open_lake
from crawler.lake.writer import LakeWriter
from crawler.model import Coverage, Level, SweepRecord, SweepState, Window, WindowState

PER_STUDY = 6
SHARES = (10, 5, 2, 1)
"""The lake is looked at when it has a tenth of the studies, a fifth, half, and all."""
AGAIN = 100
"""One study in so many of the batch before has changed."""
CHANGED = 2_500
NIGHT_DAYS = 30
OFFLINE = 'host = "127.0.0.1"\nport = 1\nae_title = "NOBODY"\n'


def grow(folder: Path, first: int, last: int, total: int) -> dict[str, float]:
    """Sweep studies `first` to `last` of `total` into the lake, in commits of about the size that a sweep makes."""
    size, times, rows, making = min(queries.BATCH, last - first), list[float](), 0, 0.0
    busy = list[float]()
    began = datetime.now(UTC)
    with LakeWriter.open(folder / "lake") as writer:
        for at in range(first, last, size):
            started = time.perf_counter()
            new = queries.answers(at, total, batch=size, per_study=PER_STUDY)
            place = pa.array(np.arange(0, size, AGAIN))
            changed = queries.answers(max(at - size, 0), total, " *", batch=size, per_study=PER_STUDY)[0].take(place)
            making += time.perf_counter() - started
            started, busy_before = time.perf_counter(), time.process_time()
            for level, table in ((Level.STUDY, changed), (Level.STUDY, new[0]), (Level.SERIES, new[1])):
                rows += writer.stage(level, "main", "s1", table).rows
            writer.commit(covered(new), [swept(began, at + size, total)])
            times.append(time.perf_counter() - started)
            busy.append(time.process_time() - busy_before)
        longest, version = max(times), writer.version
    return {
        "rows": rows,
        "seconds": sum(times),
        "processor": sum(busy),
        "making": making,
        "commits": len(times),
        "median": statistics.median(times[-50:]),
        "median_processor": statistics.median(busy[-50:]),
        "longest": longest,
        "version": version,
        "peak_mb": peak_mb(),
    }


def covered(new: tuple[pa.Table, pa.Table]) -> list[Coverage]:
    """Prove the days of a batch at both levels, a window a day."""
    now = datetime.now(UTC)
    return [
        Coverage("main", level, Window(day, day), WindowState.COMPLETE, studies * rows, "s1", now, 1)
        for day, studies in Counter(new[0]["StudyDate"].to_pylist()).items()
        for level, rows in ((Level.STUDY, 1), (Level.SERIES, PER_STUDY))
    ]


def swept(began: datetime, studies: int, total: int) -> SweepRecord:
    """Say how far the sweep is."""
    oldest, newest = (date(1970, 1, 1) + timedelta(days=20_000 - back) for back in (queries.DAYS, 0))
    state = SweepState.COMPLETE if studies >= total else SweepState.RUNNING
    levels = (Level.STUDY, Level.SERIES)
    return SweepRecord("s1", "main", levels, oldest, newest, state, began, datetime.now(UTC), studies=studies)


def change(folder: Path, studies: int, total: int) -> dict[str, float]:
    """Commit 2,500 changed series from all over the lake, and 2,500 that are as they were; give the median seconds."""
    size = min(queries.BATCH, studies)
    drawn = np.linspace(0, studies // size - 1, min(studies // size, 10), dtype=int)
    found = [queries.answers(int(at) * size, total, batch=size, per_study=PER_STUDY)[1] for at in drawn]
    each = min(CHANGED // len(drawn), size)
    changed, same, opening = [], [], time.perf_counter()
    with LakeWriter.open(folder / "lake") as writer:
        opening = time.perf_counter() - opening
        for number in range(7):
            rows = pa.concat_tables([table.slice(number * each, each) for table in found])
            place = rows.schema.get_field_index("SeriesDescription")
            told = rows.set_column(place, "SeriesDescription", pa.repeat(f"{datetime.now(UTC)}", rows.num_rows))
            for table, times in ((told, changed), (told, same)):
                began = time.process_time()
                writer.stage(Level.SERIES, "main", "s2", table)
                writer.commit()
                times.append(time.process_time() - began)
    return {
        "changed": statistics.median(changed),
        "unchanged": statistics.median(same),
        "opening": opening,
        "peak_mb": peak_mb(),
    }


def peak_mb() -> float:
    """Give the peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def apart(folder: Path, *words: object) -> dict[str, float]:
    """Do `grow` or `change` in a process of its own, whose memory is its own too."""
    command = [sys.executable, "-m", "benchmarks.scale", str(folder), "--do", *map(str, words)]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    found: dict[str, float] = json.loads(said)
    return found


def growing(folder: Path, total: int) -> Iterator[str]:
    """Grow the lake step by step, with upkeep after each step, as nights bring it. Goes on where it was ended."""
    first = grown(folder / "lake")
    for last in (total // share for share in SHARES):
        if last > first:
            done = apart(folder, "grow", first, last, total)
            yield (
                f"{last:,} studies: {done['rows']:,} rows in {done['commits']} commits, {done['seconds']:.0f} s "
                f"({done['processor']:.0f} s of processor), {done['rows'] / done['processor']:,.0f} rows a second of "
                f"processor; one took {done['median']:.2f} s at last ({done['median_processor']:.2f} s), "
                f"{done['longest']:.2f} s at most; {done['peak_mb']:.0f} MB; making the rows {done['making']:.0f} s"
            )
            yield f"{last:,} studies before upkeep: {on_disk(folder / 'lake')}"
            yield from kept(folder, last, total)
            yield f"{last:,} studies after upkeep: {on_disk(folder / 'lake')}"
            first = last


def grown(lake: Path) -> int:
    """Give how many studies were swept into the lake before."""
    if newest_version(log_folder(lake)) < 0:
        return 0
    with open_lake(lake) as opened:
        [(studies,)] = opened.sql("SELECT coalesce(max(studies), 0) FROM sweeps WHERE sweep_id = 's1'").fetchall()
        return int(studies)


def kept(folder: Path, studies: int, total: int) -> Iterator[str]:
    """Change a little, then do upkeep."""
    small = apart(folder, "change", studies, total)
    yield (
        f"{studies:,} studies: a commit of {CHANGED:,} changed series {small['changed'] * 1000:.0f} ms, "
        f"{CHANGED:,} unchanged ones {small['unchanged'] * 1000:.0f} ms (of processor), the writer was ready in "
        f"{small['opening'] * 1000:.0f} ms, {small['peak_mb']:.0f} MB"
    )
    for words in (["maintain"], ["verify"]):
        yield f"{studies:,} studies: {told(words, run(['pacslake', *words], cwd=folder))}"


def told(words: Sequence[str], cost: Cost) -> str:
    """Say what a command took."""
    ending = "" if cost.code == 0 else f", exit code {cost.code}"
    return (
        f"{' '.join(words)}: {cost.seconds:.2f} s ({cost.processor:.2f} s of processor), {cost.peak_mb:.0f} MB{ending}"
    )


def on_disk(lake: Path) -> str:
    """Say what lies in the lake, by kind."""
    log = Log(lake / "log", open_table(lake))
    named = {file.path for file in log.files}
    sizes: dict[str, list[int]] = {}
    for path in lake.rglob("*"):
        if path.is_file():
            kind = "caches"
            if path.suffix == ".parquet" and path.parent.name.startswith("entity="):
                inside = path.relative_to(lake / "log").as_posix() in named
                kind = f"{path.parent.name.removeprefix('entity=')} rows" if inside else "replaced files"
            elif path.parent.name == "_delta_log":
                kind = "commits and checkpoints"
            elif path.parent.name == "keys":
                kind = "key index"
            sizes.setdefault(kind, []).append(path.stat().st_size)
    return "; ".join(f"{kind} {sum(all_) / 1e6:,.1f} MB in {len(all_)} files" for kind, all_ in sorted(sizes.items()))


def asking(folder: Path) -> Iterator[str]:
    """Open the lake by commands, then ask it what benchmarks/queries.py asks, best of three."""
    for words in (
        ["sql", "select count(*) from studies"],
        ["sql", "select count(*) from series"],
        ["sql", "select count(*) from studies where StudyDate >= current_date - 4000 and PatientID = 'P7'"],
        ["status"],
        ["coverage"],
    ):
        yield told(words, best(3, ["pacslake", *words], cwd=folder))
    with open_lake(folder / "lake") as lake:
        [(patient,)] = lake.sql("SELECT min(PatientID)[2:] FROM studies").fetchall()
        for question in queries.QUESTIONS:
            sql = question.sql.format(patient=patient)
            busy = time.process_time()
            took = min(queries.seconds(lake.connection, sql) for _ in range(3))
            busy = (time.process_time() - busy) / 3
            yield f"{question.name}: {took:.2f} s ({busy:.2f} s of processor), {peak_mb():.0f} MB so far"


def nights(folder: Path, studies: int) -> Iterator[str]:
    """Sweep a month of a simulated PACS into the lake, so many studies, then the same month again: nothing is new."""
    last = date.today() - timedelta(days=1)
    days = ["--from", str(last - timedelta(days=NIGHT_DAYS - 1)), "--to", str(last)]
    with simulated_pacs("--studies", str(studies), *days) as port:
        settle(folder, f'[pacs.sim]\nhost = "127.0.0.1"\nport = {port}\nae_title = "SIM"\nuid_lists = true\n')
        sweep = ["pacslake", "sweep", "sim", *days]
        yield told([f"a month of {studies:,} studies"], run(sweep, cwd=folder))
        yield told(["the same again, nothing new"], best(3, sweep, cwd=folder))
    settle(folder)


def paging(folder: Path) -> Iterator[str]:
    """Look at the pages of the service as a browser does."""
    from benchmarks import pages  # needs Chromium

    for title, paint, load in pages.measure(folder / "lake"):
        yield f"page {title}: first paint {paint:.2f} s, all {load:.2f} s"


def settle(folder: Path, more: str = "") -> None:
    """Write the settings: the PACS of the synthetic rows, at which nobody is asked, and perhaps another."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "pacslake.toml").write_text(f'[lake]\npath = "lake"\n[pacs.main]\n{OFFLINE}{more}')


def main() -> None:
    parser = argparse.ArgumentParser(description="What a lake costs as it grows.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--studies", type=int, default=10_000_000)
    parser.add_argument("--part", choices=["grow", "ask", "night", "pages"])
    parser.add_argument("--do", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    os.umask(0o077)
    if given.do:
        doing, numbers = {"grow": grow, "change": change}[given.do[0]], map(int, given.do[1:])
        print(json.dumps(doing(given.folder, *numbers)))
        return
    settle(given.folder)
    parts = {
        "grow": lambda: growing(given.folder, given.studies),
        "ask": lambda: asking(given.folder),
        "night": lambda: nights(given.folder, given.studies * NIGHT_DAYS // queries.DAYS),
        "pages": lambda: paging(given.folder),
    }
    for name in [given.part] if given.part else parts:
        for line in parts[name]():
            print(line, flush=True)


if __name__ == "__main__":
    main()
