"""Series by lists of StudyInstanceUIDs, where a PACS was found to take them: exact, with few queries, never trusted."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from crawler.lake.writer import LakeWriter
from crawler.model import Finding, Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.sweeping import ask, configure, differences, said, states, sweep

FIRST, LAST = date(2024, 1, 1), date(2024, 3, 31)
DAYS = ("--from", str(FIRST), "--to", str(LAST))
STUDIES = 400
ARCHIVE = Archive(STUDIES, FIRST, LAST, seed=3, series_per_study=3)


def found_out(folder: Path, name: str, value: str, level: Level = Level.SERIES) -> None:
    """Put into the lake what `pacslake check` would have found."""
    with LakeWriter.open(folder / "lake") as writer:
        writer.commit(findings=[Finding("main", level, name, value, "a test says so", datetime.now(UTC))])


def lists_of(folder: Path) -> str:
    [(value,)] = ask(folder, "select value from pacs_profiles where name = 'uid_lists' and level = 'series'")
    return str(value)


def test_lists_bring_the_same_rows_with_few_queries(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE)) as simulator:
        configure(tmp_path, {"main": simulator.port})
        found_out(tmp_path, "uid_lists", "yes")
        done = sweep(tmp_path)
        assert done.returncode == 0, said(done)
        assert simulator.counts.queries[Level.SERIES] < STUDIES / 8
    for level in (Level.STUDY, Level.SERIES):
        assert differences(tmp_path, "main", level, ARCHIVE) == []
    assert states(tmp_path, "main").keys() == {"complete"}
    assert lists_of(tmp_path) == "yes"


def test_without_the_finding_each_study_is_asked_for(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE)) as simulator:
        configure(tmp_path, {"main": simulator.port})
        assert sweep(tmp_path).returncode == 0
        assert simulator.counts.queries[Level.SERIES] >= STUDIES


@pytest.mark.parametrize("cap", [60, 100, 130])
def test_a_cap_that_nobody_knows_of_loses_no_series(tmp_path: Path, cap: int) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(cap=cap))) as simulator:
        configure(tmp_path, {"main": simulator.port})
        found_out(tmp_path, "uid_lists", "yes")
        done = sweep(tmp_path, *DAYS)
        assert done.returncode in (0, 4), said(done)
        assert simulator.counts.queries[Level.SERIES] < STUDIES
    assert differences(tmp_path, "main", Level.SERIES, ARCHIVE) == []


def test_a_known_cap_is_kept_clear_of(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(cap=100))) as simulator:
        configure(tmp_path, {"main": simulator.port}, cap=100)
        found_out(tmp_path, "uid_lists", "yes")
        done = sweep(tmp_path, *DAYS)
        assert done.returncode == 0, said(done)
        assert simulator.counts.queries[Level.SERIES] < STUDIES / 4
    assert differences(tmp_path, "main", Level.SERIES, ARCHIVE) == []


@pytest.mark.parametrize("quirk", [Quirks(ignores=frozenset({"StudyInstanceUID"}))], ids=["ignored"])
def test_a_wrong_finding_falls_back_and_is_taken_back(tmp_path: Path, quirk: Quirks) -> None:
    archive = Archive(12, FIRST, LAST, seed=5, series_per_study=2)
    with running(Simulator(archive, quirks=quirk)) as simulator:
        configure(tmp_path, {"main": simulator.port})
        found_out(tmp_path, "uid_lists", "yes")
        sweep(tmp_path)
    assert lists_of(tmp_path) == "no"
