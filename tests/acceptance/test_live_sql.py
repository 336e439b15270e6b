"""`pacslake sql --live` as a person types it: SQL answered from a PACS itself, and no lake anywhere."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.sweeping import Done, configure, said

ARCHIVE = Archive(300, date(2024, 1, 1), date(2024, 3, 31), seed=5, series_per_study=2)
STUDIES: list[dict[str, Any]] = ARCHIVE.table(Level.STUDY).to_pylist()
ONE = next(study for study in STUDIES if "CT" in study["ModalitiesInStudy"])


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running(Simulator(ARCHIVE)) as running_one:
        yield running_one


@pytest.fixture
def folder(tmp_path: Path, simulator: Simulator) -> Path:
    configure(tmp_path, {"main": simulator.port})
    return tmp_path


def ask(folder: Path, statement: str, *more: str) -> Done:
    return pacslake(folder, "sql", "--live", "main", statement, *more)


def rows(done: Done) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(done.stdout.decode())))


def test_one_patient_costs_one_query_and_leaves_no_lake(folder: Path, simulator: Simulator) -> None:
    before = simulator.counts.queries[Level.STUDY]
    statement = f"""select PatientID, StudyDate, ModalitiesInStudy, StudyDescription from studies
        where PatientID = '{ONE["PatientID"]}' and StudyDate between '2024-01-01' and '2024-02-15' order by StudyDate"""
    done = ask(folder, statement, "--format", "csv")
    assert done.returncode == 0, said(done)
    assert said(done) == ""
    expected = [
        (str(one["StudyDate"]), one["StudyDescription"])
        for one in STUDIES
        if one["PatientID"] == ONE["PatientID"] and one["StudyDate"] <= date(2024, 2, 15)
    ]
    assert sorted((row["StudyDate"], row["StudyDescription"]) for row in rows(done)) == sorted(expected)
    assert simulator.counts.queries[Level.STUDY] == before + 1
    assert not list((folder / "lake").rglob("*.parquet"))


def test_a_join_asks_below_the_studies_that_it_wants(folder: Path, simulator: Simulator) -> None:
    before = simulator.counts.queries.copy()
    statement = f"""select r.SeriesInstanceUID, count(*) as images
        from studies s join series r using (StudyInstanceUID) join instances i using (SeriesInstanceUID)
        where s.StudyDate = '{ONE["StudyDate"]}' and s.PatientID = '{ONE["PatientID"]}' and r.Modality = 'CT'
        group by 1"""
    done = ask(folder, statement, "--format", "csv")
    assert done.returncode == 0, said(done)
    mine = {
        study["StudyInstanceUID"]
        for study in STUDIES
        if (study["PatientID"], study["StudyDate"]) == (ONE["PatientID"], ONE["StudyDate"])
    }
    series = [one for one in ARCHIVE.table(Level.SERIES).to_pylist() if one["StudyInstanceUID"] in mine]
    counts = {
        one["SeriesInstanceUID"]: one["NumberOfSeriesRelatedInstances"] for one in series if one["Modality"] == "CT"
    }
    assert {row["SeriesInstanceUID"]: int(row["images"]) for row in rows(done)} == counts
    asked = {level: simulator.counts.queries[level] - before[level] for level in (Level.SERIES, Level.IMAGE)}
    assert asked == {Level.SERIES: len(mine), Level.IMAGE: len(counts)}


def test_explaining_asks_nothing(folder: Path, simulator: Simulator) -> None:
    before = simulator.counts.queries.copy()
    statement = """select * from studies s join series r using (StudyInstanceUID)
        where StudyDate >= '2024-03-01' and PatientName like 'M_ller%' and Modality = 'CT'"""
    done = ask(folder, statement, "--explain")
    assert done.stdout.decode().splitlines() == [
        "level   asked for                                                                      studies",
        "------  -----------------------------------------------------------------------------  -------",
        "study   PatientName=M*ller* StudyDate=20240229-                                        ?",
        "series  each study where (StudyDate >= '2024-03-01') AND (PatientName LIKE 'M_ller%')  ?",
        "",
        "Left to DuckDB: Modality = 'CT'",
        "DuckDB runs the whole statement over what comes. Nothing was asked yet.",
    ]
    assert json.loads(ask(folder, statement, "--explain", "--format", "json").stdout)["left_to_duckdb"] == [
        "Modality = 'CT'"
    ]
    assert simulator.counts.queries == before


def test_a_whole_archive_is_asked_for_on_request_alone(folder: Path) -> None:
    done = ask(folder, "select count(*) as n from studies")
    assert done.returncode == 2
    assert said(done) == (
        "pacslake: this asks main for all of its studies, nobody knows how many these are: name a patient, an order or "
        "days (PatientID, AccessionNumber, StudyDate), or add --yes\n"
    )
    done = ask(folder, "select count(*) as n from studies", "--yes", "--format", "csv")
    assert (done.returncode, rows(done)) == (0, [{"n": str(len(STUDIES))}]), said(done)
