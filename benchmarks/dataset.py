"""CT slices as a de-identified dataset, against pydicom that reads and writes the same files, in turns.

Both from disk to disk: the clock of either stops when what was written is there.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from pydicom import dcmread

from crawler.export.copies import sync_folder
from crawler.lake.catalog import open_catalog
from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.objects import Objects, SyntheticObject
from tests.acceptance.bringing import bring, swept
from tests.acceptance.cohorts import cohort
from tests.acceptance.installed import ENVIRONMENT

SLICES, PROCESSES, ROUNDS = 10_000, 2, 3
DAYS = (date(2024, 1, 1), date(2024, 1, 31))
_SQL = """from series where Modality = 'CT' and SeriesInstanceUID in (
    select SeriesInstanceUID from instances where ImageType[1] = 'ORIGINAL' and ImageType[3] = 'AXIAL')"""
"""Slices that are released: others wait for somebody who looks at them."""
_AT_ONCE = 100
PIXELS, NOISE = 512 * 512, np.random.default_rng(7)


@dataclass(frozen=True, slots=True)
class Rate:
    """Files a second, each by as many processes. Ours counts the whole command: judged, searched and accounted for."""

    ours: float
    theirs: float


def measure(share: int = 1) -> Iterator[Rate]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = _make(folder, SLICES // share)
        rounds = [(_ours(folder, len(files)), _theirs(folder, files)) for _ in range(ROUNDS)]
        ours, theirs = (median(column) for column in zip(*rounds, strict=True))
        yield Rate(len(files) / ours, len(files) / theirs)


def _make(folder: Path, count: int) -> list[Path]:
    """Fill a store with slices of 512 by 512, and a lake that knows them; give their files."""
    archive = Archive(max(count // 15, 40), *DAYS, series_per_study=3, rows=512, columns=512, most_images=200)
    swept(folder, {"main": (archive, Level.IMAGE)}, DAYS)
    with open_catalog(folder / "lake") as lake:
        wanted = f"SELECT SOPInstanceUID FROM instances SEMI JOIN ({_SQL}) USING (SeriesInstanceUID)"
        uids = [uid for (uid,) in lake.execute(f"{wanted} ORDER BY SeriesInstanceUID LIMIT {count}").fetchall()]
    assert len(uids) == count
    objects = Objects(archive)
    for begin in range(0, len(uids), _AT_ONCE):
        bring(folder, [_noisy(objects.truth(uid)) for uid in uids[begin : begin + _AT_ONCE]], {})
    assert cohort(folder, "new", "all", "--sql", _SQL)[0] == 0
    with open_catalog(folder / "lake") as lake:
        return [folder / "store" / path for (path,) in lake.execute("SELECT path FROM files").fetchall()]


def _noisy(one: SyntheticObject) -> SyntheticObject:
    """Give an object noise as of scanners: the simulated ramps hold every number there is."""
    pixels = NOISE.normal(1_000, 40, PIXELS).astype("<u2").tobytes()
    return replace(one, dataset=one.dataset[: -len(pixels)] + pixels)


def _ours(folder: Path, count: int) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as out:
        words = ["--recipe", "research", "--out", out, "--processes", str(PROCESSES), "--format", "json"]
        command = [sys.executable, "-m", "jobs.cli", "cohort", "export", "all", *words]
        began = time.perf_counter()
        said = subprocess.run(command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE).stdout
        took = time.perf_counter() - began
        assert json.loads(said)["counts"]["released"] == count
    return took


def _theirs(folder: Path, files: list[Path]) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as out, multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        began = time.perf_counter()
        pool.map(partial(_copy, Path(out)), files, chunksize=_AT_ONCE)
        sync_folder(folder)
        return time.perf_counter() - began


def _copy(out: Path, file: Path) -> None:
    dcmread(file).save_as(out / file.name)


if __name__ == "__main__":
    for rate in measure(int(sys.argv[1]) if sys.argv[1:] else 1):
        sys.stdout.write(f"{rate.ours:,.0f}/s against {rate.theirs:,.0f}/s: {rate.ours / rate.theirs:.2f}\n")
