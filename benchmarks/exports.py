"""What exporting a large lake takes: seconds and peak memory by format, of all of it and of a tenth.

Usage: python -m benchmarks.exports [series]    (1,000,000 unless said)
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Cost, run
from benchmarks.queries import PER_STUDY, build

SERIES = 1_000_000


@dataclass(frozen=True, slots=True)
class Taken:
    """What one format takes for so many series, and for a tenth of them."""

    what: str
    whole: Cost
    tenth: Cost


def measure(folder: Path, series: int = SERIES) -> Iterator[Taken]:
    """Build a lake and export it."""
    build(folder / "lake", series)
    (folder / "pacslake.toml").write_text('[lake]\npath = "lake"\n')
    for kind in ("parquet", "csv", "xlsx"):
        costs = [_export(folder, kind, f"from series limit {count}") for count in (series, series // 10)]
        yield Taken(f"export of {series:,} series, {kind}", *costs)
    studies = series // PER_STUDY
    chosen = "select pacs, StudyInstanceUID from studies limit"
    costs = [_export(folder, "fhir", f"{chosen} {count}") for count in (studies, studies // 10)]
    yield Taken(f"export of {studies:,} studies with {series:,} series, fhir", *costs)


def _export(folder: Path, kind: str, statement: str) -> Cost:
    words = ["export", "--sql", statement, "--format", kind, "--output", f"export.{kind}", "--overwrite"]
    cost = run(["pacslake", *words], cwd=folder)
    assert cost.code == 0, f"pacslake export ended with {cost.code}"
    return cost


def main(series: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        for one in measure(Path(name), series):
            whole, tenth = (f"{cost.seconds:.1f} s, {cost.peak_mb:.0f} MB" for cost in (one.whole, one.tenth))
            print(f"{one.what}: {whole}; a tenth: {tenth}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or [str(SERIES)]))
