"""Who asks for patients' data in SQL, or takes it along, is written down first; what cannot be is not shown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from crawler.lake.audit import AuditLog
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.access import Answer, Browser, add_users, basic, service_with
from tests.acceptance.serving import Serving, wait_until
from tests.acceptance.sweeping import configure, sweep

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("audited")
    with running(Simulator(Archive(20, date(2024, 3, 1), date(2024, 3, 3), seed=5))) as simulator:
        configure(folder, {"main": simulator.port})
        assert sweep(folder, "--level", "study").returncode == 0
    add_users(folder)
    with service_with(folder, 'password_file = "users"') as serving:
        yield serving


def ask(service: Serving, name: str, sql: str, path: str = "", **more: Any) -> Answer:
    body = json.dumps({"sql": sql, **more})
    return Browser(service, is_secure=False).ask("POST", f"/api/v1/sql{path}", body, **JSON, **basic(name))


def audited(service: Serving) -> list[dict[str, Any]]:
    return [one for one in AuditLog(service.folder / "lake").entries() if one["action"] in ("sql", "export")]


def test_what_an_analyst_asks_is_written_down_with_what_it_shows(service: Serving) -> None:
    answer = ask(service, "anna", "SELECT * FROM studies WHERE StudyDate > ?", parameters=["2024-01-01"])
    assert answer.status == 200
    assert len(json.loads(answer.text)["rows"]) == 20
    last = audited(service)[-1]
    assert (last["person"], last["role"], last["rows"], last["outcome"]) == ("anna", "analyst", 20, "done")
    assert last["what"] == 'SELECT * FROM studies WHERE StudyDate > ? -- ["2024-01-01"]'
    assert {"PatientID", "PatientName", "PatientBirthDate"} < set(last["phi_columns"])
    assert "pacs" not in last["phi_columns"]
    assert last["lake_version"] > 0
    assert ask(service, "anna", "SELECT upper(patientname) AS n FROM studies").status == 200
    assert audited(service)[-1]["phi_columns"] == ["PatientName"]
    assert ask(service, "anna", "SELECT s FROM studies s").status == 200
    assert "PatientName" in audited(service)[-1]["phi_columns"]
    assert ask(service, "anna", "SELECT count(*) FROM nowhere").status == 400
    assert "nowhere" in audited(service)[-1]["outcome"]


def test_what_a_viewer_asks_shows_nobody_and_is_not_written_down(service: Serving) -> None:
    before = len(audited(service))
    assert ask(service, "vera", "SELECT count(*) FROM studies").status == 200
    assert ask(service, "vera", "SELECT PatientName FROM studies").status == 400
    assert len(audited(service)) == before


def test_a_file_is_written_down_before_its_first_byte_and_at_its_end(service: Serving) -> None:
    answer = ask(service, "anna", "SELECT PatientID FROM studies", "/export", format="csv")
    assert len(answer.text.splitlines()) == 21
    begun, done = audited(service)[-2:]
    assert [one["action"] for one in (begun, done)] == ["export", "export"]
    assert (begun["outcome"], done["outcome"]) == ("begun", f"done, {len(answer.text)} bytes of csv")
    assert begun["phi_columns"] == ["PatientID"]
    assert ask(service, "vera", "SELECT count(*) FROM studies", "/export", format="csv").status == 200
    assert [one["person"] for one in audited(service)[-2:]] == ["vera", "vera"]


def test_who_leaves_is_written_down_too(service: Serving) -> None:
    before = len(audited(service))
    browser = Browser(service, is_secure=False)
    connection = browser.connect()
    endless = "SELECT count(*) FROM range(1000000000000) a, range(1000) b WHERE a.range % 7 = b.range"
    connection.request("POST", "/api/v1/sql", json.dumps({"sql": endless}), {**JSON, **basic("anna")})
    connection.close()
    wait_until(lambda: len(audited(service)) > before)
    assert audited(service)[-1]["outcome"] == "not waited for"


def test_what_cannot_be_written_down_is_not_shown(service: Serving, tmp_path: Path) -> None:
    """The last one: after it the audit is broken."""
    assert ask(service, "anna", "SELECT 1").status == 200
    [file] = (service.folder / "lake/audit").glob("*.jsonl")
    file.rename(tmp_path / "kept")
    file.mkdir()
    for path in ("", "/export"):
        answer = ask(service, "anna", "SELECT PatientID FROM studies", path)
        assert answer.status == 503
        assert re.search("The audit in .* cannot be written", answer.text)
    assert Browser(service, is_secure=False).log_in("anna").status == 503
    assert Browser(service, is_secure=False).get("/api/v1/settings", **basic("anna", "wrong")).status == 503
    assert ask(service, "vera", "SELECT count(*) FROM studies").status == 200
