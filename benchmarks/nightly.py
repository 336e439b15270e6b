"""What a night without changes costs when the archive is ten times as old.

Usage: python -m benchmarks.nightly [studies]    (1,680,000 unless said, about 10 M series; prints seconds and ratio)
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


def main(studies: int) -> None:
    times = []
    for years in (1, 10):
        with tempfile.TemporaryDirectory() as name:
            times.append(night_seconds(Path(name), studies * years // 10, years))
        print(f"a night without changes, an archive of {years} years: {times[-1]:.2f} s", flush=True)
    print(f"ratio {times[1] / times[0]:.2f} (aim: 1.2 or less)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ["1680000"]))
