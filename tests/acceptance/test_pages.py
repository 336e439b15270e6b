"""The pages of the service and its interface, over a lake that it filled itself; the commands say the same."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from crawler.model import Level
from crawler.serve.web.rendering import PAGES
from crawler.serve.web.sql import OUT_OF_RANGE
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.serving import Serving, configure_jobs, done_before, serving, wait_until
from tests.acceptance.sweeping import ask, sweep

FIRST, LAST = date.today() - timedelta(days=9), date.today() - timedelta(days=1)
ARCHIVE = Archive(120, FIRST, LAST, seed=12, series_per_study=2)
JOB = '[jobs.rarely]\nkind = "sweep"\ncron = "0 0 29 2 *"\n'


class Site:
    """A service and what it shows."""

    def __init__(self, service: Serving, simulator: Simulator) -> None:
        self.folder = service.folder
        self.service = service
        self.simulator = simulator
        said = service.wait_for("listening")
        self._port = said["port"]
        assert said["pages"] == f"http://127.0.0.1:{self._port}"

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        return self._ask("GET", path, None, headers)

    def post(self, path: str, body: object, **headers: str) -> tuple[int, str]:
        """Send JSON, or the fields of a form where it is text."""
        form = isinstance(body, str)
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        content = str(body) if form else json.dumps(body)
        return self._ask("POST", path, content, {"Content-Type": kind, **headers})

    def json(self, path: str) -> Any:
        status, text = self.get(f"/api/v1{path}")
        assert status == 200, text
        return json.loads(text)

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, str]:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            self.headers = answer.headers
            return answer.status, answer.read().decode(errors="replace")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("pages")
    with running(Simulator(ARCHIVE)) as simulator:
        configure_jobs(folder, {"main": simulator.port}, JOB)
        assert sweep(folder, "--from", str(FIRST), "--to", str(LAST - timedelta(days=2))).returncode == 0
        assert pacslake(folder, "check", "main", "--yes").returncode == 0
        done_before(folder, "rarely", ago=timedelta(days=1))
        with serving(folder) as service:
            found = Site(service, simulator)
            wait_until(lambda: found.json("/explore")["version"] is not None)
            yield found


def as_json(site: Site, *arguments: str) -> Any:
    return json.loads(pacslake(site.folder, *arguments, "--format", "json").stdout)


@pytest.mark.parametrize("path", [path for path, _ in PAGES])
def test_a_page_shows_itself_and_fetches_nothing_from_elsewhere(site: Site, path: str) -> None:
    status, text = site.get(path)
    assert status == 200
    assert "<h1>" in text
    fetched = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"', text)
    assert all(one.startswith("/static/") for one in fetched)
    assert {site.get(one)[0] for one in fetched} == {200}
    assert "<script>" not in text
    assert " style=" not in text
    assert "'unsafe" not in site.headers["Content-Security-Policy"]


def test_the_documents_are_shown_with_their_pictures_and_what_they_hold_is_text(site: Site) -> None:
    status, text = site.get("/docs/notebooks/volumes")
    assert status == 200
    assert "<h1>Notebook: volumes and turnaround</h1>" in text
    assert "counted &gt; studies" in text
    pictures = re.findall(r'<img src="(/docs/pictures/[^"]+)"', text)
    assert {site.get(one)[0] for one in pictures} == {200}
    assert site.get("/docs/find")[1].count('<div class="wide" tabindex="0"><table>') > 0
    assert [site.get(path)[0] for path in ("/docs/nothing", "/docs/pictures/..%2Fconf.py", "/docs/../README")] == [
        404
    ] * 3


def test_no_page_of_a_copy_is_kept_and_assets_are(site: Site) -> None:
    site.get("/coverage")
    assert site.headers["Cache-Control"] == "no-store"
    site.get("/static/htmx.min.js")
    assert site.headers["Cache-Control"] is None


def test_the_calendar_has_every_day_that_was_asked_for(site: Site) -> None:
    _, text = site.get("/coverage")
    days = re.findall(r'aria-label="(\d{4}-\d\d-\d\d): complete"', text)
    year = max(LAST - timedelta(days=2), FIRST).year
    asked = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days - 1)]
    assert days == [str(day) for day in asked if day.year == year]


def test_a_day_shows_its_windows_as_a_part_and_as_a_page(site: Site) -> None:
    _, part = site.get(f"/coverage/main/{FIRST}", **{"HX-Request": "true"})
    _, whole = site.get(f"/coverage/main/{FIRST}")
    assert "<html" not in part
    assert part.strip() in whole
    assert "complete" in part
    assert site.get("/coverage/main/2024-02-30")[0] == 404
    assert site.get(f"/coverage/nobody/{FIRST}")[0] == 400


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/status", ("status",)),
        ("/coverage?pacs=main", ("coverage", "main")),
        (f"/windows?pacs=main&day={FIRST}", ("windows", "main", str(FIRST))),
        ("/backfill?pacs=main", ("backfill", "main", "--dry-run")),
        ("/sweeps", ("sweeps",)),
        ("/explore?level=study", ("explore", "--of", "study")),
        ("/explore?modality=CT", ("explore", "--where", "modality=CT")),
        ("/quality", ("quality",)),
        ("/dictionary", ("dictionary",)),
    ],
)
def test_a_command_says_what_the_interface_says(site: Site, path: str, command: tuple[str, ...]) -> None:
    assert site.json(path) == as_json(site, *command)


def test_counts_are_those_of_the_tables(site: Site) -> None:
    found = site.json("/explore?level=series")
    [(rows, instances)] = ask(site.folder, "select count(*), sum(NumberOfSeriesRelatedInstances) from series")
    assert (found["rows"], found["instances"], found["behind"]) == (rows, instances, 0)
    for name, column in (("modality", "Modality"), ("body_part", "BodyPartExamined")):
        truth = dict(ask(site.folder, f"select {column}, count(*) from series group by all"))
        assert {one["value"]: one["rows"] for one in found["facets"][name]} == truth
    kind = found["facets"]["modality"][0]["value"]
    narrowed = site.json(f"/explore?level=series&modality={kind}")
    assert narrowed["rows"] == found["facets"]["modality"][0]["rows"]
    assert narrowed["facets"]["modality"] == found["facets"]["modality"]


def test_what_was_learned_about_a_pacs_is_shown_for_a_level_and_for_all(site: Site) -> None:
    [pacs] = site.json("/pacs")["pacs"]
    assert {one["level"] for one in pacs["learned"]} >= {"study", None}
    assert "associations_at_once" in site.get("/health")[1]


def test_the_settings_are_shown_with_their_defaults(site: Site) -> None:
    shown = site.json("/settings")
    assert shown == json.loads(pacslake(site.folder, "settings").stdout)
    assert shown["pacs"]["main"]["port"] == site.simulator.port
    assert shown["pacs"]["main"]["max_associations"] == 2


def test_the_interface_describes_itself(site: Site) -> None:
    described = site.json("/openapi.json")
    assert described["paths"]["/api/v1/coverage"]["get"]["summary"]
    assert not [path for path in described["paths"] if not path.startswith("/api/v1/")]


def test_what_is_wrong_is_told_without_what_was_typed(site: Site) -> None:
    status, text = site.get("/api/v1/coverage?date_from=Meier")
    assert status == 422
    assert "date_from" in json.loads(text)["detail"]
    assert "Meier" not in text
    assert site.get("/coverage?year=Meier")[0] == 422
    assert site.get("/nowhere")[0] == 404


def test_an_order_from_the_page_of_another_site_is_refused(site: Site) -> None:
    order = {"pacs": ["main"]}
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert site.post("/api/v1/backfill", order, **headers)[0] == 403
    assert site.post("/backfill", urlencode({"pacs": "main"}))[0] == 403
    assert site.post("/backfill", urlencode({"pacs": "main", "csrf_token": "guess"}))[0] == 403
    assert site.post("/backfill", "x" * 300_000)[0] == 413
    assert site.get("/coverage", Host="evil.example")[0] == 400
    assert site.json("/sweeps")["waiting"] == []


def test_a_paused_pacs_is_paused_and_resumed_by_buttons(site: Site) -> None:
    _, page = site.get("/health")
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
    status, said = site.post("/health/main/pause", urlencode({"csrf_token": token, "reason": "upgrade"}))
    assert status == 200
    assert "main is paused" in said
    [pacs] = site.json("/pacs")["pacs"]
    assert (pacs["paused"], pacs["may_be_asked"]) == (True, False)
    assert "upgrade" in pacs["now"]
    assert site.post("/api/v1/pacs/main/resume", {})[0] == 200
    assert site.json("/pacs")["pacs"][0]["may_be_asked"]
    assert site.post("/api/v1/pacs/nobody/pause", {})[0] == 400


def test_a_backfill_is_planned_and_done(site: Site) -> None:
    first, last = LAST - timedelta(days=1), LAST
    asked = urlencode({"pacs": "main", "date_from": first, "date_to": last})
    [planned] = site.json(f"/backfill?{asked}")["ranges"]
    assert (planned["date_from"], planned["date_to"], planned["days"]) == (str(first), str(last), 2)
    _, page = site.get(f"/backfill?{asked}")
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert site.post("/backfill", urlencode(fields))[0] == 202
    wait_until(lambda: site.json(f"/coverage?{asked}")["proven"])
    wait_until(lambda: site.json("/sweeps")["waiting"] == [] and site.json("/explore")["behind"] == 0)
    assert ask(site.folder, "select count(*) from studies") == [(ARCHIVE.total,)]
    assert site.json("/explore")["rows"] == ARCHIVE.table(Level.SERIES).num_rows


def test_a_backfill_waits_while_its_pacs_is_paused(site: Site) -> None:
    """And the service looks after it now and then, not all the time."""
    assert site.post("/api/v1/pacs/main/pause", {"until": None})[0] == 200
    begun = len(site.service.events("job begins"))
    today = str(date.today())
    assert site.post("/api/v1/backfill", {"pacs": ["main"], "date_from": today, "date_to": today})[0] == 202
    site.service.wait_for("job ended", begun + 1)
    assert site.json("/sweeps")["waiting"]
    assert len(site.service.events("job begins")) == begun + 1
    assert site.post("/api/v1/pacs/main/resume", {})[0] == 200
    wait_until(lambda: not site.json("/sweeps")["waiting"])


def test_sql_is_answered_as_by_the_command(site: Site) -> None:
    statement = "select StudyDate, count(*) as studies, min(StudyTime) from studies group by all order by all"
    status, text = site.post("/api/v1/sql", {"sql": statement})
    found = json.loads(text)
    assert status == 200
    assert [column["name"] for column in found["columns"]] == ["StudyDate", "studies", "min(StudyTime)"]
    assert found["rows"] == [[str(day), count, str(first)] for day, count, first in ask(site.folder, statement)]
    assert not found["truncated"]
    assert json.loads(site.post("/api/v1/sql", {"sql": statement, "max_rows": 2})[1])["truncated"]
    for kind in ("csv", "jsonl"):
        _, file = site.post("/api/v1/sql/export", {"sql": statement, "format": kind})
        assert file.encode() == pacslake(site.folder, "sql", statement, "--format", kind).stdout
        assert site.headers["Content-Disposition"] == f'attachment; filename="answer.{kind}"'


def test_every_type_of_value_can_be_answered(site: Site) -> None:
    values = "'nan'::double, 'inf'::double, 1.50::decimal(4,2), 'a'::blob, [1, null], {'k': date '2024-01-31'}, null"
    status, text = site.post(
        "/api/v1/sql", {"sql": f"select {values}, interval 1 day, 2::hugeint, $1", "parameters": ["p"]}
    )
    assert status == 200
    status, far = site.post(
        "/api/v1/sql", {"sql": "select 'infinity'::date d, ['290000-01-01'::date] l, 'infinity'::timestamp t, 1 n"}
    )
    assert status == 200
    assert json.loads(far)["rows"] == [[OUT_OF_RANGE, OUT_OF_RANGE, OUT_OF_RANGE, 1]]
    [row] = json.loads(text)["rows"]
    assert row[:7] == ["nan", "inf", "1.50", "61", [1, None], {"k": "2024-01-31"}, None]
    assert row[9] == "p"


def test_sql_that_is_no_question_is_refused(site: Site) -> None:
    for statement in ("drop table studies", "select 1; select 2", "select * from '/etc/passwd'", "selec", ""):
        status, text = site.post("/api/v1/sql", {"sql": statement})
        assert status == 400
        assert json.loads(text)["detail"]


def test_the_page_for_sql_answers_and_says_what_is_wrong(site: Site) -> None:
    _, page = site.get("/sql")
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
    _, part = site.post("/sql", urlencode({"csrf_token": token, "sql": "select 'a<b' as x, 41 + 1"}))
    assert "a&lt;b" in part
    assert ">42<" in part
    _, part = site.post("/sql", urlencode({"csrf_token": token, "sql": "selec 1"}))
    assert 'role="alert"' in part
    status, file = site.post("/sql/download", urlencode({"csrf_token": token, "sql": "select 1 as x", "format": "csv"}))
    assert (status, file) == (200, "x\n1\n")


def test_a_service_without_a_lake_shows_that_nothing_is_there(tmp_path: Path, site: Site) -> None:
    configure_jobs(tmp_path, {"main": site.simulator.port}, "")
    with serving(tmp_path) as service:
        empty = Site(service, site.simulator)
        for path, _ in PAGES:
            assert empty.get(path)[0] == 200
        assert empty.get("/api/v1/coverage")[0] == 404
        assert empty.post("/api/v1/sql", {"sql": "select 1"})[0] == 404
