"""Alerts as people set them up and get them: `pacslake alerts`, and a service whose PACS goes down and comes back."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from crawler.lake.standing import StandingFile
from crawler.plan.polite import FAILURES, Standing
from crawler.testing.archive import Archive
from crawler.testing.simulator import Simulator, running
from tests.acceptance.installed import pacslake
from tests.acceptance.serving import configure_jobs, serving, wait_until
from tests.acceptance.sweeping import said
from tests.integration.alert_receivers import Webhook, webhook
from tests.integration.real_pacs import free_port

ARCHIVE = Archive(5, date(2024, 1, 1), date(2024, 1, 5), seed=3)
CHECK = '[jobs.look]\nkind = "check"\ninterval = "1s"\n'
RARELY = '[jobs.rarely]\nkind = "maintain"\ncron = "0 0 29 2 *"\n'
HOOK = '[alerts.team]\nwebhook = "{}"\n'


@contextmanager
def told(folder: Path, port: int, jobs: str) -> Iterator[Webhook]:
    """Settings by which a webhook is told of everything."""
    with webhook() as server:
        configure_jobs(folder, {"main": port}, jobs + HOOK.format(server.url))
        yield server


def heard(server: Webhook) -> list[tuple[str, str]]:
    messages = (json.loads(body) for _, body in server.got)
    return [(one["alert"], one["status"]) for one in messages]


def test_a_pacs_that_goes_down_and_comes_back_is_told_once_each_whatever_restarts(tmp_path: Path) -> None:
    port = free_port()
    with told(tmp_path, port, CHECK) as server:
        with serving(tmp_path) as service:
            service.wait_for("job ended", 2)  # a job that fails again and again
            wait_until(lambda: server.got)
            service.process.kill()
            service.process.wait()
        with serving(tmp_path) as service:
            service.wait_for("job ended", 1, exit_code=1)
            [firing] = json.loads(pacslake(tmp_path, "alerts", "--format", "json").stdout)["firing"]
            assert (firing["trouble"], firing["job"], firing["state"]) == ("job_failed", "look", "failed")
            with running(Simulator(ARCHIVE, port=port)):
                service.wait_for("alert delivered", status="ends")
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(timeout=30) == 0
    assert heard(server)[:2] == [("job_failed", "begins"), ("job_failed", "ends")]
    message = json.loads(server.got[0][1])
    assert message.keys() == {"id", "alert", "rule", "status", "job", "state", "since", "at", "text", "version"}


def test_a_breaker_that_opens_is_told_and_that_a_person_closed_it(tmp_path: Path) -> None:
    with told(tmp_path, 1, RARELY) as server, serving(tmp_path) as service:
        service.wait_for("serving")
        kept = StandingFile(tmp_path / "lake", "main")
        with kept.held():
            now = time.time()
            kept.write(Standing(at=now, failures=FAILURES, openings=1, retry_from=now + 3600).as_values())
        service.process.send_signal(signal.SIGHUP)  # which makes it look at once
        service.wait_for("alert delivered", status="begins", alert="pacs_unreachable")
        assert pacslake(tmp_path, "pacs", "resume", "main").returncode == 0
        service.process.send_signal(signal.SIGHUP)
        service.wait_for("alert delivered", status="ends", alert="pacs_unreachable")
        wait_until((tmp_path / "lake/lake.duckdb").exists)  # which the service makes meanwhile
        assert pacslake(tmp_path, "verify").returncode == 0, "what the alerts keep is no stranger in the lake"
    assert heard(server) == [("pacs_unreachable", "begins"), ("pacs_unreachable", "ends")]


def test_wrong_settings_are_told_and_that_they_are_right_again(tmp_path: Path) -> None:
    with told(tmp_path, 1, RARELY) as server, serving(tmp_path) as service:
        service.wait_for("serving")
        file = tmp_path / "pacslake.toml"
        right = file.read_text()
        for text, status in ((right.replace("maintain", "mantain"), "begins"), (right, "ends")):
            file.write_text(text)
            service.process.send_signal(signal.SIGHUP)
            service.wait_for("alert delivered", status=status, alert="settings_invalid")
    assert heard(server) == [("settings_invalid", "begins"), ("settings_invalid", "ends")]


def test_a_receiver_that_hangs_holds_up_neither_the_jobs_nor_the_end_of_the_service(tmp_path: Path) -> None:
    with told(tmp_path, free_port(), CHECK) as server, serving(tmp_path) as service:
        server.hangs.set()
        wait_until(lambda: server.got)
        service.wait_for("job ended", len(service.events("job ended")) + 1)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(timeout=10) == 0
        assert not service.events("alert delivered")
        firing = json.loads(pacslake(tmp_path, "alerts", "--format", "json").stdout)
        assert [one["waiting"] for one in firing["receivers"]] == [1], "it is tried again by the next service"


def test_the_command_shows_who_is_told_and_tries_whether_it_arrives(tmp_path: Path) -> None:
    with webhook() as server:
        tee = f'[alerts.file]\ncommand = ["/usr/bin/tee", "{tmp_path}/heard"]\non = ["disk_low"]\n'
        configure_jobs(tmp_path, {"main": 1}, HOOK.format(server.url) + tee)
        shown = pacslake(tmp_path, "alerts").stdout.decode()
        assert "webhook at 127.0.0.1" in shown
        settings = pacslake(tmp_path, "settings").stdout.decode()
        assert '"webhook": "http://127.0.0.1/..."' in settings
        assert "secret-path" not in shown + settings, "the path of a webhook often is its password"
        assert "The service knows of no trouble." in shown
        done = pacslake(tmp_path, "alerts", "test")
        assert (done.returncode, done.stdout.decode()) == (0, "team: delivered\nfile: delivered\n")
        server.status = 500
        done = pacslake(tmp_path, "alerts", "test", "team")
        assert (done.returncode, done.stdout.decode()) == (1, "team: not delivered: HTTP status 500\n")
    assert heard(server) == [("test", "test")] * 2
    assert json.loads((tmp_path / "heard").read_text())["alert"] == "test"
    done = pacslake(tmp_path, "alerts", "test", "tem")
    assert done.returncode == 2
    assert "there is no [alerts.tem]; did you mean 'team'?" in said(done)


def test_without_a_section_nobody_is_told(tmp_path: Path) -> None:
    configure_jobs(tmp_path, {"main": 1}, "")
    assert (
        pacslake(tmp_path, "alerts")
        .stdout.decode()
        .startswith("Nobody is told, so nobody looks: pacslake.toml has no section")
    )
    assert pacslake(tmp_path, "alerts", "test").returncode == 2
    assert b"pacslake alerts test mail --config" in pacslake(tmp_path, "alerts", "test", "--help").stdout
