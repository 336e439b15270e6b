"""Series and images by the days of their studies, where a PACS grants relational queries: exact, never trusted."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.changing import ChangingArchive
from crawler.testing.quirks import Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import ask, configure, differences, said, states, sweep

FIRST, LAST = date(2024, 1, 1), date(2024, 3, 31)
DAYS = ("--from", str(FIRST), "--to", str(LAST))
STUDIES = 200
ARCHIVE = Archive(STUDIES, FIRST, LAST, seed=3, series_per_study=3)
SMALL = Archive(60, FIRST, LAST, seed=4, series_per_study=2)
NO_COUNTS = frozenset({"NumberOfStudyRelatedSeries", "NumberOfSeriesRelatedInstances"})


def finding(folder: Path) -> list[tuple[Any, ...]]:
    return ask(folder, "select value from pacs_profiles where name = 'relational'")


def test_what_a_check_finds_a_sweep_uses(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(relational=True))) as simulator:
        configure(tmp_path, {"main": simulator.port}, max_associations=1)
        assert pacslake(tmp_path, "check", "main", "--day", "2024-02-01").returncode == 0
        assert finding(tmp_path) == [("yes",)]
        before = simulator.counts.queries[Level.SERIES]
        done = sweep(tmp_path, *DAYS)
        assert done.returncode == 0, said(done)
        assert simulator.counts.queries[Level.SERIES] - before < STUDIES / 8
    for level in (Level.STUDY, Level.SERIES):
        assert differences(tmp_path, "main", level, ARCHIVE) == []
    assert states(tmp_path, "main").keys() == {"complete"}


@pytest.mark.parametrize("omits", [frozenset(), NO_COUNTS], ids=["counted", "uncounted"])
def test_images_come_by_days_too(tmp_path: Path, omits: frozenset[str]) -> None:
    with running(Simulator(SMALL, quirks=Quirks(relational=True, omits=omits))) as simulator:
        configure(tmp_path, {"main": simulator.port}, relational="true", uid_lists="false")
        done = sweep(tmp_path, *DAYS, "--level", "image")
        assert done.returncode == 0, said(done)
        asked = simulator.counts.queries
        assert asked[Level.SERIES] + asked[Level.IMAGE] < 60
    assert differences(tmp_path, "main", Level.IMAGE, SMALL) == []


@pytest.mark.parametrize(
    ("cap", "omits"),
    [(60, frozenset()), (100, frozenset({"NumberOfStudyRelatedSeries"}))],
    ids=["counted", "uncounted"],
)
def test_a_cap_that_nobody_knows_of_loses_no_series(tmp_path: Path, cap: int, omits: frozenset[str]) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(relational=True, cap=cap, omits=omits))) as simulator:
        configure(tmp_path, {"main": simulator.port}, relational="true")
        done = sweep(tmp_path, *DAYS)
        assert done.returncode in (0, 4), said(done)
    assert differences(tmp_path, "main", Level.SERIES, ARCHIVE) == []


def test_who_lies_is_found_out_and_asked_study_by_study(tmp_path: Path) -> None:
    with running(Simulator(SMALL, quirks=Quirks(lies_relational=True))) as simulator:
        configure(tmp_path, {"main": simulator.port})
        pacslake(tmp_path, "check", "main", "--day", "2024-02-01")
        done = sweep(tmp_path, *DAYS)
        assert done.returncode == 0, said(done)
    assert differences(tmp_path, "main", Level.SERIES, SMALL) == []
    assert finding(tmp_path) == [("no",)]


def test_a_pacs_that_does_not_grant_them_refuses_and_is_asked_study_by_study(tmp_path: Path) -> None:
    with running(Simulator(SMALL)) as simulator:
        configure(tmp_path, {"main": simulator.port}, relational="true")
        done = sweep(tmp_path, *DAYS)
        assert done.returncode == 0, said(done)
    assert differences(tmp_path, "main", Level.SERIES, SMALL) == []
    assert finding(tmp_path) == [("no",)]


def test_counts_that_are_wrong_lose_nothing_and_cost_little(tmp_path: Path) -> None:
    archive = ChangingArchive(SMALL)
    for study in archive.studies():
        archive.alter(study, NumberOfStudyRelatedSeries=7)
    with running(Simulator(archive, quirks=Quirks(relational=True))) as simulator:
        configure(tmp_path, {"main": simulator.port}, relational="true", max_associations=1)
        done = sweep(tmp_path, *DAYS)
        assert done.returncode == 0, said(done)
        assert simulator.counts.queries[Level.SERIES] < 60
    assert differences(tmp_path, "main", Level.SERIES, archive) == []
