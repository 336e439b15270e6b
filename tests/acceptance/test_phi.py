"""A lake without identifiers: nothing of a patient is in any byte of it, and joins, sweeps and cohorts go on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crawler.cohort.definition import Definition
from crawler.deid.key import read_key
from crawler.deid.pseudonyms import Pseudonyms
from crawler.errors import UserError
from crawler.model import Level
from crawler.secret import Secret
from crawler.settings import load
from crawler.testing.archive import Archive
from crawler.testing.quirks import OverCap, Quirks
from crawler.testing.simulator import Simulator, running
from jobs.cohort import freeze_cohort
from jobs.ordering import RetrieveRequest, Wish
from jobs.retrieve import run_retrieve
from jobs.sweep import SweepRequest, run_sweep
from tests.acceptance.installed import pacslake
from tests.acceptance.seeking import hits, identifiers
from tests.acceptance.sweeping import ask, configure, differences, said, sweep

DAYS = (date(2024, 2, 1), date(2024, 2, 5))
HELD = Archive(40, *DAYS, seed=11, series_per_study=2, rows=8, columns=6, most_images=3, undated=2)
MORE = Archive(30, *DAYS, seed=12, series_per_study=2, most_images=2)
WHO = identifiers(HELD, MORE)


def told(folder: Path, phi: str) -> None:
    """Add a section [phi] to the settings, in the place of the one that is there."""
    path = folder / "pacslake.toml"
    path.write_text(path.read_text().partition("[phi]")[0] + (f"[phi]\n{phi}\n" if phi else ""))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Sweep two PACS, one of them patient by patient and with a cap, freeze a list of patients, and bring images."""
    folder = tmp_path_factory.mktemp("phi")
    odd = Quirks(duplicate_every=7, unsolicited=True, explicit_vr=True, cap=15, over_cap=OverCap.TRUNCATE)
    with running(Simulator(HELD)) as one, running(Simulator(MORE, quirks=odd)) as other:
        configure(folder, {"main": one.port, "other": other.port}, retrieve_by='"get"')
        path = folder / "pacslake.toml"
        path.write_text(path.read_text() + 'model = "patient"\nlevels = ["image"]\n')
        told(folder, 'direct = "hash"\ncolumns = { AccessionNumber = "drop" }')
        (folder / "first.log").write_text(said(sweep(folder, "--level", "image", "--log-level", "debug")))
        patients = sorted(set(HELD.table(Level.STUDY)["PatientID"].to_pylist()))[:3]
        (folder / "list.csv").write_text("PatientID\n" + "\n".join([*patients, "NOBODY"]))
        frozen = pacslake(folder, "cohort", "new", "some", "--list", "list.csv", "--pacs", "main")
        (folder / "new.log").write_bytes(frozen.stdout)
        assert run_retrieve(load(path), RetrieveRequest((Wish("some"),))) == 0
        yield folder


def test_nothing_of_a_patient_is_in_any_byte_of_the_lake(folder: Path) -> None:
    assert len(WHO) > 150
    assert hits(folder / "lake", WHO | {"NOBODY"}) == {}
    assert hits(folder, WHO).keys() <= {"list.csv"} | {str(path) for path in _stored(folder)}


def test_what_is_kept_is_what_the_pacs_says(folder: Path) -> None:
    assert set(differences(folder, "main", Level.STUDY, HELD)) == {
        *("AccessionNumber", "PatientName", "patient_family_name", "patient_given_name", "PatientID"),
        *("PatientBirthDate", "StudyID", "ReferringPhysicianName"),
        *("referring_physician_family_name", "referring_physician_given_name"),
    }
    for level in (Level.SERIES, Level.IMAGE):
        assert differences(folder, "main", level, HELD) == []


def test_patients_are_told_apart_and_found_again_by_their_codes(folder: Path) -> None:
    codes = Pseudonyms(read_key(Secret(folder / "phi.key")))
    truth = HELD.table(Level.STUDY).to_pylist()
    expected = sorted((row["StudyInstanceUID"], codes.patient(row["PatientID"])) for row in truth)
    assert ask(folder, "select StudyInstanceUID, PatientID from studies where pacs = 'main' order by all") == expected
    patients = {codes.patient(one) for one in MORE.table(Level.PATIENT)["PatientID"].to_pylist()}
    assert {one for (one,) in ask(folder, "select PatientID from patients where pacs = 'other'")} == patients


def test_what_did_not_change_makes_no_version(folder: Path) -> None:
    before = ask(folder, "select count(*) from studies_history")
    run_sweep(load(folder / "pacslake.toml"), SweepRequest(("main",), deepest=Level.STUDY, restart=True))
    assert ask(folder, "select count(*) from studies_history") == before


def test_the_key_is_made_once_and_for_nobody_else(folder: Path) -> None:
    assert "phi.key is the new key of this lake. Keep it" in (folder / "first.log").read_text()
    assert (folder / "phi.key").stat().st_mode & 0o777 == 0o600
    assert hits(folder / "lake", [(folder / "phi.key").read_text().strip()]) == {}


def test_a_list_of_patients_names_them_as_their_hospital_does(folder: Path) -> None:
    assert "NOBODY" in (folder / "new.log").read_text()
    [(patients, missing)] = ask(folder, "select patients, len(not_found) from cohorts where cohort = 'some'")
    assert (patients, missing) == (3, 1)
    done = pacslake(folder, "cohort", "preview", "--list", "list.csv", "--by", "AccessionNumber")
    sentence = "pacslake: AccessionNumber is not in this lake, because [phi] drops it\n"
    assert (done.returncode, said(done)) == (2, sentence)


def test_a_patient_is_found_by_what_stands_for_the_id(folder: Path) -> None:
    patient = HELD.table(Level.STUDY)["PatientID"][0].as_py()
    done = pacslake(folder, "phi", "hash", "PatientID", stdin=f"{patient}\n\n{patient} \n")
    code, nothing, again = done.stdout.decode().splitlines()
    assert (nothing, again) == ("", code)
    assert ask(folder, f"select count(*) > 0 from studies where PatientID = '{code}'") == [(True,)]
    for column, sentence in (
        ("AccessionNumber", "AccessionNumber is not in this lake, because [phi] drops it"),
        ("StudyDate", "StudyDate is kept as it is"),
        ("Nonsense", "there is no column 'Nonsense'; `pacslake phi show` names them"),
    ):
        done = pacslake(folder, "phi", "hash", column, stdin="4711")
        assert (done.returncode, said(done)) == (2, f"pacslake: {sentence}\n")


def test_what_becomes_of_each_column_is_shown(folder: Path) -> None:
    shown = json.loads(pacslake(folder, "phi", "show", "--format", "json").stdout)
    known = {one["columns"].split(",")[0]: (one["phi"], one["kept"]) for one in shown}
    assert known["PatientID"] == ("direct", "hash")
    assert known["AccessionNumber"] == ("direct", "drop")
    assert known["PatientBirthDate"] == ("direct", "drop")
    assert known["StudyInstanceUID"] == ("quasi", "keep")
    assert known["Modality"] == ("none", "keep")


def test_images_of_patient_root_need_what_is_not_there(folder: Path) -> None:
    settings = load(folder / "pacslake.toml")
    chosen = Definition("select SeriesInstanceUID from series where pacs = 'other' limit 1", {})
    freeze_cohort(settings, "far", chosen, as_json=True)
    with pytest.raises(UserError, match=r"wants the PatientID .* which \[phi\] keeps out of the lake"):
        run_retrieve(settings, RetrieveRequest((Wish("far"),)))


@pytest.mark.parametrize(
    ("phi", "sentence"),
    [
        ("", "is kept without identifiers: put the section [phi] back, or sweep into a new lake, another [lake] path"),
        ('direct = "drop"', 'was begun with another section [phi], that said direct = "hash", quasi = "keep", columns'),
        ('columns = { AccessionNumber = "drop" }\nkey_file = "other.key"', "other.key: there is no such key"),
    ],
)
def test_a_lake_is_kept_as_it_was_begun(folder: Path, phi: str, sentence: str) -> None:
    before = (folder / "pacslake.toml").read_text()
    try:
        told(folder, phi)
        settings = load(folder / "pacslake.toml")
        with pytest.raises(UserError, match=re.escape(sentence)):
            run_sweep(settings, SweepRequest(("main",)))
        with pytest.raises(UserError, match=re.escape(sentence)):
            freeze_cohort(settings, "again", Definition("select SeriesInstanceUID from series", {}), as_json=True)
    finally:
        (folder / "pacslake.toml").write_text(before)


def test_another_key_is_refused(folder: Path) -> None:
    settings, key = load(folder / "pacslake.toml"), (folder / "phi.key").read_text()
    try:
        (folder / "phi.key").write_text("ab" * 32 + "\n")
        with pytest.raises(UserError, match="was begun with another key"):
            run_sweep(settings, SweepRequest(("main",)))
    finally:
        (folder / "phi.key").write_text(key)


def test_a_lake_with_patients_in_it_cannot_be_without_them(tmp_path: Path) -> None:
    with running(Simulator(MORE)) as pacs:
        configure(tmp_path, {"main": pacs.port})
        assert run_sweep(load(tmp_path / "pacslake.toml"), SweepRequest(deepest=Level.STUDY)) == 0
        told(tmp_path, 'direct = "drop"')
        done = sweep(tmp_path)
        assert done.returncode == 2
        assert "has patients' values as they came, which [phi] cannot take out again" in said(done)


def _stored(folder: Path) -> Iterator[Path]:
    yield from (path.relative_to(folder) for path in (folder / "store").rglob("*"))
