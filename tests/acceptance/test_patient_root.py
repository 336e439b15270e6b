"""Sweeps under Patient Root and Patient/Study Only, of a simulated PACS that wants every unique key above."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.quirks import OverCap, Quirks
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import ask, configure, differences, said, states, sweep

FIRST, LAST = date(2024, 1, 1), date(2024, 2, 29)
ARCHIVE = Archive(130, FIRST, LAST, seed=8, series_per_study=2, undated=4)
PATIENTS = sorted(ARCHIVE.table(Level.PATIENT)["PatientID"].to_pylist())


def listed(folder: Path) -> list[str]:
    return [one for (one,) in ask(folder, "select PatientID from patients order by all")]


def test_everything_comes_patient_by_patient(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE)) as simulator:
        configure(tmp_path, {"main": simulator.port}, model='"patient"')
        done = sweep(tmp_path)
        assert done.returncode == 0, said(done)
        assert simulator.counts.refused == 0
    for level in (Level.STUDY, Level.SERIES):
        assert differences(tmp_path, "main", level, ARCHIVE) == []
    assert listed(tmp_path) == PATIENTS
    assert states(tmp_path, "main").keys() == {"complete"}
    levels = ask(tmp_path, "select level, count(*) from windows where key is null group by all order by all")
    assert levels == [("patient", 1), ("series", 1), ("study", 1)]


def test_patients_alone(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE)) as simulator:
        configure(tmp_path, {"main": simulator.port}, model='"patient"')
        done = sweep(tmp_path, "--level", "patient")
        assert done.returncode == 0, said(done)
        assert f"{len(PATIENTS)} patients" in said(done)
        assert simulator.counts.queries == {Level.PATIENT: 1}
    names = "PatientName, PatientSex, NumberOfPatientRelatedStudies"
    truth = ARCHIVE.table(Level.PATIENT).select([*names.split(", "), "PatientID"]).sort_by("PatientID").to_pylist()
    rows = ask(tmp_path, f"select {names}, PatientID from patients order by PatientID")
    assert rows == [tuple(one.values()) for one in truth]


def test_days_narrow_the_studies(tmp_path: Path) -> None:
    days = (date(2024, 2, 1), date(2024, 2, 5))
    with running(Simulator(ARCHIVE)) as simulator:
        configure(tmp_path, {"main": simulator.port}, model='"patient"')
        done = sweep(tmp_path, "--level", "image", "--from", str(days[0]), "--to", str(days[1]))
        assert done.returncode == 0, said(done)
    for level in (Level.STUDY, Level.SERIES, Level.IMAGE):
        assert differences(tmp_path, "main", level, ARCHIVE, days) == []
    assert ask(tmp_path, "select min(StudyDate), max(StudyDate) from studies") == [days]


def test_patient_study_only_ends_at_studies(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE)) as simulator:
        configure(tmp_path, {"main": simulator.port}, model='"patient_study"')
        done = sweep(tmp_path)
        assert done.returncode == 0, said(done)
    assert differences(tmp_path, "main", Level.STUDY, ARCHIVE) == []
    assert listed(tmp_path) == PATIENTS


def test_study_root_has_no_patients_to_ask_for(tmp_path: Path) -> None:
    configure(tmp_path, {"main": 1})
    done = sweep(tmp_path, "--level", "patient")
    assert done.returncode == 2
    assert 'set model = "patient"' in said(done)


@pytest.mark.parametrize("over", [OverCap.TRUNCATE, OverCap.REFUSE_A700])
def test_capped_patients_are_split_and_not_called_complete(tmp_path: Path, over: OverCap) -> None:
    with running(Simulator(ARCHIVE, quirks=Quirks(cap=20, over_cap=over))) as simulator:
        configure(tmp_path, {"main": simulator.port}, model='"patient"', cap=20)
        done = sweep(tmp_path, "--level", "study")
        assert done.returncode == 4, said(done)
    assert listed(tmp_path) == PATIENTS
    assert differences(tmp_path, "main", Level.STUDY, ARCHIVE) == []
    [(state, reason)] = ask(tmp_path, "select state, reason from windows where level = 'patient' and key is null")
    assert state == "capped"
    assert "PatientID goes on with other than" in reason
    parts = "select count(*) > 1 from windows where key like 'PatientID=%*' and state = 'complete'"
    assert ask(tmp_path, parts) == [(True,)]


def test_a_pacs_that_ignores_the_patient_proves_nothing(tmp_path: Path) -> None:
    archive = Archive(12, FIRST, LAST, seed=8, series_per_study=1)
    with running(Simulator(archive, quirks=Quirks(ignores=frozenset({"PatientID"})))) as simulator:
        configure(tmp_path, {"main": simulator.port}, model='"patient"')
        done = sweep(tmp_path, "--level", "study")
        assert done.returncode == 3, said(done)
    assert ask(tmp_path, "select distinct state from windows where level = 'study'") == [("filter_ignored",)]


def test_under_study_root_patients_are_those_that_studies_name(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE)) as simulator:
        configure(tmp_path, {"main": simulator.port})
        assert sweep(tmp_path, "--level", "study").returncode == 0
    names = "PatientName, PatientSex, PatientBirthDate, NumberOfPatientRelatedStudies, NumberOfPatientRelatedSeries"
    truth = ARCHIVE.table(Level.PATIENT).select([*names.split(", "), "PatientID"]).sort_by("PatientID").to_pylist()
    rows = ask(tmp_path, f"select {names}, PatientID from patients order by PatientID")
    assert rows == [tuple(one.values()) for one in truth]
    assert pacslake(tmp_path, "verify").returncode == 0


def test_one_lake_of_both_roots_names_each_patient_once(tmp_path: Path) -> None:
    with running(Simulator(ARCHIVE)) as simulator:
        for model, level in (("study", "study"), ("patient", "patient")):
            configure(tmp_path, {"main": simulator.port}, model=f'"{model}"')
            assert sweep(tmp_path, "--level", level).returncode == 0
    assert listed(tmp_path) == PATIENTS
    assert pacslake(tmp_path, "verify").returncode == 0
