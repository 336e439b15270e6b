"""`pacslake coverage` and `pacslake backfill` after sweeps of a simulated PACS that went wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import OverCap, Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import ENVIRONMENT, pacslake
from tests.acceptance.sweeping import configure, differences, said, sweep

FIRST, LAST = date(2024, 3, 1), date(2024, 3, 31)
BUSY = date(2024, 3, 10)
DAYS = ("--from", FIRST.isoformat(), "--to", LAST.isoformat())
ARCHIVE = Archive(90, FIRST, LAST, series_per_study=1.5, busy_day=BUSY, busy=60)
NOT_NARROWED = frozenset({"StudyTime", "ModalitiesInStudy", "PatientID", "PatientName"})
"""Keys whose being ignored leaves nothing to split a day by."""


def coverage_of(folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = pacslake(folder, "coverage", *arguments, "--format", "json")
    (main,) = json.loads(done.stdout)["pacs"]
    return done.returncode, main


def days_in(ranges: list[dict[str, Any]], *, proven: bool) -> list[date]:
    found = []
    for one in ranges:
        if (one["state"] == "complete") is proven:
            day, last = date.fromisoformat(one["date_from"]), date.fromisoformat(one["date_to"])
            found += [day + timedelta(days=number) for number in range((last - day).days + 1)]
    return found


def exact(folder: Path, level: Level, first: date, last: date) -> bool:
    return differences(folder, "main", level, ARCHIVE, (first, last)) == []


def test_a_day_that_was_refused_is_shown_and_asked_for_alone(tmp_path: Path) -> None:
    strict = Quirks(cap=30, over_cap=OverCap.REFUSE_A700, ignores=NOT_NARROWED)
    with running(Simulator(ARCHIVE, quirks=strict)) as pacs:
        configure(tmp_path, {"main": pacs.port})
        assert sweep(tmp_path, *DAYS).returncode in (3, 4)
    code, known = coverage_of(tmp_path)
    assert code in (3, 4)
    assert days_in(known["ranges"], proven=False) == [BUSY]
    assert (known["date_from"], known["date_to"]) == (FIRST.isoformat(), LAST.isoformat())
    command = f"pacslake backfill main --from {BUSY} --to {BUSY}"
    assert [one["command"] for one in known["ranges"] if one["command"]] == [command]
    assert command in pacslake(tmp_path, "coverage").stdout.decode()

    forecast = pacslake(tmp_path, "backfill", "--dry-run")
    assert forecast.returncode == 0
    assert forecast.stdout.decode().splitlines()[2].split()[:4] == ["main", str(BUSY), str(BUSY), "1"]

    with running(Simulator(ARCHIVE)) as pacs:
        configure(tmp_path, {"main": pacs.port})
        done = pacslake(tmp_path, "backfill")
        assert (done.returncode, done.stdout) == (0, b"")
        asked = pacs.counts.queries
        assert asked[Level.SERIES] == ARCHIVE.table(Level.STUDY, BUSY, BUSY).num_rows
        assert asked[Level.STUDY] <= 3
        assert pacslake(tmp_path, "backfill").returncode == 0
        assert pacs.counts.queries == asked
    assert exact(tmp_path, Level.STUDY, FIRST, LAST)
    assert exact(tmp_path, Level.SERIES, FIRST, LAST)
    assert coverage_of(tmp_path)[0] == 0


def test_an_interrupted_sweep_leaves_days_never_asked_that_a_backfill_asks_for(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(latency=0.15))) as pacs:
        configure(tmp_path, {"main": pacs.port}, levels='["study"]', max_associations=1)
        with subprocess.Popen(
            ["pacslake", "sweep", *DAYS], cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE
        ) as process:
            while pacs.counts.queries[Level.STUDY] < 3:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        assert process.returncode == 130
    code, known = coverage_of(tmp_path)
    assert code == 3
    missing, there = (days_in(known["ranges"], proven=proven) for proven in (False, True))
    assert missing[0] == FIRST
    assert there[-1] == LAST
    assert {one["state"] for one in known["ranges"]} == {"never_asked", "complete"}
    assert exact(tmp_path, Level.STUDY, there[0], LAST)

    with running(Simulator(ARCHIVE)) as pacs:
        configure(tmp_path, {"main": pacs.port}, levels='["study"]')
        done = pacslake(tmp_path, "backfill", "main")
        assert done.returncode == 0
        assert f"main: {FIRST} to {missing[-1]} (1 of 1)" in said(done)
    assert exact(tmp_path, Level.STUDY, FIRST, LAST)
    assert coverage_of(tmp_path)[0] == 0


def test_a_deeper_level_is_a_gap_of_all_days(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE)) as pacs:
        configure(tmp_path, {"main": pacs.port})
        assert sweep(tmp_path, *DAYS, "--level", "study").returncode == 0
        assert coverage_of(tmp_path, "--level", "study")[0] == 0
        code, known = coverage_of(tmp_path)
        assert (code, len(days_in(known["ranges"], proven=False))) == (3, 31)
        assert {one["level"] for one in known["ranges"]} == {"series"}
        assert pacslake(tmp_path, "backfill").returncode == 0
        assert coverage_of(tmp_path)[0] == 0


def test_a_backfill_says_what_it_cannot_do(tmp_path: Path) -> None:
    configure(tmp_path, {"main": 1, "other": 2})
    assert pacslake(tmp_path, "backfill").returncode == 10
    with running(Simulator(ARCHIVE)) as pacs:
        configure(tmp_path, {"main": pacs.port, "other": 2})
        sweep(tmp_path, "main", "--from", "2024-03-02", "--to", "2024-03-03", "--level", "study")
        done = pacslake(tmp_path, "backfill", "--level", "study")
    assert done.returncode == 3
    assert said(done).splitlines() == [
        "pacslake: other was never asked; type: pacslake sweep other",
        "pacslake: no day is due",
    ]
    assert pacslake(tmp_path, "backfill", "nobody").returncode == 2
