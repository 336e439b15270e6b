"""`pacslake export --research`: nothing of a patient in any format, intervals kept, everything joins as before."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crawler.attributes import Told, resolve
from crawler.columns import schema
from crawler.deid.key import read_key
from crawler.deid.pseudonyms import Pseudonyms
from crawler.lake.writer import LakeWriter
from crawler.model import Level
from crawler.secret import Secret
from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from jobs.sweep import SweepRequest, run_sweep
from tests.acceptance.installed import pacslake
from tests.acceptance.seeking import hits, identifiers
from tests.acceptance.sweeping import ask, configure, said

DAYS = (date(2024, 2, 1), date(2024, 2, 20))
HELD = Archive(40, *DAYS, seed=21, series_per_study=2, most_images=2)
UIDS = {
    uid for level in (Level.STUDY, Level.SERIES, Level.IMAGE) for uid in HELD.table(level)[level.unique_key].to_pylist()
}
NONE = "tables for research are patients, studies, series, instances, cohort_series, and no others"
TABLES = ("patients", "studies", "series", "instances")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("research")
    with running(Simulator(HELD)) as pacs:
        configure(folder, {"main": pacs.port})
        settings = load(folder / "pacslake.toml")
        assert run_sweep(settings, SweepRequest(deepest=Level.IMAGE)) == 0
    (folder / "out").mkdir()
    for number, table in enumerate(TABLES):
        done = pacslake(folder, "export", table, "--research", "--output", f"out/{table}.parquet")
        assert done.returncode == 0, said(done)
        assert ("deid.key is the new key of this project" in said(done)) == (number == 0)
    return folder


def rows(folder: Path, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(folder / "out" / f"{table}.parquet").to_pylist()
    return found


def test_nothing_of_a_patient_is_in_a_table_for_research(folder: Path) -> None:
    dates = {f"{day}" for (day,) in ask(folder, "select distinct StudyDate from studies")}
    assert hits(folder / "out", identifiers(HELD) | UIDS) == {}
    shown = {str(row["StudyDate"]) for row in rows(folder, "studies")}
    assert len(shown - dates) > len(shown) * 0.8, "shifted dates may meet others"
    names = {name for table in TABLES for name in rows(folder, table)[0]}
    assert names.isdisjoint(
        ("raw", "faults", "first_seen_at", "changed_at", "sweep_id", "PatientName", "patient_family_name")
    )


def test_patients_codes_and_shifts_are_those_of_the_project(folder: Path) -> None:
    names = Pseudonyms(read_key(Secret(folder / "deid.key")))
    truth = {row["StudyInstanceUID"]: row for row in HELD.table(Level.STUDY).to_pylist()}
    found = {row["StudyInstanceUID"]: row for row in rows(folder, "studies")}
    assert found.keys() == {names.uid(uid) for uid in truth}
    for uid, row in truth.items():
        made = found[names.uid(uid)]
        assert made["PatientID"] == names.patient(row["PatientID"])
        assert (made["StudyDate"] - row["StudyDate"]).days == names.days(row["PatientID"])
        assert (made["StudyTime"], made["PatientSex"]) == (row["StudyTime"], row["PatientSex"])
    assert [row["StudyInstanceUID"] for row in rows(folder, "studies")] != sorted(found)
    assert {row["PatientID"] for row in rows(folder, "patients")} == {row["PatientID"] for row in found.values()}


def test_what_lies_below_goes_with_its_study(folder: Path) -> None:
    days = {row["StudyInstanceUID"]: row["StudyDate"] for row in rows(folder, "studies")}
    before = dict(
        ask(
            folder, "select SeriesInstanceUID, SeriesDate - StudyDate from series join studies using (StudyInstanceUID)"
        )
    )
    names = Pseudonyms(read_key(Secret(folder / "deid.key")))
    after = {
        row["SeriesInstanceUID"]: (row["SeriesDate"] - days[row["StudyInstanceUID"]]).days
        for row in rows(folder, "series")
    }
    assert after == {names.uid(uid): gap for uid, gap in before.items()}
    series = {row["SeriesInstanceUID"] for row in rows(folder, "instances")}
    assert series <= after.keys()
    assert len(rows(folder, "instances")) == HELD.table(Level.IMAGE).num_rows


def test_free_text_comes_when_asked_for_and_sql_sees_no_more(folder: Path) -> None:
    text = "select StudyDescription, count(*) as n from studies group by all order by all"
    words = ["export", "--research", "--sql", text, "--output", "out/a.csv", "--overwrite"]
    refused = pacslake(folder, *words)
    assert refused.returncode == 2
    assert 'Referenced column "StudyDescription" not found' in said(refused)
    assert pacslake(folder, *words, "--with", "StudyDescription").returncode == 0
    with open(folder / "out" / "a.csv", newline="") as file:
        assert {row[0] for row in csv.reader(file)} > set(HELD.table(Level.STUDY)["StudyDescription"].to_pylist())
    (folder / "out" / "a.csv").unlink()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["windows"],
            NONE,
        ),
        (["studies", "--format", "fhir"], "--research is for tables; FHIR resources name patients"),
        (["studies", "--with", "PatientName"], "PatientName identifies a person and is in no table for research"),
        (["studies", "--with", "Nonsense"], "there is no column 'Nonsense'; `pacslake dictionary` names them"),
        (["--sql", "from studies_history"], NONE),
    ],
)
def test_what_there_is_not(folder: Path, words: list[str], sentence: str) -> None:
    done = pacslake(folder, "export", *words, "--research", "--output", "out/b.csv")
    assert done.returncode == 2
    assert sentence in said(done)
    assert not (folder / "out" / "b.csv").exists()


def test_strangers_stay_strangers_and_the_oldest_are_not_told_apart(tmp_path: Path) -> None:
    age, secret = (
        resolve(Told("PatientAge"), Level.STUDY),
        resolve(Told("0019,1010", name="x", creator="A", vr="LO"), Level.STUDY),
    )
    (tmp_path / "pacslake.toml").write_text("[lake]\npath = 'lake'\n")
    told = [
        ("1.1", "", "101Y", date(1922, 1, 1)),
        ("1.2", None, "089Y", date(1934, 2, 2)),
        ("1.3", " ", "Doe", date(2025, 1, 1)),
        ("1.4", "P1", "003M", date(1934, 2, 1)),
    ]
    keys = ("StudyInstanceUID", "PatientID", "PatientAge", "PatientBirthDate")
    made = [{**dict(zip(keys, one, strict=True)), "x": "Doe", "StudyDate": DAYS[0]} for one in told]
    with LakeWriter.open(tmp_path / "lake") as writer:
        writer.stage(Level.STUDY, "main", "s1", pa.Table.from_pylist(made, schema(Level.STUDY, (age, secret))))
        writer.commit()
    done = pacslake(tmp_path, "export", "studies", "--research", "--output", "a.parquet")
    assert done.returncode == 0, said(done)
    found = pq.read_table(tmp_path / "a.parquet").to_pylist()
    names = Pseudonyms(read_key(Secret(tmp_path / "deid.key")))
    assert {row["PatientID"] for row in found} == {names.patient(who) for who in ("1.1", "1.2", "1.3", "P1")}
    assert {row["PatientAge"] for row in found} == {"090Y", "089Y", None, "003M"}
    assert sorted(str(row["age_years"]) for row in found) == ["89", "90", "90", "None"]
    assert "x" not in found[0]
