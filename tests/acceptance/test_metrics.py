"""What Prometheus reads, from the command and from the service, and what alerts and dashboard make of it."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from crawler.model import Level
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.serving import configure_jobs, done_before, serving
from tests.acceptance.sweeping import said, sweep

CONFIG = Path(__file__).parents[2] / "config"
ARCHIVE = Archive(40, date.today() - timedelta(days=6), date.today(), seed=12, series_per_study=2)
JOB = '[jobs.rarely]\nkind = "sweep"\ncron = "0 0 29 2 *"\n'
LABELS = {"pacs", "level", "state", "reason"}
NAMED = re.compile(r"\b(?:pacslake|process)_[a-z_]+\b")

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[Simulator]:
    with running(Simulator(ARCHIVE)) as simulator:
        configure_jobs(tmp_path, {"main": simulator.port}, JOB)
        yield simulator


def samples(text: str) -> Samples:
    families = text_string_to_metric_families(text)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}


def of(found: Samples, name: str, **labels: str) -> float:
    return found[name, tuple(sorted(labels.items()))]


@pytest.mark.usefixtures("pacs")
def test_metrics_say_what_the_lake_holds_and_nothing_about_patients(tmp_path: Path) -> None:
    assert sweep(tmp_path).returncode == 0
    done_before(tmp_path, "rarely", ago=timedelta(days=9 * 366))
    found = samples(pacslake(tmp_path, "metrics").stdout.decode())
    assert of(found, "pacslake_rows", pacs="main", level="study") == ARCHIVE.total
    assert of(found, "pacslake_rows", pacs="main", level="series") == ARCHIVE.table(Level.SERIES).num_rows
    assert of(found, "pacslake_windows", pacs="main", level="series", state="complete") > 0
    assert of(found, "pacslake_queries_total", pacs="main", level="series") == ARCHIVE.total
    assert of(found, "pacslake_sweep_state", pacs="main", state="complete") == 1
    assert of(found, "pacslake_jobs", state="due") == 1
    assert of(found, "pacslake_job_overdue_seconds") > 86400
    assert of(found, "pacslake_pacs_closed", pacs="main", reason="paused") == 0
    assert {name for _, labels in found for name, _ in labels} == LABELS
    assert not [name for name, _ in found if re.search(r"_(ms|minutes|hours|days|kb|mb|percent)(_|$)", name)]
    assert pacslake(tmp_path, "pacs", "pause", "main").returncode == 0
    found = samples(pacslake(tmp_path, "metrics").stdout.decode())
    assert of(found, "pacslake_pacs_closed", pacs="main", reason="paused") == 1


def test_a_textfile_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    configure_jobs(tmp_path, {"main": 1}, JOB)
    done = pacslake(tmp_path, "metrics", "--textfile", "pacslake.prom")
    assert (done.returncode, done.stdout) == (0, b"")
    found = samples((tmp_path / "pacslake.prom").read_text())
    assert of(found, "pacslake_lake_readable") == 0, "there is no lake yet"
    assert [file.name for file in tmp_path.glob("pacslake.prom*")] == ["pacslake.prom"]
    wrong = pacslake(tmp_path, "metrics", "--textfile", "nowhere/pacslake.prom")
    assert wrong.returncode == 2
    assert "--textfile nowhere/pacslake.prom cannot be written: No such file or directory" in said(wrong)


def test_the_service_shows_its_pages_to_this_machine_alone(tmp_path: Path, pacs: Simulator) -> None:
    done_before(tmp_path, "rarely", ago=timedelta())
    with serving(tmp_path) as service:
        port = service.wait_for("listening")["port"]

        def page(path: str, host: str = "localhost") -> tuple[int, str]:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
                connection.request("GET", path, headers={"Host": host})
                answer = connection.getresponse()
                return answer.status, answer.read().decode()

        assert page("/healthz") == (200, "ok\n")
        status, text = page("/readyz")
        assert (status, json.loads(text)) == (200, {"ready": True, "reason": None})
        status, text = page("/metrics")
        assert status == 200
        assert of(samples(text), "pacslake_lake_readable") == 1
        assert page("/healthz", host="elsewhere.example")[0] == 400
        assert page("/nowhere")[0] == 404
        (tmp_path / "lake" / "lake.duckdb").unlink()
        assert page("/readyz")[0] == 503


def test_an_address_that_is_taken_is_said(tmp_path: Path, pacs: Simulator) -> None:
    file = tmp_path / "pacslake.toml"
    file.write_text(file.read_text().replace("127.0.0.1:0", f"127.0.0.1:{pacs.port}"))
    done = pacslake(tmp_path, "serve")
    assert done.returncode == 2
    assert f"serve.listen: 127.0.0.1:{pacs.port} cannot be had: Address already in use; choose another" in said(done)


@pytest.mark.usefixtures("pacs")
def test_alerts_and_dashboard_name_only_metrics_that_exist(tmp_path: Path) -> None:
    assert sweep(tmp_path).returncode == 0
    done_before(tmp_path, "rarely", ago=timedelta())
    text = pacslake(tmp_path, "metrics").stdout.decode()
    exist = {name for name, _ in samples(text)} | set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    rules = (CONFIG / "alerts" / "pacslake.rules.yml").read_text()
    expressions = re.findall(r"^ +expr: (.*)$", rules, re.MULTILINE)
    assert len(expressions) == len(re.findall(r"^ +- alert: \w+$", rules, re.MULTILINE)) == 13
    panels = json.loads((CONFIG / "grafana" / "pacslake.json").read_text())["panels"]
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    for expression in [*expressions, *shown]:
        named = set(NAMED.findall(expression))
        assert named or expression == 'up{job="pacslake"} == 0'
        assert named <= exist, expression
    labels = {label for one in [*expressions, *shown] for label in re.findall(r"[{,]\s*(\w+)[=!]", one)}
    assert labels <= LABELS | {"job", "setting"}
