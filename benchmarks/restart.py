"""How long the next owner of a large lake takes to be ready after a writer was killed at a drawn moment.

Usage: python -m benchmarks.restart FOLDER [--kills N] [--seed N]    (20 unless said; prints each, and the worst)

FOLDER is one that `python -m benchmarks.scale` made. A third of the writers are in the middle of `pacslake maintain`.
Every other time the page cache is emptied first, where this process may do that. The next owner is a new process, the
start of Python counts.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from benchmarks import queries
from benchmarks.measure import run
from crawler.lake.writer import LakeWriter
from crawler.model import Level

STUDIES = 2_000
PER_STUDY = 6
NEW = 50_000_000
"""Numbers from here on are of no study that benchmarks/scale.py makes."""
AIM = 5.0
MAINTAIN = "import sys; from jobs.cli import main; print(flush=True); sys.exit(main(['maintain', '--whole']))"


def write(folder: Path, number: int) -> None:
    """Commit new studies, and changed ones, until somebody ends it."""
    with LakeWriter.open(folder / "lake") as writer:
        print(flush=True)
        for at in range(NEW + number * 100_000, NEW + (number + 1) * 100_000, STUDIES):
            studies, series = queries.answers(at, NEW, batch=STUDIES, per_study=PER_STUDY)
            known, _ = queries.answers(at % queries.BATCH, NEW, f" {at}", batch=STUDIES, per_study=PER_STUDY)
            for level, table in ((Level.STUDY, known), (Level.STUDY, studies), (Level.SERIES, series)):
                writer.stage(level, "main", f"s{number}", table)
            writer.commit()


def take_over(folder: Path) -> None:
    """Become the owner, and say how long that took, all the processor's time of this process, and which version."""
    began = time.perf_counter()
    with LakeWriter.open(folder / "lake") as writer:
        opening = time.perf_counter() - began
        print(f"{opening:.2f} s to open, {time.process_time():.2f} s of processor, version {writer.version}")


def measure(folder: Path, kills: int, seed: int) -> Iterator[tuple[str, float]]:
    """Kill writers; give what each was doing with the seconds that the next owner took."""
    draw = random.Random(seed)
    for number in range(kills):
        upkeep = number % 3 == 2
        here = [sys.executable, "-m", "benchmarks.restart", str(folder)]
        command = [sys.executable, "-c", MAINTAIN] if upkeep else [*here, "--do", "write", str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder if upkeep else None) as victim:
            assert victim.stdout is not None
            victim.stdout.readline()
            after = draw.uniform(0, 60 if upkeep else 4)
            with suppress(subprocess.TimeoutExpired):
                victim.wait(after)
            victim.send_signal(signal.SIGKILL)
        cold = number % 2 == 1 and emptied()
        began = time.perf_counter()
        said = subprocess.run([*here, "--do", "take"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        took = time.perf_counter() - began
        what = f"{'upkeep' if upkeep else 'commits'} killed after {after:.2f} s{', cold' if cold else ''}: {said}"
        yield what, took


def emptied() -> bool:
    """Empty the page cache, where this process may do that."""
    try:
        subprocess.run(["sync"], check=True)
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description="How long the owner after a killed one takes.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--do", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    os.umask(0o077)
    match given.do:
        case ["write", number]:
            write(given.folder, int(number))
        case ["take"]:
            take_over(given.folder)
        case _:
            worst = 0.0
            for what, took in measure(given.folder, given.kills, given.seed):
                worst = max(worst, took)
                print(f"{took:.2f} s: {what}", flush=True)
            code = run(["pacslake", "verify"], cwd=given.folder).code
            print(f"the longest {worst:.2f} s (aim: {AIM:.0f} or less); pacslake verify ends with {code}")


if __name__ == "__main__":
    main()
