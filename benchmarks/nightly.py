"""What a night without changes costs when the archive is ten times as old.

Usage: python -m benchmarks.nightly [studies]    (1,680,000 unless said, 10 M series; prints seconds and ratio)
"""

from __future__ import annotations

import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

from benchmarks.measure import best, run, simulated_pacs

YEAR = timedelta(days=365)
NIGHTS = 5
LOOKBACK = 7


def night_seconds(folder: Path, studies: int, years: int) -> float:
    """Crawl an archive of so many years, then its last days again and again; give the time of the fastest night."""
    last = date.today() - timedelta(days=1)
    days = ["--from", str(last - years * YEAR), "--to", str(last)]
    with simulated_pacs("--studies", str(studies), *days) as port:
        (folder / "pacslake.toml").write_text(
            f"""[lake]
path = "lake"
[pacs.sim]
host = "127.0.0.1"
port = {port}
ae_title = "SIM"
uid_lists = true
[jobs.nightly]
kind = "sweep"
cron = "0 2 * * *"
lookback_days = {LOOKBACK}
reconcile_days = 0
"""
        )
        for words in (["sweep", *days], ["maintain"], ["sweep", "--job", "nightly"]):
            cost = run(["pacslake", *words], cwd=folder)
            assert cost.code == 0, f"pacslake {words[0]} ended with {cost.code}"
        return best(NIGHTS, ["pacslake", "sweep", "--job", "nightly"], cwd=folder).seconds


def measure(studies: int) -> tuple[float, float]:
    """Give the time of a night on an archive of ten years with so many studies, and on one of a year with a tenth."""
    with tempfile.TemporaryDirectory() as small, tempfile.TemporaryDirectory() as large:
        return night_seconds(Path(large), studies, 10), night_seconds(Path(small), studies // 10, 1)


def main(studies: int) -> None:
    large, small = measure(studies)
    print(
        f"a night without changes, ten years: {large:.2f} s, one: {small:.2f} s, {large / small:.2f} times (aim: 1.2)"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ["1680000"]))
