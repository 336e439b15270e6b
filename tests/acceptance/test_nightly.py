"""Sweeps of an archive that changes meanwhile: what a night costs, and what becomes of what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.changing import ChangingArchive
from crawler.testing.quirks import OverCap, Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import ask, configure, differences, said, sweep

TODAY = date.today()
FIRST = TODAY - timedelta(days=60)
LEVELS = (Level.STUDY, Level.SERIES, Level.IMAGE)
OTHER = Archive(30, FIRST, TODAY, seed=9, series_per_study=2)


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[tuple[ChangingArchive, Simulator]]:
    archive = ChangingArchive(Archive(60, FIRST, TODAY, seed=5, series_per_study=2, undated=3))
    with running(Simulator(archive)) as pacs:
        configure(tmp_path, {"main": pacs.port})
        yield archive, pacs


def data_files(folder: Path) -> dict[str, set[str]]:
    """Name the data files of the lake by entity."""
    return {one.name: {file.name for file in one.iterdir()} for one in (folder / "lake/log").glob("entity=*")}


def asked(pacs: Simulator) -> Counter[Level]:
    """Give what was asked since the last time, by level."""
    counts, pacs.counts.queries = pacs.counts.queries, Counter()
    return counts


def assert_true(folder: Path, archive: ChangingArchive, *levels: Level) -> None:
    for level in levels:
        assert differences(folder, "main", level, archive) == []
    verified = pacslake(folder, "verify")
    assert verified.returncode == 0, verified.stdout.decode()


def test_a_night_without_changes_asks_for_studies_alone_and_rewrites_nothing(
    tmp_path: Path, hospital: tuple[ChangingArchive, Simulator]
) -> None:
    archive, pacs = hospital
    assert sweep(tmp_path, "--level", "image").returncode == 0
    before = data_files(tmp_path)
    asked(pacs)
    done = sweep(tmp_path, "--level", "image")
    assert done.returncode == 0, said(done)
    assert asked(pacs).keys() == {Level.STUDY}
    after = data_files(tmp_path)
    assert {entity for entity in after if after[entity] != before.get(entity)} == {"entity=window", "entity=sweep"}
    assert_true(tmp_path, archive, *LEVELS)
    assert pacslake(tmp_path, "coverage", "--level", "image").returncode == 0


def test_only_what_changed_is_asked_below_again(tmp_path: Path, hospital: tuple[ChangingArchive, Simulator]) -> None:
    archive, pacs = hospital
    assert sweep(tmp_path, "--level", "image").returncode == 0
    grown, corrected, shrunk, *_ = archive.studies()[5:]
    archive.grow(grown, "2.25.4711")
    archive.alter(corrected, PatientID="MERGED", StudyDescription="corrected")
    archive.delete_series(shrunk, archive.series(shrunk)[-1])
    archive.receive(OTHER, OTHER.table(Level.STUDY)["StudyInstanceUID"].to_pylist()[:2])
    asked(pacs)
    done = sweep(tmp_path, "--level", "image")
    assert done.returncode == 0, said(done)
    below = asked(pacs)
    assert 5 <= below[Level.SERIES] <= 7, "five studies, and a series that was missed"
    assert_true(tmp_path, archive, *LEVELS)


def test_what_vanished_is_removed_with_all_below_it_and_may_come_back(
    tmp_path: Path, hospital: tuple[ChangingArchive, Simulator]
) -> None:
    archive, _ = hospital
    assert sweep(tmp_path, "--level", "image").returncode == 0
    gone = OTHER.table(Level.STUDY)["StudyInstanceUID"].to_pylist()[3]
    archive.receive(OTHER, [gone])
    assert sweep(tmp_path, "--level", "image").returncode == 0
    archive.delete(gone)
    archive.delete(archive.studies()[10])
    done = sweep(tmp_path, "--level", "image")
    assert done.returncode == 0, said(done)
    assert ", 2 gone)" in said(done)
    assert_true(tmp_path, archive, *LEVELS)
    archive.receive(OTHER, [gone])
    assert sweep(tmp_path, "--level", "image").returncode == 0
    assert_true(tmp_path, archive, *LEVELS)
    history = f"select change from studies_history where StudyInstanceUID = '{gone}' order by valid_from"
    assert ask(tmp_path, history) == [("insert",), ("remove",), ("reappear",)]


def test_a_corrected_date_and_a_merged_patient_are_versions(
    tmp_path: Path, hospital: tuple[ChangingArchive, Simulator]
) -> None:
    archive, _ = hospital
    assert sweep(tmp_path).returncode == 0
    study = archive.studies()[20]
    archive.alter(study, StudyDate=FIRST, PatientID="MERGED")
    assert sweep(tmp_path).returncode == 0
    history = f"select change, PatientID from studies_history where StudyInstanceUID = '{study}' order by valid_from"
    assert [change for change, _ in ask(tmp_path, history)] == ["insert", "update"]
    assert ask(tmp_path, history)[-1] == ("update", "MERGED")
    assert_true(tmp_path, archive, Level.STUDY, Level.SERIES)


def test_a_study_that_the_pacs_does_not_count_is_asked_below_each_time(tmp_path: Path) -> None:
    archive = ChangingArchive(Archive(12, FIRST, TODAY, seed=5, series_per_study=2), counted=False)
    with running(Simulator(archive)) as pacs:
        configure(tmp_path, {"main": pacs.port})
        assert sweep(tmp_path).returncode == 0
        archive.grow(archive.studies()[3], "2.25.4711")
        asked(pacs)
        assert sweep(tmp_path).returncode == 0
        assert asked(pacs)[Level.SERIES] == archive.total
        assert_true(tmp_path, archive, Level.STUDY, Level.SERIES)


def test_restart_asks_below_unchanged_studies_too(tmp_path: Path, hospital: tuple[ChangingArchive, Simulator]) -> None:
    archive, pacs = hospital
    assert sweep(tmp_path).returncode == 0
    asked(pacs)
    assert sweep(tmp_path, "--restart").returncode == 0
    assert asked(pacs)[Level.SERIES] == archive.total


def test_a_lookback_asks_for_the_last_days_alone(tmp_path: Path, hospital: tuple[ChangingArchive, Simulator]) -> None:
    archive, pacs = hospital
    assert sweep(tmp_path).returncode == 0
    old, young = archive.studies()[3], archive.studies()[-1]
    archive.grow(old, "2.25.1")
    archive.grow(young, "2.25.2")
    asked(pacs)
    done = sweep(tmp_path, "--lookback", "7")
    assert done.returncode == 0, said(done)
    assert asked(pacs)[Level.SERIES] == 1
    assert ask(tmp_path, "select SeriesInstanceUID from series where length(SeriesInstanceUID) = 6") == [("2.25.2",)]


def test_reconciling_finds_late_arrivals_growth_and_deletions_in_old_days(
    tmp_path: Path, hospital: tuple[ChangingArchive, Simulator]
) -> None:
    archive, _ = hospital
    assert sweep(tmp_path).returncode == 0
    archive.receive(OTHER)
    archive.grow(archive.studies()[9], "2.25.1")
    archive.delete(archive.studies()[12])
    job = '[jobs.nightly]\nkind = "sweep"\ncron = "0 1 * * *"\nlookback_days = 1\nreconcile_days = 2\n'
    settings = tmp_path / "pacslake.toml"
    settings.write_text(settings.read_text() + job)
    for _ in range(3):
        done = sweep(tmp_path, "--job", "nightly")
        assert done.returncode == 0, said(done)
    assert_true(tmp_path, archive, Level.STUDY, Level.SERIES)


def reconciled(folder: Path, nights: int) -> None:
    """Go round the whole archive in so many nights."""
    job = f'[jobs.nightly]\nkind = "sweep"\ncron = "0 1 * * *"\nlookback_days = 1\nreconcile_days = {nights}\n'
    settings = folder / "pacslake.toml"
    settings.write_text(settings.read_text() + job)
    for _ in range(nights):
        done = sweep(folder, "--job", "nightly")
        assert done.returncode == 0, said(done)


def test_several_pacs_are_reconciled_side_by_side(tmp_path: Path) -> None:
    archives = [Archive(12, FIRST, TODAY, seed=seed, series_per_study=1) for seed in (5, 6)]
    with running(Simulator(archives[0])) as one, running(Simulator(archives[1])) as other:
        configure(tmp_path, {"main": one.port, "site": other.port}, levels='["study"]')
        assert sweep(tmp_path, "--to", str(TODAY)).returncode == 0
        one.quirks = other.quirks = Quirks(latency=0.4)
        done = sweep(tmp_path, "--reconcile")
        assert done.returncode == 0, said(done)
    slow = "(select pacs, asked_at as over, over - to_milliseconds(took_ms) as began from windows where took_ms > 400)"
    together = (
        f"select count(*) from {slow} a join {slow} b on a.pacs < b.pacs and a.began < b.over and b.began < a.over"
    )
    assert ask(tmp_path, together) != [(0,)]


def test_reconciling_goes_round_the_studies_without_a_date_too(
    tmp_path: Path, hospital: tuple[ChangingArchive, Simulator]
) -> None:
    archive, _ = hospital
    assert sweep(tmp_path).returncode == 0
    gone, dated, renamed = archive.studies()[:3]
    archive.delete(gone)
    archive.alter(dated, StudyDate=FIRST)
    archive.alter(renamed, StudyDescription="corrected")
    archive.delete(archive.studies()[30])
    reconciled(tmp_path, 2)
    assert_true(tmp_path, archive, Level.STUDY, Level.SERIES)
    assert pacslake(tmp_path, "coverage").returncode == 0
    times = "select count(*) from windows where \"key\" = 'StudyDate=' and level = 'study'"
    assert ask(tmp_path, times) == [(2,)], "by the first sweep, and once by two nights"


def test_without_an_answer_for_all_reconciling_does_not_ask_for_undated_studies(tmp_path: Path) -> None:
    archive = Archive(150, FIRST, TODAY, seed=5, series_per_study=1, undated=3)
    with running(Simulator(archive, quirks=Quirks(cap=100, over_cap=OverCap.REFUSE_A700))) as pacs:
        configure(tmp_path, {"main": pacs.port})
        assert sweep(tmp_path, "--level", "study").returncode != 0
        before = ask(tmp_path, "select count(*) from windows where \"key\" = 'StudyDate='")
        assert sweep(tmp_path, "--reconcile").returncode == 0
        assert ask(tmp_path, "select count(*) from windows where \"key\" = 'StudyDate='") == before


def test_a_study_that_was_alone_for_years_is_missed(tmp_path: Path) -> None:
    archive = ChangingArchive(Archive(40, FIRST, TODAY, seed=5, series_per_study=1))
    lonely, staying = archive.studies()[3], archive.studies()[4]
    archive.alter(lonely, StudyDate=date(1996, 5, 4))
    archive.alter(staying, StudyDate=date(1991, 5, 4))
    with running(Simulator(archive)) as pacs:
        configure(tmp_path, {"main": pacs.port})
        assert sweep(tmp_path).returncode == 0
        archive.delete(lonely)
        done = sweep(tmp_path, "--from", "1996-01-01", "--to", "1996-12-31")
        assert done.returncode in (0, 3), said(done)
        assert_true(tmp_path, archive, Level.STUDY, Level.SERIES)


def test_a_pacs_that_answers_nothing_at_all_loses_no_study(tmp_path: Path) -> None:
    archive = ChangingArchive(Archive(40, FIRST, TODAY, seed=5, series_per_study=1))
    with running(Simulator(archive)) as pacs:
        configure(tmp_path, {"main": pacs.port})
        assert sweep(tmp_path).returncode == 0
        for study in archive.studies():
            archive.delete(study)
        sweep(tmp_path)
        assert ask(tmp_path, "select count(*) from studies") == [(40,)]


def test_a_quiet_week_is_proven_by_what_lies_near_by(tmp_path: Path) -> None:
    archive = Archive(60, FIRST, TODAY - timedelta(days=10), seed=5, series_per_study=2)
    with running(Simulator(archive)) as pacs:
        configure(tmp_path, {"main": pacs.port})
        assert sweep(tmp_path).returncode == 0
        asked(pacs)
        done = sweep(tmp_path, "--lookback", "7")
        assert done.returncode == 0, said(done)
        assert asked(pacs)[Level.STUDY] <= 6
        assert pacslake(tmp_path, "coverage", "--from", str(TODAY - timedelta(days=7))).returncode == 0


@pytest.mark.parametrize(
    "words",
    [("--job", "nightly"), ("--lookback", "7", "--from", "2024-01-01"), ("main", "--job", "x"), ("--lookback", "0")],
)
def test_what_makes_no_sense_is_said(tmp_path: Path, words: tuple[str, ...]) -> None:
    configure(tmp_path, {"main": 1})
    assert sweep(tmp_path, *words).returncode == 2
