"""The lake answers DICOMweb: what searches find is what SQL and a C-FIND find, and a lake of a lake is equal to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any

import pytest

import crawler
from crawler.lake.audit import AuditLog
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.access import add_users, basic, password
from tests.acceptance.serving import Serving, serving
from tests.acceptance.sweeping import configure, said, sweep

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 5)
OF_THE_ROW = ("pacs", "first_seen_at", "changed_at", "sweep_id", "SpecificCharacterSet", "raw")
STUDY_UID, NAME = "0020000D", "00100010"


@dataclass(frozen=True)
class World:
    """A lake, the PACS that it was made of, and the service over it."""

    folder: Path
    service: Serving
    pacs: int

    @property
    def port(self) -> int:
        return int(self.service.events("listening")[-1]["port"])

    def get(self, path: str, who: str = "anna", **headers: str) -> tuple[int, HTTPMessage, Any]:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("GET", f"/dicom-web{path}", headers=basic(who) | headers if who else headers)
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, answer.headers, json.loads(body) if body else None

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with crawler.open_lake(self.folder / "lake") as lake:
            return lake.sql(statement).fetchall()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("dicomweb")
    with running(Simulator(Archive(30, FIRST, LAST, series_per_study=2, seed=3))) as simulator:
        configure(folder, {"main": simulator.port})
        file = folder / "pacslake.toml"
        file.write_text(
            f'{file.read_text()}[serve]\nlisten = "127.0.0.1:0"\nrequests_per_minute = 0\npassword_file = "users"\n'
        )
        add_users(folder)
        done = sweep(folder, "--level", "image", "--from", str(FIRST), "--to", str(LAST))
        assert done.returncode == 0, said(done)
        with serving(folder) as service:
            service.wait_for("listening")
            yield World(folder, service, simulator.port)


@pytest.mark.parametrize(
    ("search", "table", "where"),
    [
        ("/studies", "studies", "true"),
        ("/studies?StudyDate=20240103", "studies", "StudyDate = DATE '2024-01-03'"),
        ("/studies?00080020=20240103-20240105", "studies", "StudyDate BETWEEN '2024-01-03' AND '2024-01-05'"),
        ("/studies?StudyTime=1200-", "studies", "StudyTime >= TIME '12:00'"),
        ("/studies?ModalitiesInStudy=CT", "studies", "list_contains(ModalitiesInStudy, 'CT')"),
        ("/studies?ModalitiesInStudy=CT,MR", "studies", "list_has_any(ModalitiesInStudy, ['CT', 'MR'])"),
        ("/studies?PatientName=*a*", "studies", "lower(PatientName) LIKE '%a%'"),
        ("/studies?PatientSex=F&StudyDescription=*e*", "studies", "PatientSex = 'F' AND StudyDescription LIKE '%e%'"),
        ("/series?Modality=CT", "series", "Modality = 'CT'"),
        (
            "/series?Modality=CT&PatientSex=F",
            "series JOIN studies USING (pacs, StudyInstanceUID)",
            "PatientSex = 'F' AND Modality = 'CT'",
        ),
        ("/instances?SeriesNumber=1", "instances JOIN series USING (pacs, SeriesInstanceUID)", "SeriesNumber = 1"),
    ],
)
def test_a_search_finds_what_sql_finds(world: World, search: str, table: str, where: str) -> None:
    key = {"/stu": "StudyInstanceUID", "/ser": "SeriesInstanceUID", "/ins": "SOPInstanceUID"}[search[:4]]
    status, headers, found = world.get(f"{search}{'&' if '?' in search else '?'}limit=5000")
    assert (status, headers["Content-Type"], headers["Warning"]) == (200, "application/dicom+json", None)
    tag = {"StudyInstanceUID": STUDY_UID, "SeriesInstanceUID": "0020000E", "SOPInstanceUID": "00080018"}[key]
    uids = [one[tag]["Value"][0] for one in found]
    assert uids == [uid for (uid,) in world.sql(f"SELECT {key} FROM {table} WHERE {where} ORDER BY {key}")]


def test_the_address_of_the_page_is_answered(world: World) -> None:
    page = (Path(__file__).parents[2] / "docs" / "dicomweb.md").read_text()
    [search] = re.findall(r"^curl -u anna 'http://127.0.0.1:8080/dicom-web(.*)'$", page, re.MULTILINE)
    status, _, found = world.get(search)
    assert (status, 0 < len(found) <= 10) == (200, True)


def test_a_lake_of_the_lake_is_equal_to_it(world: World, tmp_path: Path) -> None:
    (tmp_path / "pacslake.toml").write_text(
        '[lake]\npath = "lake"\n[pacs.lake]\nkind = "dicomweb"\n'
        f'url = "http://127.0.0.1:{world.port}/dicom-web"\nlevels = ["study", "series"]\npage_rows = 20\n'
        'username = "anna"\npassword_file = "password"\n'
    )
    (tmp_path / "password").write_text(password("anna"))
    (tmp_path / "password").chmod(0o600)
    done = sweep(tmp_path, "--from", str(FIRST), "--to", str(LAST))
    assert done.returncode == 0, said(done)
    for table in ("studies", "series"):
        with crawler.open_lake(world.folder / "lake") as ours, crawler.open_lake(tmp_path / "lake") as theirs:
            query = f"SELECT * EXCLUDE ({', '.join(OF_THE_ROW)}) FROM {table} ORDER BY ALL"
            assert _plain(theirs.sql(query).fetchall()) == _plain(ours.sql(query).fetchall())


def test_pages_are_told_of_and_follow_each_other(world: World) -> None:
    _, headers, first = world.get("/studies?limit=20")
    assert headers["Warning"].endswith('"There are additional results that can be requested"')
    _, headers, second = world.get("/studies?limit=20&offset=20")
    assert headers["Warning"] is None
    uids = [one[STUDY_UID]["Value"][0] for one in first + second]
    assert (len(first), len(set(uids))) == (20, 30)
    assert world.get("/studies?offset=30")[2] == []


def test_results_have_what_the_standard_lists_and_what_is_included(world: World) -> None:
    uid, described = world.sql("SELECT StudyInstanceUID, StudyDescription FROM studies LIMIT 1")[0]
    plain = world.get(f"/studies?StudyInstanceUID={uid}")[2][0]
    assert {"00080020", "00080061", NAME, STUDY_UID, "00201206"} < plain.keys()
    assert plain["00081190"]["Value"] == [f"http://127.0.0.1:{world.port}/dicom-web/studies/{uid}"]
    assert "00081030" not in plain
    assert list(plain) == sorted(plain)
    for name in ("StudyDescription", "00081030", "all"):
        more = world.get(f"/studies?StudyInstanceUID={uid}&includefield={name}")[2][0]
        assert more["00081030"].get("Value", [""]) == [described]
    assert set(plain[NAME]["Value"][0]) <= {"Alphabetic", "Ideographic", "Phonetic"}


def test_metadata_is_what_is_known_of_each_instance(world: World) -> None:
    study, series, instance, rows = world.sql(
        "SELECT i.StudyInstanceUID, i.SeriesInstanceUID, SOPInstanceUID, Rows FROM instances i LIMIT 1"
    )[0]
    path = f"/studies/{study}"
    in_study = world.get(f"{path}/metadata")[2]
    assert len(in_study) == world.sql(f"SELECT count(*) FROM instances WHERE StudyInstanceUID = '{study}'")[0][0]
    found = world.get(f"{path}/series/{series}/instances/{instance}/metadata")[2]
    assert [one["00080018"]["Value"] for one in found] == [[instance]]
    assert found[0]["00280010"] == ({"vr": "US", "Value": [rows]} if rows is not None else {"vr": "US"})
    assert {NAME, "00080060", "00081030", "0008103E"} < found[0].keys()
    assert world.get("/studies/1.2.3/metadata")[0] == 404


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/studies?StudyDate=2024", 400, "a date in a key is YYYYMMDD"),
        ("/studies?limit=many", 400, "limit must be a whole number"),
        ("/studies?Smith=1", 400, "no keyword and no tag of DICOM"),
        ("/studies?fuzzymatching=maybe", 400, "fuzzymatching must be true or false"),
        ("/studies/1.2.3", 404, "Not Found"),
    ],
)
def test_what_is_wrong_is_said_without_the_value(world: World, path: str, status: int, words: str) -> None:
    found = world.get(path)
    assert (found[0], words in found[2]["detail"]) == (status, True)
    assert "Smith" not in json.dumps(found[2])


def test_what_is_not_done_is_a_warning(world: World) -> None:
    status, headers, found = world.get("/studies?fuzzymatching=true&PatientAge=070Y&PatientName=ZZZ")
    assert (status, found) == (200, [])
    told = " ".join(headers.get_all("Warning", []))
    assert "Only literal matching has been performed." in told
    assert "not supported as matching parameters: PatientAge" in told
    assert world.get("/studies", Accept='multipart/related; type="application/dicom+xml"')[0] == 406


def test_who_may_see_no_patient_is_told_so(world: World) -> None:
    assert world.get("/studies", "vera")[0::2] == (403, {"detail": "this wants the role analyst"})
    assert world.get("/studies", "")[0] == 401


def test_what_is_asked_is_written_down(world: World) -> None:
    world.get("/studies?PatientName=Mustermann*")
    last = AuditLog(world.folder / "lake").entries()
    assert any("mustermann" in one["what"] and "PatientName" in one["phi_columns"] for one in last if "what" in one)


def _plain(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Give rows in which what is empty is nothing: QIDO-RS does not tell them apart."""
    return sorted(
        (tuple(value or None if isinstance(value, str | list) else value for value in row) for row in rows), key=repr
    )
